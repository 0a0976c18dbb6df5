"""COCO-WholeBody: parts of the body in fields of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from coco_labels import coco, person

from poselab.annotations import open_annotations
from poselab.annotations.formats.whole_body import PARTS
from poselab.skeletons import COCO17, HALPE136, WHOLEBODY133
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Write = Callable[..., Path]


def whole(number: int, **changes: Any) -> dict[str, Any]:
    """A person whose parts have flags of 2 where 300-W or COCO labels would, 0.3 in the hands."""
    draw = np.random.default_rng(number)
    entry = person(number, 10 * number)
    for part, count in list(PARTS.items())[1:]:
        points = draw.uniform(1, 90, (count, 3)).round(2)
        points[:, 2] = 0.3 if "hand" in part else 2
        entry[part] = points.ravel().tolist()
    return entry | changes


def test_parts_follow_one_another(write: Write) -> None:
    instances = [whole(1), whole(2)]
    table = open_annotations(write(coco(instances)))
    assert (table.layout, table.skeleton) == ("coco_wholebody", WHOLEBODY133)
    for row, entry in enumerate(instances):
        flat = np.array([v for part in PARTS for v in entry[part]]).reshape(-1, 3)
        labelled = flat[:, 2] > 0
        assert np.array_equal(table.keypoints[row][labelled], flat[labelled, :2])
        assert np.array_equal(table.visibility[row] > 0, labelled)
    assert set(np.unique(table.visibility[:, 91:]).tolist()) == {1}  # a confidence above 0
    body = open_annotations(write(coco(instances)), layout="coco")
    assert body.skeleton == COCO17
    assert np.array_equal(body.keypoints, table.keypoints[:, :17])


def test_people_with_only_a_face_count(write: Write) -> None:
    """``num_keypoints`` is that of the body, and is not believed."""
    faceless = whole(1, keypoints=[0] * 51, num_keypoints=0)
    table = open_annotations(write(coco([faceless, whole(2, face_kpts=[])])))
    assert table.labelled()[0] == 133 - 17
    assert not table.visibility[1, 23:91].any()


def test_all_133_in_one_list_may_have_confidences(write: Write) -> None:
    flat = [0.5] * (3 * 133)
    table = open_annotations(write(coco([person(1, 10, keypoints=flat)])))
    assert (table.layout, table.skeleton) == ("coco", WHOLEBODY133)
    assert (table.visibility == 1).all()
    with pytest.raises(InputError, match="expected visibility 0, 1 or 2"):
        open_annotations(write(coco([person(1, 10, keypoints=[0.5] * 51)])))


def test_sides_of_the_face_flip() -> None:
    """Pairs of the 68 points as the face's authors number them, and the points in the middle."""
    pairs = [(0, 16), (7, 9), (17, 26), (21, 22), (31, 35), (32, 34), (36, 45), (37, 44), (38, 43)]
    pairs += [(39, 42), (40, 47), (41, 46), (48, 54), (50, 52), (55, 59), (60, 64), (65, 67)]
    middle = [8, 27, 28, 29, 30, 33, 51, 57, 62, 66]
    for skeleton, first in ((WHOLEBODY133, 23), (HALPE136, 26)):
        for one, other in pairs:
            assert skeleton.flip_index[first + one] == first + other
            assert skeleton.flip_index[first + other] == first + one
        assert all(skeleton.flip_index[first + k] == first + k for k in middle)
        unpaired = sum(skeleton.flip_index[first + k] == first + k for k in range(68))
        assert unpaired == len(middle)
        assert skeleton.flip_index[first + 68] == first + 68 + 21


def test_sigmas_are_the_authors() -> None:
    """Totals of the lists in their evaluation code."""
    sigmas = WHOLEBODY133.sigmas or ()
    assert sum(sigmas[:17]) == pytest.approx(1.138)
    assert sum(sigmas[17:23]) == pytest.approx(0.480)
    assert sum(sigmas[23:91]) == pytest.approx(1.137)
    assert sigmas[91:112] == sigmas[112:]
    assert sum(sigmas[91:112]) == pytest.approx(0.553)
    assert sigmas[23:26] == (0.042, 0.043, 0.044)
    assert (HALPE136.sigmas or ())[17:27] == (0.08,) * 3 + (0.089,) * 6 + (0.015,)
