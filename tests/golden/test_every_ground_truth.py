"""Every public layout is recognised, and perfect predictions have perfect metric values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from poselab.annotations import open_annotations
from poselab.cli import main
from poselab.evaluation.predictions import Predictions, read_predictions, write_predictions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from poselab.annotations import Annotations

    Data = Callable[[str], Path]

COCO_LIKE = [
    "samples/coco/test_coco.json",
    "samples/coco/test_coco_wholebody.json",
    "samples/coco/test_keypoint_partition_metric.json",
    "samples/crowdpose/test_crowdpose.json",
    "samples/aic/test_aic.json",
    "samples/ochuman/test_ochuman.json",
    "samples/halpe/test_halpe.json",
    "samples/humanart/test_humanart.json",
    "samples/posetrack18/annotations/test_posetrack18_val.json",
    "samples/jhmdb/test_jhmdb_sub1.json",
]
NO_HIPS = ["samples/mhp/test_mhp.json"]
OF_SINGLE_PEOPLE = [
    "lspet/joints.mat",
    "lsp-flic-parse/gt/lsp-joints-PC.mat",
    "lsp-flic-parse/gt/parse-joints.mat",
    "lsp-flic-parse/gt/flic-joints-test-oc.mat",
    "lsp-flic-parse/gt/flic-joints-oc.mat",
    "flic/annot/valid.h5",
    "mpii/hg/annot/valid.h5",
    "mpii/detections_our_format.mat",
    "samples/mpii/test_mpii.json",
]


def perfect(table: Annotations) -> Predictions:
    """The labels themselves, of those who have any."""
    rows = np.flatnonzero((table.visibility > 0).any(axis=1) & ~table.crowd)
    return Predictions(
        table.image_ids[table.image_of()[rows]],
        np.asarray(table.annotation_ids[rows]),
        np.asarray(table.keypoints[rows]),
        np.ones((len(rows), len(table.skeleton))),
        np.linspace(0.5, 1.0, len(rows)),
    )


def figures(capsys: pytest.CaptureFixture[str], *words: Any) -> dict[str, str]:
    assert main(["evaluate", *map(str, words)]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    return {line[0]: line[1] for line in lines if len(line) == 2}


def perfect_figures(
    ground_truth: Path, folder: Path, capsys: pytest.CaptureFixture[str], *words: str
) -> dict[str, str]:
    """Of results that repeat the labels."""
    write_predictions(folder / "results.json", perfect(open_annotations(ground_truth)))
    return figures(capsys, folder / "results.json", "--annotations", ground_truth, *words)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSELAB_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("name", [*COCO_LIKE, *NO_HIPS])
def test_oks_of_coco_like_files(
    shared_data: Data, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    found = perfect_figures(shared_data(name), tmp_path, capsys)
    assert (found["AP"], found["AR"]) == ("100.000", "100.000")


@pytest.mark.parametrize("name", [*COCO_LIKE, *OF_SINGLE_PEOPLE])
def test_pck_of_all_files(
    shared_data: Data, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    found = perfect_figures(shared_data(name), tmp_path, capsys, "--metric", "pck")
    assert found["PCK@0.2"] == "100.000"
    assert len(read_predictions(tmp_path / "results.json")) > 0
