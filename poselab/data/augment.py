"""Augmentation: random motion of what is shown, and random changes of its pixels.

Motion is ours, one matrix for image and labels; pixels are albumentations'.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from poselab import geometry
from poselab.data.framing import Motion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.structures import Floats, Ints, Skeleton


@dataclass(frozen=True)
class Augment:
    """Random flip, scale, rotation, shift and half body, then pixel changes.

    Scale is normal about 1 with deviation ``scale``, clipped at one deviation; rotation is normal
    with deviation ``degrees``, clipped at two, and happens with probability ``rotate``: the law of
    SimpleBaseline's and HRNet's code (Xiao et al. 2018; Sun et al. 2019). Shift is uniform up to a
    fraction ``shift`` of what is shown. ``half_body`` frames only the upper or the lower body of a
    person with more than ``half_body_joints`` labelled joints (Li et al. 2019, MSPN). ``pixels``
    are albumentations transforms that move nothing.
    """

    flip: float = 0.5
    scale: float = 0.35
    degrees: float = 45.0
    rotate: float = 0.6
    shift: float = 0.0
    half_body: float = 0.0
    half_body_joints: int = 8
    pixels: Sequence[Any] = field(default_factory=tuple)

    def motion(self, rng: np.random.Generator) -> Motion:
        """One random motion."""
        turned = rng.random() < self.rotate
        return Motion(
            scale=1.0 + _clipped_normal(rng, self.scale, self.scale),
            degrees=_clipped_normal(rng, self.degrees, 2 * self.degrees) if turned else 0.0,
            shift=(rng.uniform(-self.shift, self.shift), rng.uniform(-self.shift, self.shift)),
            flipped=bool(rng.random() < self.flip),
        )

    def half(
        self, keypoints: Floats, visibility: Ints, skeleton: Skeleton, rng: np.random.Generator
    ) -> Floats | None:
        """The area (4,) of half of a person (K, 2), or None: show all of him.

        1.5 times the box of the half's joints about their mean, as in HRNet's code.
        """
        if rng.random() >= self.half_body:
            return None
        labelled = visibility > 0
        if labelled.sum() <= self.half_body_joints:
            return None
        upper = np.array(skeleton.is_upper)
        chosen = labelled & (upper if rng.random() < 0.5 else ~upper)
        if chosen.sum() < 2:
            return None
        middle = keypoints[chosen].mean(axis=0)
        extent = 1.5 * geometry.boxes_of_keypoints(keypoints, chosen)[2:].clip(min=1.0)
        return np.concatenate([middle - extent / 2, extent])

    def paint(self, image: np.ndarray[Any, Any], rng: np.random.Generator) -> np.ndarray[Any, Any]:
        """Change the pixels of an image (H, W, 3) uint8 RGB."""
        if not self.pixels:
            return image
        self._painter.set_random_seed(int(rng.integers(2**31)))
        return np.asarray(self._painter(image=image)["image"])

    @cached_property
    def _painter(self) -> Any:
        import albumentations

        return albumentations.Compose(list(self.pixels))


def _clipped_normal(rng: np.random.Generator, deviation: float, limit: float) -> float:
    return min(max(rng.normal(0.0, deviation), -limit), limit) if deviation else 0.0
