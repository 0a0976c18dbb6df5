"""What heads emit where a bare tensor would not say it, and the targets that codecs make.

A heatmap head emits a bare tensor (B, C, h, w).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class Coordinates(NamedTuple):
    """Positions read straight off a network.

    xy (B, K, 2) in units of the input, centred: x = (u + 0.5)·W - 0.5, so flipping negates u.
    confidence (B, K) in [0, 1].
    """

    xy: Any
    confidence: Any


class CoordinateTarget(NamedTuple):
    """xy (B, K, 2) as in :class:`Coordinates`; weight (B, K), zero for what must not count."""

    xy: Any
    weight: Any


class HeatmapTarget(NamedTuple):
    """maps (B, C, h, w); weight broadcastable to it, zero for what must not count."""

    maps: Any
    weight: Any


class AxisLogits(NamedTuple):
    """Coordinate classification: logits x (B, K, X) and y (B, K, Y) of the bins along each axis."""

    x: Any
    y: Any


class AxisTarget(NamedTuple):
    """x (B, K, X) and y (B, K, Y) of the bins along each axis; weight (B, K), zero for what must
    not count."""

    x: Any
    y: Any
    weight: Any


class TaggedHeatmaps(NamedTuple):
    """Associative embedding (Newell et al. 2017): maps (B, K, h, w) and tags (B, T, K, h, w)."""

    maps: Any
    tags: Any


class TagTarget(NamedTuple):
    """maps and weight as in :class:`HeatmapTarget`; cell (B, P, K) the flat map index y·w + x of each
    joint; present (B, P, K) bool, false for what is not there."""

    maps: Any
    weight: Any
    cell: Any
    present: Any


class DetectedInstances(NamedTuple):
    """People that a detector of people and keypoints found, best first, padded to the most.

    keypoints (B, P, K, 2), and boxes (B, P, 4) as x1 y1 x2 y2, measured from the input's upper left
    corner, so that the first pixel's centre is 0.5; chances (B, P, K) and scores (B, P) from 0 to
    1; valid (B, P) bool.
    """

    keypoints: Any
    confidences: Any
    boxes: Any
    scores: Any
    valid: Any


class InstanceTarget(NamedTuple):
    """keypoints (B, P, K, 2) and boxes (B, P, 4) as in :class:`DetectedInstances`; labelled (B, P, K)
    bool; valid (B, P) bool, false for padding."""

    keypoints: Any
    labelled: Any
    boxes: Any
    valid: Any


class Stages(NamedTuple):
    """each: the outputs of a network's stages in order; all are supervised, the last one counts."""

    each: tuple[Any, ...]


def stages(output: Any) -> tuple[Any, ...]:
    """The outputs of every stage: one for a network without stages."""
    return output.each if isinstance(output, Stages) else (output,)


def final(output: Any) -> Any:
    """The output that is decoded: the last stage's, or the only one."""
    return stages(output)[-1]


def map_tensors(function: Callable[[Any], Any], output: Any) -> Any:
    """The same output with ``function`` applied to every tensor in it; None stays."""
    if not isinstance(output, tuple):
        return None if output is None else function(output)
    parts = [map_tensors(function, part) for part in output]
    return type(output)(*parts) if hasattr(output, "_fields") else tuple(parts)
