"""Real results give no warnings, and the same results broken on purpose do."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest

from poselab.annotations import open_annotations
from poselab.evaluation.predictions_file import open_predictions
from poselab.evaluation.validation.checks import validate_predictions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from poselab.annotations import Annotations
    from poselab.evaluation.predictions import Predictions

    Data = Callable[[str], Path]

YANG = "lsp-flic-parse"
MPII = ("mpii/detections_our_format.mat", "mpii/detections.mat")
HOURGLASS = (MPII[0], "mpii/hg/preds/valid-example.h5")
LSP = (f"{YANG}/gt/lsp-joints-PC.mat", f"{YANG}/results/LSP/pred_keypoints_lsp_pc.mat")
FLIC = (f"{YANG}/gt/flic-joints-test-oc.mat", f"{YANG}/results/FLIC/pred_keypoints_flic_oc.mat")
PARSE = (f"{YANG}/gt/parse-joints.mat", f"{YANG}/results/PARSE/pred_keypoints_parse_pc.mat")


def opened(data: Data, files: tuple[str, str]) -> tuple[Predictions, Annotations]:
    annotations = open_annotations(data(files[0]), cache=False)
    return open_predictions(data(files[1]), annotations).predictions, annotations


@pytest.mark.parametrize("files", [MPII, HOURGLASS, LSP, FLIC, PARSE])
def test_real_results_raise_no_warning(shared_data: Data, files: tuple[str, str]) -> None:
    predictions, annotations = opened(shared_data, files)
    assert validate_predictions(predictions, annotations, ranked_by_oks=False) == []


@pytest.mark.parametrize("files", [MPII, HOURGLASS, LSP, FLIC, PARSE])
def test_swapped_axes_and_sides_warn(shared_data: Data, files: tuple[str, str]) -> None:
    predictions, annotations = opened(shared_data, files)
    points, flip = predictions.keypoints, list(annotations.skeleton.flip_index)
    swapped = dataclasses.replace(predictions, keypoints=points[..., ::-1])
    assert any(
        "x and y swapped" in w
        for w in validate_predictions(swapped, annotations, ranked_by_oks=False)
    )
    flipped = dataclasses.replace(predictions, keypoints=points[:, flip])
    assert any(
        "left and right swapped" in w
        for w in validate_predictions(flipped, annotations, ranked_by_oks=False)
    )


@pytest.mark.parametrize("shift", [1.0, -1.0])
def test_a_shift_of_one_pixel_warns_on_mpii(shared_data: Data, shift: float) -> None:
    """With the errors of Tompson et al. as they are, but for their own bias of about a pixel,
    which would hide the shift."""
    predictions, annotations = opened(shared_data, MPII)
    order = np.argsort(predictions.annotation_ids)
    offsets = predictions.keypoints[order] - annotations.keypoints
    bias = np.median(offsets[annotations.visibility > 0], axis=0)
    centred = dataclasses.replace(predictions, keypoints=predictions.keypoints - bias)
    assert validate_predictions(centred, annotations, ranked_by_oks=False) == []
    shifted = dataclasses.replace(centred, keypoints=centred.keypoints + shift)
    (warning,) = validate_predictions(shifted, annotations, ranked_by_oks=False)
    assert "shifted by one pixel" in warning


def test_labels_of_hourglass_read_with_the_wrong_origin(shared_data: Data) -> None:
    """The two forms of MPII's labels, one of them left 1-based."""
    from poselab.evaluation.predictions import Predictions

    annotations = open_annotations(shared_data(MPII[0]), cache=False)
    other = open_annotations(shared_data("mpii/hg/annot/valid.h5"), cache=False, origin=0)
    order = np.argsort(other.annotation_ids)
    ids = annotations.image_ids[annotations.image_of()]
    points = other.keypoints[order]
    scores = np.linspace(0, 1, len(ids))
    found = Predictions(ids, annotations.annotation_ids, points, np.ones(points.shape[:2]), scores)
    (warning,) = validate_predictions(found, annotations, ranked_by_oks=False)
    assert "shifted by one pixel" in warning


@pytest.mark.parametrize("name", ["crowdpose_example", "xtcocoapi_example"])
def test_coco_results_raise_no_warning_about_coordinates(shared_data: Data, name: str) -> None:
    files = (f"oks-cases/{name}/gt.json", f"oks-cases/{name}/predictions.json")
    assert validate_predictions(*opened(shared_data, files), ranked_by_oks=False) == []
