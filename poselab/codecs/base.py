"""The protocol of codecs, which define what a network's output means.

A codec is made with ``skeleton``, ``input_size`` (height, width) and ``stride`` besides its own
settings, holds no parameters, and works on the device of its arguments. Where a head needs more
than ``channels``, the codec's ``head_sizes`` are its further keyword arguments.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, TypeVar, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from poselab.structures import Poses, Skeleton

Output = TypeVar("Output")
Target = TypeVar("Target", covariant=True)


class Codec(Protocol[Output, Target]):
    """Keypoints to targets and outputs to poses, in pixels of the network input."""

    @property
    def skeleton(self) -> Skeleton:
        """The keypoints, in the order of K."""

    @property
    def channels(self) -> int:
        """The number of heatmaps or positions that the head outputs."""

    @property
    def multi_person(self) -> bool:
        """Whether an input may show several people."""

    @property
    def head_sizes(self) -> Mapping[str, Any]:
        """The head's keyword arguments besides ``channels``."""

    @property
    def resolution(self) -> float:
        """The largest error of decode(encode(x)) along one axis, in input pixels.

        It holds for targets that lie wholly inside the input; each codec states the border it
        needs.
        """

    def encode(self, keypoints: Tensor, visibility: Tensor, loss_mask: Tensor) -> Target:
        """The target of keypoints (B, P, K, 2) input pixels, visibility (B, P, K) 0/1/2.

        loss_mask (B, H, W) or (B, 1, 1) is zero where the annotations are incomplete. The
        coordinates of unlabelled keypoints are ignored and may be NaN. Labelled keypoints may lie
        outside the input: each codec states how many of them have a weight.

        Raises:
            ValueError: P is not one, for a single-person codec.
        """

    def decode(self, output: Output) -> Poses:
        """The poses of an output; single-person codecs return P = 1, always valid."""

    def unflip(self, output: Output) -> Output:
        """The output of an input, computed from the output of its horizontal flip."""

    def merge(self, first: Output, second: Output) -> Output:
        """Two outputs of the same input combined into one (flip test)."""

    def comparability(self) -> dict[str, Any]:
        """``flip_shift`` for the comparability record: the number of cells by which the flip test
        shifts heatmaps, None without heatmaps."""


class CodecDefaults:
    """Defaults of most codecs: one person per input, a head that needs only ``channels``, and no
    heatmaps for the flip test to shift."""

    multi_person: ClassVar[bool] = False
    head_sizes: Mapping[str, Any] = MappingProxyType({})

    def comparability(self) -> dict[str, Any]:
        """See :class:`Codec`."""
        return {"flip_shift": None}


@runtime_checkable
class ManyDecoders(Protocol):
    """A codec that can decode the same output in several ways."""

    @property
    def decoders(self) -> tuple[str, ...]:
        """The names of the decoders."""

    @property
    def decoder(self) -> str:
        """The name of the decoder in use."""

    def with_decoder(self, decoder: str) -> Self:
        """The same codec with another decoder."""
