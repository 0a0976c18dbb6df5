"""COCO's accumulation: from matches to precision and recall, for many resampled sets at once."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.evaluation.matching.coco import AREAS, THRESHOLDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from poselab.evaluation.matching.coco import Matching
    from poselab.structures import Floats, Ints

RECALLS = np.linspace(0.0, 1.0, 101)
"""Recalls at which COCO reads precision."""

ANY, AT_50, AT_75 = slice(None), slice(0, 1), slice(5, 6)
KEYS = {
    f"A{what[0].upper()}{suffix}": (what, at, list(AREAS).index(area))
    for what in ("precision", "recall")
    for suffix, at, area in (
        ("", ANY, "all"),
        ("50", AT_50, "all"),
        ("75", AT_75, "all"),
        ("M", ANY, "medium"),
        ("L", ANY, "large"),
    )
}
"""What each metric averages, over which thresholds, in which area range."""

_CELLS = 2_000_000  # weights held at once by each thread: 8 MB


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
        self._matching = matching
        self._ranges = [_AreaRange(matching, area) for area in range(areas)]

    def values(self, weights: Ints) -> Floats:
        """The values (R, F) of R sets in which image n counts weights[r, n] times.

        Exactly COCO's accumulation over a set that repeats each image so often, copies of a pose
        standing next to each other.
        """
        return np.concatenate([_summary(part, self.keys) for part in self._chunks(weights)])

    def precision_recall(self) -> PrecisionRecall:
        """Precision and recall of the set itself: R is 1."""
        return self._accumulate(np.ones((1, len(self.image_ids)), np.int64))

    def _chunks(self, weights: Ints) -> Iterator[PrecisionRecall]:
        rows = max(1, _CELLS // max(len(self._matching.row), 1))
        chunks = [weights[start : start + rows] for start in range(0, len(weights), rows)]
        if len(chunks) == 1:
            yield self._accumulate(weights)
            return
        # NumPy works on arrays of this size without Python's lock.
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            yield from pool.map(self._accumulate, chunks)

    def _accumulate(self, weights: Ints) -> PrecisionRecall:
        """All area ranges for a few sets."""
        of_pose = weights.astype(np.float32)[:, self._matching.image]
        instances = weights @ self._matching.counts.T  # R A
        ranges = [one(of_pose, instances[:, area]) for area, one in enumerate(self._ranges)]
        precision, recall = (np.stack(arrays, axis=1) for arrays in zip(*ranges, strict=True))
        return PrecisionRecall(precision, recall)


class _AreaRange:
    """Precision and recall in one area range.

    Which poses count differs little between thresholds, so running totals are taken once over those
    of the middle threshold and corrected at true positives for the other thresholds.
    """

    def __init__(self, matching: Matching, area: int) -> None:
        ignored = [matching.ignored[area, t] for t in range(len(THRESHOLDS))]
        self.base = np.flatnonzero(~ignored[len(ignored) // 2])
        self.thresholds = []
        for out, person in zip(ignored, matching.person[area], strict=True):
            kept = np.flatnonzero(~out)
            hits = kept[person[kept] >= 0]
            more = np.setdiff1d(kept, self.base, assume_unique=True)
            fewer = np.setdiff1d(self.base, kept, assume_unique=True)
            self.thresholds.append(
                (hits, [(many, _before(many, hits)) for many in (self.base, more, fewer)])
            )

    def __call__(self, of_pose: Floats, instances: Ints) -> tuple[Floats, Floats]:
        """Precision (R, T, 101) and recall (R, T) from weights of poses (R, D) and people (R,)."""
        totals = _totals(of_pose[:, self.base])
        needed = _needed(instances)
        shape = (len(of_pose), len(self.thresholds))
        precision, recall = np.zeros((*shape, len(RECALLS))), np.zeros(shape)
        for t, (hits, ((_, at), (more, at_more), (fewer, at_fewer))) in enumerate(self.thresholds):
            if not len(hits):
                continue
            poses = totals[:, at] + _totals(of_pose[:, more])[:, at_more]
            poses -= _totals(of_pose[:, fewer])[:, at_fewer]
            found = np.cumsum(of_pose[:, hits], axis=1, dtype=np.float64)
            precision[:, t] = _at_recalls(found / (poses + np.spacing(1)), found, needed)
            recall[:, t] = found[:, -1] / np.maximum(instances, 1)
        without = instances == 0
        precision[without], recall[without] = np.nan, np.nan
        return precision, recall


def _before(many: Ints, hits: Ints) -> Ints:
    """How many of ``many`` stand at or before each hit."""
    return np.searchsorted(many, hits, side="right")


def _totals(weights: Floats) -> Floats:
    """Running sums (R, n + 1) along the poses, beginning with 0; whole numbers stay exact."""
    totals = np.zeros((len(weights), weights.shape[1] + 1), weights.dtype)
    np.cumsum(weights, axis=1, out=totals[:, 1:])
    return totals


def _needed(instances: Ints) -> Ints:
    """The fewest true positives (R, 101) whose share of ``instances`` (R,) is COCO's recall."""
    among = np.maximum(instances, 1)[:, None]
    needed = np.ceil(RECALLS * among).astype(np.int64)
    needed -= (needed - 1) / among >= RECALLS
    needed += needed / among < RECALLS
    return needed


def _at_recalls(precision: Floats, found: Floats, needed: Ints) -> Floats:
    """The best precision (R, 101) where so many are found or more, 0 where they never are.

    precision and found (R, H) at each true positive. All rows are searched as one sorted row.
    """
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    rows, length = found.shape
    apart = np.arange(rows)[:, None] * (max(int(found[:, -1].max()), int(needed.max())) + 1)
    place = np.searchsorted((found + apart).ravel(), (needed + apart).ravel()).reshape(rows, -1)
    place -= length * np.arange(rows)[:, None]
    inside = place < length
    read: Floats = np.take_along_axis(best, np.where(inside, place, 0), axis=1)
    return np.where(inside, read, 0.0)


def _summary(part: PrecisionRecall, keys: Sequence[str]) -> Floats:
    """The values (R, F)."""
    columns = []
    for what, at, area in map(KEYS.__getitem__, keys):
        values: Floats = getattr(part, what)[:, area, at]
        columns.append(np.ascontiguousarray(values.reshape(len(values), -1)).mean(axis=1))
    return np.stack(columns, axis=1)
