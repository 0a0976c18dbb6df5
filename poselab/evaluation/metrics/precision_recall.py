"""Precision and recall in one area range, for many sets of images at once.

Arrays have a column for each set, so that one operation serves all sets. Between two true positives
that no false positive parts, precision only rises; so it is computed at the last of each such run
alone, and all sets take the runs' counts from one product with a sparse matrix of their images.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from poselab.evaluation.matching.coco import Matching
    from poselab.structures import Floats, Ints, Mask

RECALLS = np.linspace(0.0, 1.0, 101)  # linspace, not i / 100: the same doubles as pycocotools
"""Recalls at which COCO reads precision."""

_BLOCK = 32  # rows that are summed one after another


class _Threshold(NamedTuple):
    """One OKS threshold, with E runs of true positives.

    Sparse matrices (E, N) say how many poses of each image belong to each run: ``found`` of true
    positives, ``differing`` of poses that count here but not at the middle threshold, minus those
    that count only there. ``place`` (E,) are its runs' ends among those of all thresholds.
    """

    found: Any
    differing: Any
    place: Ints


class AreaRange:
    """Precision and recall in one area range, when called with how often images and people count.

    Which poses count differs little between thresholds, so running totals are taken once over those
    of the middle threshold and corrected for the other thresholds.
    """

    def __init__(self, matching: Matching, area: int) -> None:
        counted = ~matching.ignored[area]  # T D
        hits = counted & (matching.person[area] >= 0)
        usual = counted[len(counted) // 2]
        ends = [_run_ends(*one) for one in zip(counted, hits, strict=True)]
        all_ends = np.flatnonzero(np.bincount(np.concatenate(ends)))
        self._poses = _by_run(usual, all_ends, matching)
        self._thresholds = [
            _Threshold(
                _by_run(hit, end, matching),
                _by_run(count != usual, end, matching, added=count),
                np.searchsorted(all_ends, end),
            )
            for count, hit, end in zip(counted, hits, ends, strict=True)
        ]

    def __call__(self, weights: Floats, instances: Ints) -> tuple[Floats, Floats]:
        """Precision (R, T, 101) and recall (R, T) from how often images (N, R) and people (R,)
        count, NaN without people.

        Weights are float32, which holds whole numbers below 2²⁴ exactly.
        """
        totals = _running_totals(self._poses @ weights)
        needed = _needed(instances).T
        shape = (len(instances), len(self._thresholds))
        precision, recall = np.zeros((*shape, len(RECALLS))), np.zeros(shape)
        for t, runs in enumerate(self._thresholds):
            if not len(runs.place):
                continue
            found = _running_totals(runs.found @ weights)
            poses = totals[runs.place]
            if runs.differing.nnz:
                poses += _running_totals(runs.differing @ weights)
            # pycocotools' epsilon, which is in every published AP.
            precise = np.add(poses, np.spacing(1), dtype=np.float64)
            np.divide(found, precise, out=precise)
            precision[:, t] = _at_recalls(precise, found, needed).T
            recall[:, t] = found[-1] / np.maximum(instances, 1)
        without = instances == 0
        precision[without], recall[without] = np.nan, np.nan
        return precision, recall


def _run_ends(counted: Mask, hits: Mask) -> Ints:
    """Places (E,) of the true positives that a false positive or nothing follows, the last one
    repeated until E is a multiple of the block."""
    places = np.flatnonzero(hits)
    if not len(places):
        return places
    false_before = np.cumsum(counted & ~hits)[places]
    ends = places[np.append(false_before[1:] != false_before[:-1], True)]
    return np.append(ends, np.repeat(ends[-1:], -len(ends) % _BLOCK))


def _by_run(chosen: Mask, ends: Ints, matching: Matching, added: Mask | None = None) -> Any:
    """A sparse matrix (E, N): of the chosen poses (D,) after each end up to the next, how many each
    image has; those that are not ``added`` (D,) count -1."""
    from scipy.sparse import csr_array

    places = np.flatnonzero(chosen)
    until = np.searchsorted(places, ends, side="right")
    places = places[: until[-1] if len(until) else 0]
    content = (
        np.where(True if added is None else added[places], np.ones(len(places), np.float32), -1),
        matching.image[places].astype(np.int32),
        np.append(0, until).astype(np.int32),
    )
    return csr_array(content, shape=(len(ends), len(matching.image_ids)))


def _running_totals(rows: Floats) -> Floats:
    """Running totals (E, R) down the rows, in place.

    NumPy would go down column by column, which is slow where rows are short. E need not be a
    multiple of the block.
    """
    whole = len(rows) - len(rows) % _BLOCK
    blocks = rows[:whole].reshape(-1, _BLOCK, rows.shape[1])
    for n in range(1, _BLOCK):
        blocks[:, n] += blocks[:, n - 1]
    blocks[1:] += np.cumsum(blocks[:-1, -1], axis=0)[:, None]
    if whole < len(rows):
        np.cumsum(rows[max(whole - 1, 0) :], axis=0, out=rows[max(whole - 1, 0) :])
    return rows


def _needed(instances: Ints) -> Ints:
    """The fewest true positives (R, 101) whose share of ``instances`` (R,) is COCO's recall."""
    # Recall is compared as a float there, so rounding up may be one off on either side.
    among = np.maximum(instances, 1)[:, None]
    needed = np.ceil(RECALLS * among).astype(np.int64)
    needed -= (needed - 1) / among >= RECALLS
    needed += needed / among < RECALLS
    return needed


def _at_recalls(precision: Floats, found: Floats, needed: Ints) -> Floats:
    """The best precision (101, R) where so many are found or more, 0 where they never are.

    precision and found (E, R) at the end of each run; precision is overwritten.
    """
    # COCO makes precision fall with recall before it reads it, as PASCAL VOC 2010 does.
    blocks = precision.reshape(-1, _BLOCK, precision.shape[1])
    for n in range(_BLOCK - 2, -1, -1):
        np.maximum(blocks[:, n], blocks[:, n + 1], out=blocks[:, n])
    best_after = np.zeros((len(blocks) + 1, precision.shape[1]))
    np.maximum.accumulate(blocks[::-1, 0], axis=0, out=best_after[-2::-1])
    row, reached = _first_rows(found, needed)
    column = np.arange(found.shape[1])
    best = np.maximum(precision[row, column], best_after[row // _BLOCK + 1, column])
    return np.where(reached, best, 0.0)


def _first_rows(rising: Floats, least: Ints) -> tuple[Ints, Mask]:
    """The first row (Q, R) of each column of ``rising`` (E, R) that is ``least`` (Q, R) or more,
    and whether there is one; all are searched together by halving."""
    size = rising.shape[1]
    values, least = rising.ravel(), least.astype(rising.dtype)
    place = np.broadcast_to(np.arange(size), least.shape).copy()
    left = len(rising)
    while left > 1:
        half = left // 2
        place += (half * size) * (values[place + (half - 1) * size] < least)
        left -= half
    return place // size, values[place] >= least
