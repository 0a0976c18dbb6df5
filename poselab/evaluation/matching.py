"""Which pose found which person, for every area range and OKS threshold of COCO's metric."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.annotations.columns import rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.engines import Problem
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Floats, Ints

    Mask = np.ndarray[Any, np.dtype[np.bool_]]

AREAS = {"all": (0, 1e10), "medium": (32**2, 96**2), "large": (96**2, 1e10)}
"""COCO's area ranges in pixels²."""

THRESHOLDS = np.linspace(0.5, 0.95, 10)


class Matching(NamedTuple):
    """What COCO's greedy matching decided, poses best first as COCO ranks them over all pictures.

    row (D,) of the predictions, picture (D,) row among ``image_ids`` (N,), scores (D,). For each of
    A area ranges and T thresholds: person (A, T, D), the person row matched, -1 for none; ignored
    (A, T, D), whether the pose counts neither for nor against. counts (A, N): how many people of
    each picture are to be found. A pose that has a person and is not ignored is a true positive.
    """

    row: Ints
    picture: Ints
    scores: Floats
    person: Ints
    ignored: Mask
    counts: Ints
    image_ids: Ints


def matching_of(
    evaluation: Any, asked: Problem, predictions: Predictions, truth: Annotations
) -> Matching:
    """What an engine decided about a problem."""
    entries = [entry for entry in evaluation.evalImgs if entry is not None]
    image_ids = np.sort(truth.image_ids[asked.chosen])
    ranges = _by_area(entries)
    first = ranges[0]
    numbers = _joined([entry["dtIds"] for entry in first])
    scores = _joined([entry["dtScores"] for entry in first], float)
    order = np.argsort(-scores, kind="stable")
    row = asked.rows[numbers - 1]
    people = np.append(-1, asked.people)  # a match with number 0 is none
    person = [_joined([_table(e, "dtMatches") for e in part]) for part in ranges]
    ignored = [_joined([_table(e, "dtIgnore") for e in part], bool) for part in ranges]
    return Matching(
        row=row[order],
        picture=rows_of(image_ids, predictions.image_ids[row[order]]),
        scores=scores[order],
        person=people[np.stack(person)[..., order]],
        ignored=np.stack(ignored)[..., order],
        counts=np.stack([_counts(part, image_ids) for part in ranges]),
        image_ids=image_ids,
    )


def _by_area(entries: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Entries of each area range by picture id; engines differ in which of both runs first."""
    entries = sorted(entries, key=lambda entry: int(entry["image_id"]))
    return [[e for e in entries if tuple(e["aRng"]) == limits] for limits in AREAS.values()]


def _joined(parts: Sequence[Any], dtype: Any = np.int64) -> Any:
    """Parts put one after another along their last axis."""
    if not parts:
        return np.empty(0, dtype)
    return np.concatenate([np.asarray(part) for part in parts], axis=-1).astype(dtype)


def _table(entry: dict[str, Any], key: str) -> Any:
    """A picture's decisions (T, D), which engines give without shape where there are no poses."""
    return np.reshape(entry[key], (len(THRESHOLDS), len(entry["dtIds"])))


def _counts(entries: list[dict[str, Any]], image_ids: Ints) -> Ints:
    """How many people of each picture (N,) are to be found."""
    counts = np.zeros(len(image_ids), np.int64)
    pictures = np.searchsorted(image_ids, [entry["image_id"] for entry in entries])
    counts[pictures] = [int(np.sum(~np.asarray(e["gtIgnore"], bool))) for e in entries]
    return counts
