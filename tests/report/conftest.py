"""Two methods with known errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from known_errors import COARSE, FINE, IMAGES, coarse, poses, table

from poselab.annotations import Annotations
from poselab.evaluation.comparison import Comparison, compare_methods
from poselab.evaluation.metrics.oks import OksEvaluator
from poselab.evaluation.predictions_file import PredictionsFile
from poselab.skeletons import COCO17, MPII16


@pytest.fixture(scope="session")
def annotations() -> Annotations:
    """Thirty images 640 wide of two people: a medium one on the left, a large one, apart."""
    return table(COCO17)


@pytest.fixture(scope="session")
def comparison(annotations: Annotations) -> Comparison:
    named = {COARSE: coarse(annotations), FINE: poses(annotations, annotations.keypoints)}
    runs = {
        name: [PredictionsFile(Path("x.json"), predictions, {})]
        for name, predictions in named.items()
    }
    return compare_methods(runs, annotations, OksEvaluator(), replicates=50)


@pytest.fixture(scope="session")
def by_heads() -> Comparison:
    """One method measured by PCKh."""
    from poselab.evaluation.metrics.pckh import PckhEvaluator

    heads = np.tile([0.0, 0.0, 30.0, 40.0], (2 * IMAGES, 1))
    instances = table(MPII16, head_boxes=heads)
    predictions = poses(
        instances, instances.keypoints + np.random.default_rng(2).normal(0, 9, (60, 16, 2))
    )
    return compare_methods(
        {"heads": [PredictionsFile(Path("x.json"), predictions, {})]},
        instances,
        PckhEvaluator(),
        50,
    )
