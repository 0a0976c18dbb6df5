"""The outputs of heads that are more than one tensor, and the targets that codecs make.

A heatmap head outputs one tensor (B, C, h, w).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

Output = TypeVar("Output")


class Coordinates(NamedTuple):
    """Positions that a network outputs.

    xy (B, K, 2) in units of the input, centred: x = (u + 0.5)·W - 0.5, so flipping negates u.
    confidence (B, K) in [0, 1].
    """

    xy: Tensor
    confidence: Tensor


class CoordinateTarget(NamedTuple):
    """xy (B, K, 2) as in :class:`Coordinates`; weight (B, K), zero for keypoints without loss."""

    xy: Tensor
    weight: Tensor


class HeatmapTarget(NamedTuple):
    """heatmaps (B, C, h, w); weight broadcastable to it, zero for cells without loss; visible
    (B, C) bool where known: labelled and not occluded."""

    heatmaps: Tensor
    weight: Tensor
    visible: Tensor | None = None


class AxisLogits(NamedTuple):
    """Coordinate classification: logits x (B, K, X) and y (B, K, Y) of the bins along each axis."""

    x: Tensor
    y: Tensor


class AxisTarget(NamedTuple):
    """x (B, K, X) and y (B, K, Y) of the bins along each axis; weight (B, K), zero for
    keypoints without loss."""

    x: Tensor
    y: Tensor
    weight: Tensor


class TaggedHeatmaps(NamedTuple):
    """heatmaps (B, K, h, w), and for each cell the tags (B, T, K, h, w) of its keypoint's person.

    Source: associative embedding, Newell et al. 2017.
    """

    heatmaps: Tensor
    tags: Tensor


class TagTarget(NamedTuple):
    """heatmaps and weight as in :class:`HeatmapTarget`; cell (B, P, K) the flat index y·w + x of
    each keypoint's cell; present (B, P, K) bool, false for keypoints without one."""

    heatmaps: Tensor
    weight: Tensor
    cell: Tensor
    present: Tensor


class DetectedInstances(NamedTuple):
    """Boxes and keypoints of the people detected in each image, best first, padded.

    keypoints (B, P, K, 2), and boxes (B, P, 4) as x1 y1 x2 y2, measured from the input's upper left
    corner, so that the first pixel's centre is 0.5; confidences (B, P, K) and scores (B, P) from 0
    to 1; valid (B, P) bool.
    """

    keypoints: Tensor
    confidences: Tensor
    boxes: Tensor
    scores: Tensor
    valid: Tensor


class InstanceTarget(NamedTuple):
    """keypoints (B, P, K, 2) and boxes (B, P, 4) as in :class:`DetectedInstances`; labelled
    (B, P, K) bool; valid (B, P) bool, false for padding."""

    keypoints: Tensor
    labelled: Tensor
    boxes: Tensor
    valid: Tensor


class Stages(NamedTuple, Generic[Output]):
    """each: the outputs of a network's stages in order; all are supervised, the last is decoded."""

    each: tuple[Output, ...]


def stages(output: Stages[Output] | Output) -> tuple[Output, ...]:
    """The outputs of every stage: one for a network without stages."""
    return output.each if isinstance(output, Stages) else (output,)


def final(output: Stages[Output] | Output) -> Output:
    """The output that is decoded: the last stage's, or the only one."""
    return stages(output)[-1]


def map_tensors(function: Callable[[Tensor], Tensor], output: Output) -> Output:
    """The same output with ``function`` applied to every tensor in it; None stays."""
    return cast("Output", _mapped(function, output))


def _mapped(function: Callable[[Any], Any], output: object) -> Any:
    if not isinstance(output, tuple):
        return None if output is None else function(output)
    parts = [_mapped(function, part) for part in output]
    return type(output)(*parts) if hasattr(output, "_fields") else tuple(parts)
