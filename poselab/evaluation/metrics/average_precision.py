"""COCO's accumulation: from matches to precision and recall, for many resampled sets at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.evaluation.matching.coco import AREAS
from poselab.evaluation.metrics.precision_recall import AreaRange
from poselab.io.background import cores

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from poselab.evaluation.matching.coco import Matching
    from poselab.structures import Floats, Ints

ANY, AT_50, AT_75 = slice(None), slice(0, 1), slice(5, 6)
ALL, MEDIUM, LARGE = (list(AREAS).index(area) for area in ("all", "medium", "large"))
KEYS = {
    "AP": ("precision", ANY, ALL),
    "AP50": ("precision", AT_50, ALL),
    "AP75": ("precision", AT_75, ALL),
    "APM": ("precision", ANY, MEDIUM),
    "APL": ("precision", ANY, LARGE),
    "AR": ("recall", ANY, ALL),
    "AR50": ("recall", AT_50, ALL),
    "AR75": ("recall", AT_75, ALL),
    "ARM": ("recall", ANY, MEDIUM),
    "ARL": ("recall", ANY, LARGE),
}
"""What each metric averages, over which thresholds, in which area range."""

_FEWEST_SETS, _CELLS = 16, 8_000_000  # sets, and their poses, that a thread takes at once


class PrecisionRecall(NamedTuple):
    """Precision (R, A, T, 101) and recall (R, A, T) of R sets; NaN without instances."""

    precision: Floats
    recall: Floats


class OksAccumulator:
    """The ten COCO metrics of one method, as a function of how often each image counts.

    Those of medium and large people only where the matching has these ranges.
    """

    def __init__(self, matching: Matching, comparability: Mapping[str, Any] | None = None) -> None:
        areas = len(matching.person)
        self.keys = tuple(key for key, (_, _, area) in KEYS.items() if area < areas)
        self.image_ids = matching.image_ids
        self.comparability = comparability or {}
        self._num_poses = len(matching.row)
        self._instances = matching.counts
        self._ranges = [AreaRange(matching, area) for area in range(areas)]

    def values(self, weights: Ints) -> Floats:
        """The values (R, F) of R sets in which image n counts weights[r, n] times.

        Exactly COCO's accumulation over a set that repeats each image so often, copies of a pose
        standing next to each other.
        """
        return np.concatenate([_summary(part, self.keys) for part in self._chunks(weights)])

    def precision_of_all(self) -> Floats:
        """Precision (T, 101) of the set itself among people of all sizes."""
        once = np.ones((1, len(self.image_ids)), np.int64)
        precision: Floats = self._precision_recall(once).precision[0, ALL]
        return precision

    def _chunks(self, weights: Ints) -> Iterator[PrecisionRecall]:
        threads = cores()
        at_once = max(
            _FEWEST_SETS, min(_CELLS // max(self._num_poses, 1), -(-len(weights) // threads))
        )
        if len(weights) <= at_once:
            yield self._precision_recall(weights)
            return
        chunks = [weights[start : start + at_once] for start in range(0, len(weights), at_once)]
        if threads == 1:  # what a thread leaves in its own heap serves no other
            yield from map(self._precision_recall, chunks)
            return
        # NumPy works on arrays of this size without Python's lock.
        with ThreadPoolExecutor(threads) as pool:
            yield from pool.map(self._precision_recall, chunks)

    def _precision_recall(self, weights: Ints) -> PrecisionRecall:
        """All area ranges for a few sets."""
        of_image = np.ascontiguousarray(weights.T, np.float32)
        instances = weights @ self._instances.T  # R A
        ranges = [one(of_image, instances[:, area]) for area, one in enumerate(self._ranges)]
        precision, recall = (np.stack(arrays, axis=1) for arrays in zip(*ranges, strict=True))
        return PrecisionRecall(precision, recall)


def _summary(part: PrecisionRecall, keys: Sequence[str]) -> Floats:
    """The values (R, F)."""
    columns = []
    for what, at, area in map(KEYS.__getitem__, keys):
        values: Floats = getattr(part, what)[:, area, at]
        # Contiguous, because the order of a sum decides its last digit.
        columns.append(np.ascontiguousarray(values.reshape(len(values), -1)).mean(axis=1))
    return np.stack(columns, axis=1)
