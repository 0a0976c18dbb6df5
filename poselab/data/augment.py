"""Augmentation: random affine changes of the framed area, and random changes of its pixels.

Affine changes share one matrix for image and keypoints; changes of pixels are albumentations'.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from poselab import geometry
from poselab.data.framing import AffineParameters
from poselab.ranges import check_number
from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.structures import Floats, Ints, Skeleton

Distribution = Literal["clipped_normal", "uniform", "truncated_normal"]

_RANGES = {
    **dict.fromkeys(
        ("flip", "rotate", "half_body", "half_body_upper", "shift_probability"), (0.0, 1.0)
    ),
    "shift": (0.0, 0.99),
    "degrees": (0.0, 360.0),
}
_FEWEST = 2  # joints that have an extent
_STANDARD_NORMAL = NormalDist()
_BELOW, _ABOVE = _STANDARD_NORMAL.cdf(-1.0), _STANDARD_NORMAL.cdf(1.0)


@dataclass(frozen=True)
class Augment:
    """Random flip, scale, rotation, shift and half body, then changes of pixels.

    ``scale`` s enlarges the framed area by a factor from 1 - s to 1 + s, or in a range (low, high);
    ``degrees`` rotates it with probability ``rotate``; ``shift`` moves it along each axis by up to
    this fraction of its side, with probability ``shift_probability``; ``flip`` is a probability.

    ``distribution`` is that of scale, rotation and shift around the middle of their ranges:

    - "clipped_normal": normal, half the range as its deviation, values beyond moved to its ends, of
      rotation to twice ``degrees`` (SimpleBaseline, HRNet, mmpose before 1.0);
    - "uniform": RLE, associative embedding, HigherHRNet;
    - "truncated_normal": normal, half the range as its deviation, no values beyond (mmpose 1.x).

    With probability ``half_body`` a person with more than ``half_body_joints`` labelled joints is
    framed by half of their body: the upper one with probability ``half_body_upper`` and more than
    two labelled joints there, else the lower one if it has more than two, else the upper one
    (MSPN, Li et al. 2019, as in HRNet's code). ``pixels`` are albumentations transforms that do not
    move pixels.

    Raises:
        InputError: a value is out of its range, or the distribution unknown.
    """

    flip: float = 0.5
    scale: float | Sequence[float] = 0.35
    degrees: float = 45.0
    rotate: float = 0.6
    shift: float = 0.0
    shift_probability: float = 1.0
    distribution: Distribution = "clipped_normal"
    half_body: float = 0.0
    half_body_joints: int = 8
    half_body_upper: float = 0.69  # of a standard normal to lie below 0.5
    # No flips among them: those of albumentations do not swap left and right keypoints.
    pixels: Sequence[Any] = field(default_factory=tuple)

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            check_number(f"augment.{name}", getattr(self, name), low, high)
        if self.distribution not in get_args(Distribution):
            raise InputError(
                f"expected augment.distribution out of {list(get_args(Distribution))}, got "
                f"{self.distribution!r}"
            )
        if isinstance(self.scale, Sequence) and len(self.scale) == 2:
            check_number("augment.scale[0]", self.scale[0], 0.01)
            check_number("augment.scale[1]", self.scale[1], self.scale[0])
        else:
            check_number("augment.scale", self.scale, 0.0, 0.99)

    def sample_affine(self, rng: np.random.Generator) -> AffineParameters:
        """Draw one affine change."""
        scale = self.scale
        low, high = scale if isinstance(scale, Sequence) else (1.0 - scale, 1.0 + scale)
        rotated, shifted = rng.random() < self.rotate, rng.random() < self.shift_probability
        reach = self.shift if shifted else 0.0
        return AffineParameters(
            scale=(low + high) / 2 + (high - low) / 2 * self._draw(rng),
            degrees=self.degrees * self._draw(rng, clipped_at=2.0) if rotated else 0.0,
            shift=(reach * self._draw(rng), reach * self._draw(rng)),
            flipped=bool(rng.random() < self.flip),
        )

    def _draw(self, rng: np.random.Generator, clipped_at: float = 1.0) -> float:
        """A random number from -1 to 1, of clipped normals from -``clipped_at`` to it."""
        match self.distribution:
            case "clipped_normal":
                return min(max(rng.normal(), -clipped_at), clipped_at)
            case "uniform":
                return rng.uniform(-1.0, 1.0)
            case "truncated_normal":
                return _STANDARD_NORMAL.inv_cdf(rng.uniform(_BELOW, _ABOVE))

    def half_body_box(
        self, keypoints: Floats, visibility: Ints, skeleton: Skeleton, rng: np.random.Generator
    ) -> Floats | None:
        """The box (4,) of half of a person with keypoints (K, 2), or None for the whole person.

        It is 1.5 times the extent of the half's joints, about their mean, as in HRNet's code.
        """
        labelled = visibility > 0
        if labelled.sum() <= self.half_body_joints or rng.random() >= self.half_body:
            return None
        upper = labelled & np.array(skeleton.is_upper)
        lower = labelled & ~upper
        prefer_upper = rng.random() < self.half_body_upper and upper.sum() > _FEWEST
        chosen = upper if prefer_upper or lower.sum() <= _FEWEST else lower
        if chosen.sum() < _FEWEST:
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
