"""Published or reference metric values, from the same predictions, to the printed digits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from poselab.annotations import open_annotations
from poselab.evaluation.metrics.oks import OksEvaluator
from poselab.evaluation.metrics.pckh import PckhEvaluator
from poselab.evaluation.predictions import read_predictions
from poselab.evaluation.predictions_file import open_predictions
from poselab.evaluation.validation.checks import validate_predictions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Data = Callable[[str], Path]

FASTER_COCO_EVAL = {
    "AP": 0.5048844884488449,
    "AP50": 0.7227722772277227,
    "AP75": 0.6336633663366337,
    "APM": 0.46633663366336636,
    "APL": 0.7504950495049505,
    "AR": 0.5181818181818182,
    "AR50": 0.7272727272727273,
    "AR75": 0.6363636363636364,
    "ARM": 0.4666666666666666,
    "ARL": 0.75,
}
CROWDPOSE = {
    "AP": 0.7877215935879303,
    "AP50": 0.9881188118811886,
    "AP75": 0.7314356435643564,
    "AR": 0.8222222222222223,
    "AR50": 1.0,
    "AR75": 0.7777777777777778,
}
XTCOCO = {
    "AP": 0.8608896054440609,
    "AP50": 0.993145468392993,
    "AP75": 0.9108910891089109,
    "APM": 0.7755775577557756,
    "APL": 0.9372524752475248,
    "AR": 0.875,
    "AR50": 1.0,
    "AR75": 0.9166666666666666,
    "ARM": 0.78,
    "ARL": 0.9428571428571428,
}


@pytest.mark.parametrize("engine", ["hotcoco", "pycocotools"])
@pytest.mark.parametrize(
    ("ground_truth", "found", "expected"),
    [
        (
            "faster_coco_eval_keypoints/gt_dataset.json",
            "faster_coco_eval_keypoints/dt_dataset.json",
            FASTER_COCO_EVAL,
        ),
        ("crowdpose_example/gt.json", "crowdpose_example/predictions.json", CROWDPOSE),
        ("xtcocoapi_example/gt.json", "xtcocoapi_example/predictions.json", XTCOCO),
    ],
)
def test_oks(
    shared_data: Data, engine: str, ground_truth: str, found: str, expected: dict[str, float]
) -> None:
    annotations = open_annotations(shared_data(f"oks-cases/{ground_truth}"), cache=False)
    predictions = read_predictions(shared_data(f"oks-cases/{found}"))
    validate_predictions(predictions, annotations)
    metrics = OksEvaluator(engine)(predictions, annotations)
    assert {key: metrics.values[key] for key in expected} == expected


def test_tompson_on_mpii(shared_data: Data) -> None:
    """PCKh of Tompson et al. 2014 on the 2,958 validation people, as the HRNet code prints it."""
    annotations = open_annotations(shared_data("mpii/detections_our_format.mat"), cache=False)
    predictions = open_predictions(shared_data("mpii/detections.mat"), annotations).predictions
    values = PckhEvaluator()(predictions, annotations).values
    printed = {
        "/head": "95.600",
        "/shoulder": "92.714",
        "/elbow": "83.365",
        "/wrist": "76.736",
        "/hip": "81.928",
        "/knee": "73.363",
        "/ankle": "65.446",
        "/groups": "81.458",
        "": "82.337",
    }
    assert {suffix: f"{100 * values[f'PCKh@0.5{suffix}']:.3f}" for suffix in printed} == printed
    assert f"{100 * values['PCKh@0.1/groups']:.3f}" == "28.398"
    assert f"{100 * values['PCKh@0.1']:.3f}" == "28.975"


def test_hourglass_on_mpii(shared_data: Data) -> None:
    annotations = open_annotations(shared_data("mpii/detections_our_format.mat"), cache=False)
    predictions = open_predictions(
        shared_data("mpii/hg/preds/valid-example.h5"), annotations
    ).predictions
    values = PckhEvaluator()(predictions, annotations).values
    assert f"{100 * values['PCKh@0.5/groups']:.3f}" == "83.347"
    assert f"{100 * values['PCKh@0.5']:.3f}" == "83.927"


def test_both_files_of_tompsons_poses_agree(shared_data: Data) -> None:
    ground_truth = shared_data("mpii/detections_our_format.mat")
    annotations = open_annotations(ground_truth, cache=False)
    raw = open_predictions(shared_data("mpii/detections.mat"), annotations).predictions
    ours = PckhEvaluator()(
        open_predictions(ground_truth, annotations).predictions, annotations
    ).values
    assert ours == PckhEvaluator()(raw, annotations).values
