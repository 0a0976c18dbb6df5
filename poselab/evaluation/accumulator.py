"""Figures as a function of how often each image counts: what resampling needs of a metric."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from poselab.evaluation.metrics.joint_groups import rates

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from poselab.structures import Floats, Ints, Skeleton


def measured(tally: Accumulator) -> dict[str, float]:
    """The figures of the set itself, every image once."""
    once = np.ones((1, len(tally.image_ids)), np.int64)
    return dict(zip(tally.keys, tally.figures(once)[0].tolist(), strict=True))


class Accumulator(Protocol):
    """One method's answers on N images, summed up so that images can be counted again."""

    @property
    def keys(self) -> Sequence[str]:
        """The names of the F figures."""

    @property
    def image_ids(self) -> Ints:
        """(N,) the images in the order of the weights, ascending."""

    def figures(self, weights: Ints) -> Floats:
        """The figures (R, F) of R sets in which image n counts weights[r, n] times.

        NaN where a set has nothing to measure.
        """


@dataclass(frozen=True)
class RateAccumulator:
    """Fractions of labelled joints that are right, as PCK and PCKh count.

    labelled (N, K) and, by the name of each figure, right (N, K): how many joints of each kind a
    image has and how many of them are right; an AUC counts each joint by the share of its
    thresholds at which it is right.
    """

    image_ids: Ints
    labelled: Floats
    right: Mapping[str, Floats]
    skeleton: Skeleton

    @property
    def keys(self) -> Sequence[str]:
        """Every name with every suffix of :func:`poselab.evaluation.metrics.joint_groups.rates`."""
        return tuple(self._rates(np.zeros((1, len(self.image_ids)))))

    def figures(self, weights: Ints) -> Floats:
        """The figures (R, F) of R sets in which image n counts weights[r, n] times."""
        return np.stack(list(self._rates(weights).values()), axis=-1)

    def _rates(self, weights: Ints | Floats) -> dict[str, Floats]:
        labelled = weights @ self.labelled
        return {
            name + suffix: value
            for name, right in self.right.items()
            for suffix, value in rates(weights @ right, labelled, self.skeleton).items()
        }


@dataclass(frozen=True)
class JointAccumulator:
    """The figures of several tallies of the same images."""

    parts: Sequence[Accumulator]

    @property
    def keys(self) -> Sequence[str]:
        """All parts' names."""
        return tuple(key for part in self.parts for key in part.keys)

    @property
    def image_ids(self) -> Ints:
        """The images of every part."""
        return self.parts[0].image_ids

    def figures(self, weights: Ints) -> Floats:
        """The figures (R, F) of R sets in which image n counts weights[r, n] times."""
        return np.concatenate([part.figures(weights) for part in self.parts], axis=1)
