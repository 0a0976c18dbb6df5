"""Metric values as a function of how often each image counts: what resampling needs of a metric."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from poselab.evaluation.record import Metrics
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from poselab.structures import Floats, Ints


class Accumulator(Protocol):
    """Predictions matched to the ground truth of N images, so that images can be counted again."""

    @property
    def keys(self) -> Sequence[str]:
        """The names of the F metrics."""

    @property
    def image_ids(self) -> Ints:
        """(N,) the images in the order of the weights, ascending."""

    @property
    def comparability(self) -> Mapping[str, Any]:
        """What the values depend on."""

    def values(self, weights: Ints) -> Floats:
        """The values (R, F) of R sets in which image n counts weights[r, n] times.

        NaN where a set has nothing to measure.
        """


def point_values(accumulator: Accumulator) -> dict[str, float]:
    """The values of the set itself, every image once."""
    once = np.ones((1, len(accumulator.image_ids)), np.int64)
    return dict(zip(accumulator.keys, accumulator.values(once)[0].tolist(), strict=True))


def metrics_of(accumulator: Accumulator) -> Metrics:
    """The values of the set itself with what they depend on."""
    return Metrics(point_values(accumulator), dict(accumulator.comparability))


@dataclass(frozen=True)
class JointAccumulator:
    """The values of several accumulators of the same images, side by side.

    The comparability record is the first one's; that of every other lies in it under the name of
    its metric, so that ``comparability["pckh"]`` says what the PCKh values depend on.

    Raises:
        InputError: two of them give the same metric.
    """

    parts: Sequence[Accumulator]

    def __post_init__(self) -> None:
        for names in (self.keys, [part.comparability["metric"] for part in self.parts]):
            name, count = Counter(names).most_common(1)[0]
            if count > 1:
                raise InputError(
                    f"expected evaluators of different metrics, got {name} {count} times; leave "
                    "one out"
                )

    @property
    def keys(self) -> Sequence[str]:
        """All parts' names."""
        return tuple(key for part in self.parts for key in part.keys)

    @property
    def image_ids(self) -> Ints:
        """The images of every part."""
        return self.parts[0].image_ids

    @property
    def comparability(self) -> Mapping[str, Any]:
        """The first part's record, with the others' under the names of their metrics."""
        first, *others = (part.comparability for part in self.parts)
        return {**first, **{str(other["metric"]): dict(other) for other in others}}

    def values(self, weights: Ints) -> Floats:
        """The values (R, F) of R sets in which image n counts weights[r, n] times."""
        return np.concatenate([part.values(weights) for part in self.parts], axis=1)
