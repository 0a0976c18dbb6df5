"""Skeletons, samples and poses: the types that all of poselab shares.

Axes, in every docstring and comment:
    B batch   P people   K keypoints   C channels
    H W height and width of a network input   h w height and width of a heatmap
Sizes are always (height, width); coordinates are always (x, y) in pixels, 0-based, with integers at
pixel centres, so an image of width W covers [-0.5, W - 0.5]. Boxes are (x, y, width, height).
Visibility: 0 not labelled, 1 labelled but occluded, 2 visible.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from poselab.keypoint_names import infer_flip_pairs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    Floats = NDArray[np.floating[Any]]
    Ints = NDArray[np.integer[Any]]
    Mask = NDArray[np.bool_]

Size = tuple[int, int]


class InputError(ValueError):
    """Wrong input from the user; the message is one sentence: expected, got, what to do."""


@dataclass(frozen=True)
class Skeleton:
    """The keypoints of one annotation scheme.

    ``sigmas`` are the per-keypoint constants of OKS (its k_i is 2·sigma); None where none are
    published: ``oks_sigmas`` then is a guess. ``flip_pairs`` are the keypoints that a horizontal
    flip swaps; None: ``left_right_pairs`` then are inferred from the names.
    """

    name: str
    keypoints: tuple[str, ...]
    limbs: tuple[tuple[str, str], ...]
    sigmas: tuple[float, ...] | None = None
    flip_pairs: tuple[tuple[str, str], ...] | None = None

    def __post_init__(self) -> None:
        if len(set(self.keypoints)) != len(self.keypoints):
            raise ValueError(f"expected distinct keypoint names in {self.name}")
        unknown = {end for limb in self.limbs for end in limb} - set(self.keypoints)
        if unknown:
            raise ValueError(f"expected limbs of {self.name} between its keypoints, got {unknown}")
        if self.sigmas is not None and len(self.sigmas) != len(self.keypoints):
            raise ValueError(
                f"expected {len(self.keypoints)} sigmas for {self.name}, got {len(self.sigmas)}"
            )
        paired = [end for pair in self.flip_pairs or () for end in pair]
        if len(set(paired)) != len(paired) or not set(paired) <= set(self.keypoints):
            raise ValueError(
                f"expected flip pairs of distinct keypoints of {self.name}, got {self.flip_pairs}"
            )

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Skeleton:
        """The skeleton that ``dataclasses.asdict`` made a record of, read from JSON or a
        checkpoint."""
        sigmas, pairs = record["sigmas"], record.get("flip_pairs")
        return cls(
            name=record["name"],
            keypoints=tuple(record["keypoints"]),
            limbs=tuple((a, b) for a, b in record["limbs"]),
            sigmas=None if sigmas is None else tuple(sigmas),
            flip_pairs=None if pairs is None else tuple((a, b) for a, b in pairs),
        )

    def __len__(self) -> int:
        return len(self.keypoints)

    def index(self, keypoint: str) -> int:
        """Position of a keypoint by its name."""
        return self.keypoints.index(keypoint)

    @cached_property
    def flip_index(self) -> tuple[int, ...]:
        """The keypoint that each becomes in a flipped image: that of the other side, or itself."""
        other = {end: flip for a, b in self.left_right_pairs for end, flip in ((a, b), (b, a))}
        return tuple(self.index(other.get(name, name)) for name in self.keypoints)

    @cached_property
    def left_right_pairs(self) -> tuple[tuple[str, str], ...]:
        """``flip_pairs``, or those that the names suggest."""
        return infer_flip_pairs(self.keypoints) if self.flip_pairs is None else self.flip_pairs

    @cached_property
    def limb_index(self) -> tuple[tuple[int, int], ...]:
        """The limbs as pairs of keypoint positions."""
        return tuple((self.index(a), self.index(b)) for a, b in self.limbs)

    @cached_property
    def is_upper(self) -> tuple[bool, ...]:
        """Which keypoints lie above the waist (half-body augmentation of MSPN, Li et al. 2019)."""
        lower = ("hip", "knee", "ankle", "toe", "heel", "foot", "pelvis")
        return tuple(not any(part in name for part in lower) for name in self.keypoints)

    @cached_property
    def oks_sigmas(self) -> tuple[float, ...]:
        """``sigmas``, or 0.05 for every keypoint where none are published."""
        return self.sigmas if self.sigmas is not None else (0.05,) * len(self)


Array = TypeVar("Array")
"""NumPy's arrays in one sample, torch's tensors in a batch."""


class Frame(NamedTuple, Generic[Array]):
    """The part of an image that a network input shows; collating adds a leading B.

    to_image (2, 3) float32, input pixels → image pixels; image_id and annotation_id int64 (-1: not
    one annotated person); box (4,) image pixels; box_score the detector's confidence, 1 for ground
    truth.
    """

    to_image: Array
    image_id: Array
    annotation_id: Array
    box: Array
    box_score: Array


class Sample(NamedTuple, Generic[Array]):
    """One network input with its annotations; collating adds a leading B and keeps the type.

    image (3, H, W) uint8 RGB; keypoints (P, K, 2) float32 input pixels, which may lie outside the
    input: what is learnt there is the codec's choice; visibility (P, K) uint8 as annotated, zero
    for padding; loss_mask (H, W) or (1, 1) uint8, zero on crowds and unlabelled people, where the
    target is unknown; boxes (P, 4) float32 x y w h in input pixels, of zero size for padding, or
    None.
    """

    image: Array
    keypoints: Array
    visibility: Array
    loss_mask: Array
    frame: Frame[Array]
    boxes: Array | None = None


class Poses(NamedTuple):
    """Decoded poses: keypoints (B, P, K, 2) input pixels, their scores (B, P, K), valid (B, P)
    bool, box_scores (B, P) for methods that also detect boxes, and detected (B, P, K) bool, false
    for keypoints that were filled in after grouping (None: all were detected)."""

    keypoints: Tensor
    scores: Tensor
    valid: Tensor
    box_scores: Tensor | None = None
    detected: Tensor | None = None
