"""The loss of HigherHRNet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poselab.losses.heatmaps import weighted_square_error
from poselab.methods.associative_embedding.loss import TagLoss

if TYPE_CHECKING:
    from torch import Tensor

    from poselab.methods.higher_hrnet.codec import TwoResolutions, TwoResolutionTarget


class HigherHrnetLoss(TagLoss):
    """:class:`TagLoss` at the lower resolution, and the same error of heatmaps at the higher one.

    Source: HigherHRNet, Cheng et al. 2020, section 3.3.
    """

    def forward(  # type: ignore[override]
        self, output: TwoResolutions, target: TwoResolutionTarget
    ) -> dict[str, Tensor]:
        """The scalars of :class:`TagLoss`, and high_heatmaps."""
        error = weighted_square_error(output.high, target.high.heatmaps, target.high.weight)
        return super().forward(output.low, target.low) | {
            "high_heatmaps": self.weights["heatmaps"] * error
        }
