"""PCK of Yang et al. 2016 from their own predictions, as their toolkit prints it.

The values come from the MATLAB code published with those predictions, which is the PCK of the MPII
toolkit: joints pooled, torso between joints 10 and 3 of fourteen, AUC by the trapezoidal rule.
"""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.io import savemat

from poselab.annotations import open_annotations
from poselab.evaluation.metrics.pck import PckEvaluator
from poselab.evaluation.metrics.pckh import PckhEvaluator
from poselab.evaluation.predictions_file import open_predictions
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Data = Callable[[str], Path]

FOLDER = "lsp-flic-parse"
LSP_PC = {"PCK@0.2": "73.6", "AUC": "39.3"}
LSP_OC = {"PCK@0.2": "81.5", "AUC": "43.4"}
FLIC = {"PCK@0.2/elbow": "96.8", "PCK@0.2/wrist": "94.2"}
PARSE = {"PCK@0.2": "76.9"}


@pytest.mark.parametrize(
    ("result", "ground_truth", "printed"),
    [
        ("LSP/pred_keypoints_lsp_pc", "lsp-joints-PC", LSP_PC),
        ("LSP/pred_sticks_lsp_pc", "lsp-joints-PC", LSP_PC),
        ("LSP/pred_keypoints_lsp_oc", "lsp-joints-OC", LSP_OC),
        ("LSP/pred_sticks_lsp_oc", "lsp-joints-OC", LSP_OC),
        ("FLIC/pred_keypoints_flic_oc", "flic-joints-test-oc", FLIC),
        ("PARSE/pred_keypoints_parse_pc", "parse-joints", PARSE),
        ("PARSE/pred_sticks_parse_pc", "parse-labels", PARSE),
    ],
)
def test_pck_of_yang(
    shared_data: Data, result: str, ground_truth: str, printed: dict[str, str]
) -> None:
    annotations = open_annotations(shared_data(f"{FOLDER}/gt/{ground_truth}.mat"), cache=False)
    predictions = open_predictions(
        shared_data(f"{FOLDER}/results/{result}.mat"), annotations
    ).predictions
    metrics = PckEvaluator()(predictions, annotations)
    assert {key: f"{100 * metrics.values[key]:.1f}" for key in printed} == printed
    assert metrics.comparability["instances_without_prediction"] == 0
    assert metrics.comparability["instances"] == len(predictions)


def test_columns_of_the_lsp_table(shared_data: Data) -> None:
    """Each the mean of two joints, as the toolkit's table has them; head: neck and head top."""
    annotations = open_annotations(shared_data(f"{FOLDER}/gt/lsp-joints-PC.mat"), cache=False)
    file = shared_data(f"{FOLDER}/results/LSP/pred_keypoints_lsp_pc.mat")
    values = PckEvaluator()(open_predictions(file, annotations).predictions, annotations).values
    columns = {"head": 90.6, "shoulder": 78.05, "elbow": 73.85, "wrist": 68.75}
    columns |= {"hip": 74.75, "knee": 69.95, "ankle": 58.95}
    found = {name: round(100 * values[f"PCK@0.2/{name}"], 3) for name in columns}
    assert found == columns


def test_the_other_diagonal_of_parse_gives_another_value(shared_data: Data) -> None:
    """Guards the rule: with left shoulder to right hip it would be 75.5."""
    import dataclasses

    ground_truth = shared_data(f"{FOLDER}/gt/parse-joints.mat")
    annotations = open_annotations(ground_truth, cache=False)
    file = shared_data(f"{FOLDER}/results/PARSE/pred_keypoints_parse_pc.mat")
    predictions = open_predictions(file, annotations).predictions
    renamed = dataclasses.replace(annotations.skeleton, name="another")
    other = dataclasses.replace(annotations, skeleton=renamed)
    assert f"{100 * PckEvaluator()(predictions, other).values['PCK@0.2']:.1f}" == "75.5"


def test_people_of_one_image_keep_the_order_of_the_file(shared_data: Data) -> None:
    """The h5 labels hold several people an image; floored positions change the value a little."""
    annotations = open_annotations(shared_data("mpii/hg/annot/valid.h5"), cache=False)
    predictions = open_predictions(
        shared_data("mpii/hg/preds/valid-example.h5"), annotations
    ).predictions
    values = PckhEvaluator()(predictions, annotations).values
    assert values["PCKh@0.5"] == pytest.approx(0.83927, abs=0.001)


def test_training_people_can_be_scored_too(shared_data: Data) -> None:
    annotations = open_annotations(shared_data(f"{FOLDER}/gt/lsp-joints-PC.mat"), cache=False)
    file = shared_data(f"{FOLDER}/results/LSP/pred_keypoints_lsp_pc.mat")
    predictions = open_predictions(file, annotations).predictions
    assert np.array_equal(predictions.image_ids, np.arange(1001, 2001))
    everybody = PckEvaluator()(predictions, annotations, annotations.image_ids)
    assert everybody.comparability["instances_without_prediction"] == 1000


@pytest.mark.parametrize(
    ("result", "ground_truth", "sentence"),
    [
        ("FLIC/pred_sticks_flic_oc", "flic-joints-test-oc", "ends of body segments"),
        ("LSP/pred_keypoints_lsp_pc", "parse-joints", "305 or 205 poses of 14 keypoints"),
    ],
)
def test_results_of_other_annotations_raise(
    shared_data: Data, result: str, ground_truth: str, sentence: str
) -> None:
    annotations = open_annotations(shared_data(f"{FOLDER}/gt/{ground_truth}.mat"), cache=False)
    with pytest.raises(InputError, match=sentence):
        open_predictions(shared_data(f"{FOLDER}/results/{result}.mat"), annotations)


def test_results_of_other_joints_are_matched(shared_data: Data) -> None:
    """FLIC's people of the test split, predicted with a neck and without eyes."""
    annotations = open_annotations(shared_data(f"{FOLDER}/gt/flic-joints-oc.mat"), cache=False)
    file = shared_data(f"{FOLDER}/results/FLIC/pred_keypoints_flic_oc.mat")
    found = open_predictions(file, annotations)
    assert any("left_eye, right_eye are not among its joints" in note for note in found.notes)
    values = PckEvaluator()(found.predictions, annotations).values
    assert {key: f"{100 * values[key]:.1f}" for key in FLIC} == FLIC


@pytest.mark.parametrize(
    ("result", "ground_truth"),
    [
        ("mpii/hg/preds/valid-example.h5", "mpii/detections_our_format.mat"),
        (f"{FOLDER}/results/LSP/pred_keypoints_lsp_pc.mat", f"{FOLDER}/gt/lsp-joints-PC.mat"),
        (
            f"{FOLDER}/results/FLIC/pred_keypoints_flic_oc.mat",
            f"{FOLDER}/gt/flic-joints-test-oc.mat",
        ),
        (f"{FOLDER}/results/PARSE/pred_keypoints_parse_pc.mat", f"{FOLDER}/gt/parse-joints.mat"),
    ],
)
def test_arrays_of_any_form_are_read_alike(
    shared_data: Data, tmp_path: Path, result: str, ground_truth: str
) -> None:
    """Under an unknown name, in any order of axes and of joints."""
    annotations = open_annotations(shared_data(ground_truth), cache=False)
    expected = open_predictions(shared_data(result), annotations).predictions
    poses = expected.keypoints[np.argsort(expected.annotation_ids)] + 1
    draw = np.random.default_rng(0)
    for order in permutations(range(3)):
        joints = draw.permutation(poses.shape[1])
        array = poses[:, joints].transpose(order)
        savemat(tmp_path / "a.mat", {"prediction_all": array, "cost": np.ones((3, 4))})
        found = open_predictions(tmp_path / "a.mat", annotations).predictions
        assert np.allclose(found.keypoints, expected.keypoints)
        assert np.array_equal(found.annotation_ids, expected.annotation_ids)
