"""Direct keypoint regression: coordinates straight from the network."""

from __future__ import annotations

from typing import ClassVar

from poselab.codecs.coordinate import CoordinateCodec
from poselab.modules.pose_module import PoseModule


class DirectRegression(PoseModule):
    """One person's coordinates by regression (Toshev & Szegedy 2014).

    Integral regression adds a soft-argmax head (Sun et al. 2018), residual log-likelihood
    estimation a head and loss with uncertainty (Li et al. 2021), compositional regression a codec
    of bones (Sun et al. 2017). By default a pose's score is the mean of its keypoint scores, and no
    pose is suppressed.
    """

    accepts: ClassVar[type] = CoordinateCodec
