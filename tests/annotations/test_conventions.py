"""Annotations in other units or conventions than COCO's are told from right ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coco_labels import coco

from poselab.annotations import open_annotations
from poselab.annotations.check import annotation_problems
from poselab.annotations.conventions import check_units, convention_warnings, fractions_of_image
from poselab.cli import main
from poselab.structures import InputError

Change = Callable[[Any, Any], tuple[Any, Any]]
SIZE = np.array([120.0, 100.0])


def people(change: Change = lambda points, box: (points, box), **others: Any) -> dict[str, Any]:
    """Twenty people in images of 120 × 100, whose keypoints (17, 2) and box (4,) are changed."""
    draw, entries = np.random.default_rng(0), []
    for number in range(1, 21):
        corner, side = draw.uniform((40, 3), (80, 8)), draw.uniform((15, 60), (30, 85))
        points = corner + side * draw.uniform(0.05, 0.95, (17, 2))
        points, box = change(points, np.concatenate([corner, side]))
        keypoints = np.column_stack([points, np.full(17, 2)]).ravel().tolist()
        entry = {"id": number, "image_id": 10, "category_id": 1, "iscrowd": 0, "num_keypoints": 17}
        entries.append(entry | {"keypoints": keypoints, "bbox": list(box), "area": 900.0} | others)
    return coco(entries, images=1)


WARNED: dict[str, tuple[Change, str]] = {
    "corners": (lambda p, b: (p, [*b[:2], *(b[:2] + b[2:])]), "as two corners"),
    "centres": (lambda p, b: (p, [*(b[:2] + b[2:] / 2), *b[2:]]), "as centre and size"),
    "keypoints row first": (lambda p, b: (p[:, ::-1], b), "with their x and y swapped"),
    "all row first": (lambda p, b: (p[:, ::-1] + [0, 30], b[[1, 0, 3, 2]]), "row, column"),
    "other people's boxes": (lambda p, b: (p, [2, 2, 30, 60]), "far outside their person's box"),
    "other size": (lambda p, b: (4 * p, 4 * b), "lie outside their images"),
    "1-based": (lambda p, b: (np.vstack([SIZE, p[1:]]), b), "are they 1-based"),
}


@pytest.mark.parametrize("name", WARNED)
def test_mixed_up_conventions_are_warned_of(write: Callable[..., Path], name: str) -> None:
    change, words = WARNED[name]
    table = open_annotations(write(people(change)))
    assert words in convention_warnings(table)[0]
    assert any(words in p.sentence and p.severity == "warning" for p in annotation_problems(table))
    check_units(table)


def test_right_annotations_are_not(write: Callable[..., Path]) -> None:
    table = open_annotations(write(people()))
    assert convention_warnings(table) == []
    assert fractions_of_image(table) == ""


def test_fractional_areas_are_warned_of(write: Callable[..., Path]) -> None:
    table = open_annotations(write(people(area=0.2)))
    assert "OKS reads pixels²" in convention_warnings(table)[0]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda p, b: (p / SIZE, b), "of its keypoints is"),
        (lambda p, b: (p, b / [*SIZE, *SIZE]), "of its boxes is"),
        (lambda p, b: (p / SIZE, b / [*SIZE, *SIZE]), "of its keypoints and boxes is"),
    ],
)
def test_fractions_of_the_image_are_an_error(
    write: Callable[..., Path], capsys: pytest.CaptureFixture[str], change: Change, what: str
) -> None:
    path = write(people(change))
    with pytest.raises(InputError, match=f"expected pixels in .*{what}"):
        check_units(open_annotations(path))
    assert main(["data", "check", str(path)]) == 1
    assert what in capsys.readouterr().out


def test_tiny_images_and_whole_numbers_are_no_fractions(write: Callable[..., Path]) -> None:
    table = open_annotations(write(people(lambda p, b: (np.ones((17, 2)), b))))
    assert fractions_of_image(table) == ""
    fractions = open_annotations(write(people(lambda p, b: (p / SIZE, b)), "tiny.json"))
    assert fractions_of_image(dataclasses.replace(fractions, sizes=np.full((1, 2), 2))) == ""
