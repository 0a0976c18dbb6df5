"""The drawing of a run's curves."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from poselab.report.curves import draw_curves


@pytest.mark.parametrize("losses", [{0: 3.0, 1: 0.2}, {0: 3.0, 1: -7.5}, {0: -2.0, 1: -7.5}])
def test_losses_may_be_negative_as_likelihoods_are(
    tmp_path: Path, losses: dict[int, float]
) -> None:
    file = tmp_path / "curves.png"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw_curves({"train/loss": losses, "val/AP": {0: 0.1, 1: 0.4}}, "AP", file)
    assert file.stat().st_size > 0
