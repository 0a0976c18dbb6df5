"""Direct keypoint regression: coordinates straight from the network."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from poselab.codecs.coordinate import CoordinateCodec
from poselab.losses.coordinates import CoordinateLoss
from poselab.models.heads import RegressionHead
from poselab.models.necks import LastFeature
from poselab.modules.pose_module import PoseModule, Triple


class DirectRegression(PoseModule):
    """One person's coordinates by regression (Toshev & Szegedy 2014).

    With another neck and head they are the expectation of a map (Sun et al. 2018), with another
    loss likelihoods are maximised (Li et al. 2021), with another codec bones are regressed (Sun et
    al. 2017).
    """

    accepts: ClassVar[tuple[type, ...]] = (CoordinateCodec,)
    default: ClassVar[Triple] = Triple(
        neck=LastFeature,
        head=RegressionHead,
        codec=CoordinateCodec,
        loss=partial(CoordinateLoss, kind="l1"),
    )
