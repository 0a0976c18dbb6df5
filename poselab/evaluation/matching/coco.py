"""Which pose found which person, for every area range and OKS threshold of COCO's metric."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.annotations.columns import rows_of
from poselab.annotations.source import collector_paused
from poselab.evaluation.matching.engines import AREAS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.matching.engines import Problem
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Floats, Ints

    Mask = np.ndarray[Any, np.dtype[np.bool_]]

THRESHOLDS = np.linspace(0.5, 0.95, 10)


class Matching(NamedTuple):
    """What COCO's greedy matching decided, poses best first as COCO ranks them over all images.

    row (D,) of the predictions, image (D,) row among ``image_ids`` (N,), scores (D,). For each of
    A area ranges (all, medium, large, unless only the first were asked for) and T thresholds:
    person (A, T, D), the person row matched, -1 for none; ignored (A, T, D), whether the pose
    counts neither for nor against. counts (A, N): how many people of
    each image are to be found. A pose that has a person and is not ignored is a true positive.
    """

    row: Ints
    image: Ints
    scores: Floats
    person: Ints
    ignored: Mask
    counts: Ints
    image_ids: Ints


@collector_paused()
def matching_of(
    evaluation: Any,
    asked: Problem,
    predictions: Predictions,
    ground_truth: Annotations,
    areas: Sequence[str] = tuple(AREAS),
) -> Matching:
    """What an engine decided about a problem in some area ranges."""
    entries = [entry for entry in evaluation.evalImgs if entry is not None]
    image_ids = np.sort(ground_truth.image_ids[asked.chosen])
    ranges = _by_area(entries, areas)
    numbers, scores = (_flat([e[key] for e in ranges[0]]) for key in ("dtIds", "dtScores"))
    order = np.argsort(-scores, kind="stable")
    row = asked.rows[numbers.astype(np.int64)[order] - 1]
    where = _places([len(entry["dtIds"]) for entry in ranges[0]])[:, order]
    instances = np.append(-1, asked.instances).astype(np.int32)  # a match with number 0 is none
    person = [instances[_decisions(part, "dtMatches")[where]] for part in ranges]
    ignored = [_decisions(part, "dtIgnore")[where] > 0 for part in ranges]
    return Matching(
        row=row,
        image=rows_of(image_ids, predictions.image_ids[row]),
        scores=scores[order],
        person=np.stack(person),
        ignored=np.stack(ignored),
        counts=np.stack([_counts(part, image_ids) for part in ranges]),
        image_ids=image_ids,
    )


def _by_area(entries: list[dict[str, Any]], areas: Sequence[str]) -> list[list[dict[str, Any]]]:
    """Entries of each area range by image id; engines differ in which of both runs first."""
    entries = sorted(entries, key=lambda entry: int(entry["image_id"]))
    return [[e for e in entries if tuple(e["aRng"]) == AREAS[name]] for name in areas]


def _flat(parts: Iterable[Iterable[Any]]) -> Floats:
    """Everything in the parts, one after another."""
    return np.fromiter(chain.from_iterable(parts), np.float64)


def _decisions(entries: list[dict[str, Any]], key: str) -> Ints:
    """All images' tables (T, D) of decisions, row after row; :func:`_places` finds its way."""
    return _flat(row for entry in entries for row in entry[key]).astype(np.int32)


def _places(poses: list[int]) -> Ints:
    """Where the decision on each pose at each threshold (T, D) lies, of images of so many poses.

    Engines give plain lists: one flat pass over all is far faster than an array an image.
    """
    counts = np.array(poses, np.int64)
    begins = np.cumsum(counts) - counts
    width, begin = np.repeat(counts, counts), np.repeat(begins, counts)
    within = np.arange(len(width)) - begin
    rows = np.arange(len(THRESHOLDS))[:, None]
    places: Ints = len(THRESHOLDS) * begin + rows * width + within
    return places


def _counts(entries: list[dict[str, Any]], image_ids: Ints) -> Ints:
    """How many people of each image (N,) are to be found."""
    counts = np.zeros(len(image_ids), np.int64)
    images = np.searchsorted(image_ids, [entry["image_id"] for entry in entries])
    counts[images] = [len(e["gtIgnore"]) - int(sum(e["gtIgnore"])) for e in entries]
    return counts
