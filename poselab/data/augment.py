"""Augmentation: random affine changes of the framed area, and random changes of its pixels.

Affine changes share one matrix for image and keypoints; changes of pixels are albumentations'.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from poselab import geometry
from poselab.data.framing import AffineParameters
from poselab.ranges import check_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.structures import Floats, Ints, Skeleton

_RANGES = {
    **dict.fromkeys(("flip", "rotate", "half_body"), (0.0, 1.0)),
    **dict.fromkeys(("scale", "shift"), (0.0, 0.99)),
    "degrees": (0.0, 360.0),
}


@dataclass(frozen=True)
class Augment:
    """Random flip, scale, rotation, shift and half body, then changes of pixels.

    ``flip``, ``rotate`` and ``half_body`` are probabilities. Scale is normal about 1 with standard
    deviation ``scale``, clipped at one deviation; rotation is normal with ``degrees``, clipped at
    two: the distributions of SimpleBaseline's and HRNet's code (Xiao et al. 2018; Sun et al. 2019).
    Shift is uniform up to a fraction ``shift`` of the framed area. Half body frames only the upper
    or the lower body of a person with more than ``half_body_joints`` labelled joints (Li et al.
    2019, MSPN). ``pixels`` are albumentations transforms that do not move pixels.

    Raises:
        InputError: a value is out of its range.
    """

    flip: float = 0.5
    scale: float = 0.35
    degrees: float = 45.0
    rotate: float = 0.6
    shift: float = 0.0
    half_body: float = 0.0
    half_body_joints: int = 8
    # No flips among them: those of albumentations do not swap left and right keypoints.
    pixels: Sequence[Any] = field(default_factory=tuple)

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            check_number(f"augment.{name}", getattr(self, name), low, high)

    def sample_affine(self, rng: np.random.Generator) -> AffineParameters:
        """Draw one affine change."""
        rotated = rng.random() < self.rotate
        return AffineParameters(
            scale=1.0 + _clipped_normal(rng, self.scale, self.scale),
            degrees=_clipped_normal(rng, self.degrees, 2 * self.degrees) if rotated else 0.0,
            shift=(rng.uniform(-self.shift, self.shift), rng.uniform(-self.shift, self.shift)),
            flipped=bool(rng.random() < self.flip),
        )

    def half_body_box(
        self, keypoints: Floats, visibility: Ints, skeleton: Skeleton, rng: np.random.Generator
    ) -> Floats | None:
        """The box (4,) of half of a person with keypoints (K, 2), or None for the whole person.

        It is 1.5 times the extent of the half's joints, about their mean, as in HRNet's code.
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
        centre = keypoints[chosen].mean(axis=0)
        extent = 1.5 * geometry.boxes_of_keypoints(keypoints, chosen)[2:].clip(min=1.0)
        return np.concatenate([centre - extent / 2, extent])

    def transform_pixels(
        self, image: np.ndarray[Any, Any], rng: np.random.Generator
    ) -> np.ndarray[Any, Any]:
        """Change the pixels of an image (H, W, 3) uint8 RGB."""
        if not self.pixels:
            return image
        # albumentations has a random state of its own: seeded here, each sample stays repeatable.
        self._pixel_transform.set_random_seed(int(rng.integers(2**31)))
        return np.asarray(self._pixel_transform(image=image)["image"])

    @cached_property
    def _pixel_transform(self) -> Any:
        import albumentations

        return albumentations.Compose(list(self.pixels))


def _clipped_normal(rng: np.random.Generator, deviation: float, limit: float) -> float:
    return min(max(rng.normal(0.0, deviation), -limit), limit) if deviation else 0.0
