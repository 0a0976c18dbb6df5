"""The person crop that DARK's published weights were trained with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from poselab.data.framing import IDENTITY, PersonCrop

if TYPE_CHECKING:
    from poselab.data.framing import AffineParameters
    from poselab.structures import Floats


@dataclass(frozen=True)
class DarkCrop(PersonCrop):
    """DARK's crop: boxes end at their last pixel, and both axes scale with the width.

    Source: ilovepose/DarkPose, lib/dataset/coco.py and lib/utils/transforms.py.
    """

    def matrix(self, area: Floats, affine: AffineParameters = IDENTITY) -> Floats:
        """The map (2, 3) from image pixels to pixels of an input that shows ``area``."""
        x, y, w, h = area.tolist()
        width = w - 1 / affine.scale
        height = width * (self.size[0] - 1) / (self.size[1] - 1)
        box = [x + (w - 1 - width) / 2, y + (h - 1 - height) / 2, width, height]
        return super().matrix(np.array(box), affine)
