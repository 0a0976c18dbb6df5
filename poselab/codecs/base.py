"""What a codec owes: it alone knows what an output means.

A codec is made with ``skeleton``, ``input_size`` (height, width) and ``stride`` besides its own
settings, holds no parameters, and works on whatever device its arguments are on. Where the head
must know more than ``channels``, the codec's ``head_sizes`` are its further arguments by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self, TypeVar, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor

    from poselab.structures import Poses, Skeleton

Output = TypeVar("Output")
Target = TypeVar("Target", covariant=True)


class Codec(Protocol[Output, Target]):
    """Keypoints to targets and outputs to poses, in pixels of the network input."""

    @property
    def skeleton(self) -> Skeleton:
        """Whose keypoints these are."""

    @property
    def channels(self) -> int:
        """How many maps, or positions, the head must give."""

    @property
    def resolution(self) -> float:
        """By how many input pixels decode(encode(x)) may be off along one axis, at the worst.

        It holds wherever the target is whole: codecs say which border they need.
        """

    def encode(self, keypoints: Tensor, visibility: Tensor, loss_mask: Tensor) -> Target:
        """The target of keypoints (B, P, K, 2) input pixels, visibility (B, P, K) 0/1/2.

        usable (B, H, W) or (B, 1, 1) is zero where nobody can know the target. What stands in the
        coordinates of unlabelled keypoints never matters, not even NaN.

        Raises:
            ValueError: P is not one, for a codec of single people.
        """

    def decode(self, output: Output) -> Poses:
        """The poses of an output; codecs of single people give P = 1, always valid."""

    def unflip(self, output: Output) -> Output:
        """The output of the input, made from the output of its horizontal flip."""

    def merge(self, first: Output, second: Output) -> Output:
        """One output out of two of the same input (flip test)."""


@runtime_checkable
class ManyDecoders(Protocol):
    """A codec that reads one and the same output in several ways."""

    @property
    def decoders(self) -> tuple[str, ...]:
        """Their names."""

    @property
    def decoder(self) -> str:
        """The one in use."""

    def with_decoder(self, decoder: str) -> Self:
        """The same codec with another one."""
