"""The loss of Keypoint R-CNN."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from torch import Tensor


class RegionLoss(nn.Module):
    """The weighted parts of torchvision's loss of Keypoint R-CNN; all weigh one in the paper.

    proposals: classification and box regression of anchors; boxes: the same of proposals;
    keypoints: cross-entropy over the cells of each labelled keypoint's heatmap.

    Source: Mask R-CNN, He et al. 2017, sections 3 and 5; Ren et al. 2015, equation 1.
    """

    def __init__(self, proposals: float = 1.0, boxes: float = 1.0, keypoints: float = 1.0) -> None:
        super().__init__()
        self.weights = {
            "objectness": proposals,
            "rpn_box_reg": proposals,
            "classifier": boxes,
            "box_reg": boxes,
            "keypoint": keypoints,
        }

    def forward(self, parts: dict[str, Tensor]) -> dict[str, Tensor]:
        """The parts by shorter names, weighted."""
        return {name: weight * parts[f"loss_{name}"] for name, weight in self.weights.items()}
