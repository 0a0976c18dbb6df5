"""What every codec provides: it alone knows what a network's output means.

A codec is made with ``skeleton``, ``input_size`` (height, width) and ``stride`` besides its own
settings, holds no parameters, and works on whatever device its arguments are on. Where the head
must know more than ``channels``, the codec's ``head_sizes`` are its further arguments by name.
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
        """How many heatmaps, or positions, the head must give."""

    @property
    def multi_person(self) -> bool:
        """Whether an input may show several people."""

    @property
    def head_sizes(self) -> Mapping[str, Any]:
        """What the head must know besides ``channels``, as keyword arguments."""

    @property
    def resolution(self) -> float:
        """The largest error of decode(encode(x)) along one axis, in input pixels.

        It holds for targets that lie whole inside the input: each codec says what border it needs.
        """

    def encode(self, keypoints: Tensor, visibility: Tensor, loss_mask: Tensor) -> Target:
        """The target of keypoints (B, P, K, 2) input pixels, visibility (B, P, K) 0/1/2.

        loss_mask (B, H, W) or (B, 1, 1) is zero where the annotations do not tell what is there.
        The coordinates of unlabelled keypoints never matter, not even if they are NaN.

        Raises:
            ValueError: P is not one, for a codec of single persons.
        """

    def decode(self, output: Output) -> Poses:
        """The poses of an output; codecs of single persons give P = 1, always valid."""

    def unflip(self, output: Output) -> Output:
        """The output of the input, made from the output of its horizontal flip."""

    def merge(self, first: Output, second: Output) -> Output:
        """One output from two of the same input (flip test)."""

    def comparability(self) -> dict[str, Any]:
        """``flip_shift`` for the comparability record: the whole cells by which the flip test
        shifts heatmaps, None without heatmaps."""


class CodecDefaults:
    """What holds for most codecs: one person an input, a head that needs ``channels`` alone, and no
    heatmaps that a flip test would shift."""

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
        """Their names."""

    @property
    def decoder(self) -> str:
        """The one in use."""

    def with_decoder(self, decoder: str) -> Self:
        """The same codec with another decoder."""
