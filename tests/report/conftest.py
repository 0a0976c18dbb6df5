"""Two methods whose errors are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from known_errors import COARSE, FINE, IMAGES, coarse, poses, table

from poselab.annotations import Annotations
from poselab.evaluation.comparison import Comparison, Run, compare
from poselab.evaluation.metrics.oks import OksEvaluator
from poselab.skeletons import COCO17, MPII16


@pytest.fixture(scope="session")
def labels() -> Annotations:
    """Thirty images 640 wide of two people: a medium one on the left, a large one, apart."""
    return table(COCO17)


@pytest.fixture(scope="session")
def comparison(labels: Annotations) -> Comparison:
    named = {COARSE: coarse(labels), FINE: poses(labels, labels.keypoints)}
    runs = {name: [Run(Path("x.json"), found, {})] for name, found in named.items()}
    return compare(runs, labels, OksEvaluator(), replicates=50)


@pytest.fixture(scope="session")
def by_heads() -> Comparison:
    """One method measured by PCKh."""
    from poselab.evaluation.metrics.pckh import PckhEvaluator

    heads = np.tile([0.0, 0.0, 30.0, 40.0], (2 * IMAGES, 1))
    instances = table(MPII16, head_boxes=heads)
    found = poses(
        instances, instances.keypoints + np.random.default_rng(2).normal(0, 9, (60, 16, 2))
    )
    return compare({"heads": [Run(Path("x.json"), found, {})]}, instances, PckhEvaluator(), 50)
