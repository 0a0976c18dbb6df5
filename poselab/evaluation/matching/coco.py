"""COCO's greedy matching of poses to people by OKS, for every area range and OKS threshold."""

from __future__ import annotations

import contextlib
import importlib
import io
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.annotations.columns import rows_of
from poselab.annotations.source_file import collector_paused
from poselab.evaluation.matching.coco_datasets import coco_datasets, image_slices

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.matching.coco_datasets import CocoDatasets
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Floats, Ints, Mask

ENGINES = {"hotcoco": "hotcoco", "pycocotools": "pycocotools.cocoeval"}
"""Name of each engine and the module of its COCOeval."""

AREAS = {"all": (0.0, 1e10), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
"""COCO's area ranges in pixels²."""

THRESHOLDS = np.linspace(0.5, 0.95, 10)  # as pycocotools makes them: 0.5 + 0.05·i rounds otherwise


class Matching(NamedTuple):
    """Which pose is matched to which person, poses best first as COCO ranks them over all images.

    row (D,) of the predictions, image (D,) row among ``image_ids`` (N,), scores (D,). For each of
    A area ranges (all, medium, large, unless only the first were asked for) and T thresholds:
    person (A, T, D), the person row matched, -1 for none; ignored (A, T, D), whether the pose
    counts neither for nor against. counts (A, N): how many people of each image are to be found.
    A pose that is matched to a person and not ignored is a true positive.
    """

    row: Ints
    image: Ints
    scores: Floats
    person: Ints
    ignored: Mask
    counts: Ints
    image_ids: Ints


def match(
    engine: str,
    predictions: Predictions,
    annotations: Annotations,
    images: Mask,
    sigmas: Sequence[float],
    max_detections: int,
    areas: Sequence[str] = tuple(AREAS),
) -> Matching:
    """Match the best ``max_detections`` poses of each of the masked images (N,), by an engine."""
    matchings = []
    for some in image_slices(predictions, annotations, images):
        datasets = coco_datasets(predictions, annotations, some, max_detections)
        entries = _evaluated_images(engine, datasets, sigmas, max_detections, areas)
        matchings.append(_matching(entries, datasets, predictions, annotations, areas))
    return matchings[0] if len(matchings) == 1 else _joined(matchings)


def _joined(parts: Sequence[Matching]) -> Matching:
    """Matchings of images with ascending ids as one."""
    scores = np.concatenate([part.scores for part in parts])
    order = np.argsort(-scores, kind="stable")
    sizes = [len(part.image_ids) for part in parts]
    before = np.cumsum([0, *sizes[:-1]])
    images = [part.image + start for part, start in zip(parts, before, strict=True)]
    return Matching(
        row=np.concatenate([part.row for part in parts])[order],
        image=np.concatenate(images)[order],
        scores=scores[order],
        person=np.concatenate([part.person for part in parts], axis=2)[..., order],
        ignored=np.concatenate([part.ignored for part in parts], axis=2)[..., order],
        counts=np.concatenate([part.counts for part in parts], axis=1),
        image_ids=np.concatenate([part.image_ids for part in parts]),
    )


def _evaluated_images(
    engine: str,
    datasets: CocoDatasets,
    sigmas: Sequence[float],
    max_detections: int,
    areas: Sequence[str],
) -> list[dict[str, Any]]:
    """The engine's ``evalImgs``: its decisions on each image in each area range."""
    module = importlib.import_module(ENGINES[engine])
    # pycocotools reports its progress on stdout.
    with contextlib.redirect_stdout(io.StringIO()), collector_paused():
        evaluation = module.COCOeval(
            _index(engine, datasets.ground_truth),
            _index(engine, datasets.detections),
            iouType="keypoints",
        )
        evaluation.params.kpt_oks_sigmas = np.array(sigmas)
        # 20 for keypoints, where boxes and masks have 100.
        evaluation.params.maxDets = [max_detections]
        evaluation.params.areaRng = [list(AREAS[name]) for name in areas]
        evaluation.params.areaRngLbl = list(areas)
        evaluation.evaluate()
        return [entry for entry in evaluation.evalImgs if entry is not None]


def _index(engine: str, dataset: dict[str, Any]) -> Any:
    """The engine's COCO object over a dataset that no file holds."""
    home = "hotcoco" if engine == "hotcoco" else "pycocotools.coco"
    coco = importlib.import_module(home).COCO()
    coco.dataset = dataset
    coco.createIndex()
    return coco


@collector_paused()
def _matching(
    entries: list[dict[str, Any]],
    datasets: CocoDatasets,
    predictions: Predictions,
    annotations: Annotations,
    areas: Sequence[str],
) -> Matching:
    image_ids = np.sort(annotations.image_ids[datasets.images])
    ranges = _by_area(entries, areas)
    numbers, scores = (_flat([e[key] for e in ranges[0]]) for key in ("dtIds", "dtScores"))
    # pycocotools sorts by merge sort: of equal scores the image of lower id comes first.
    order = np.argsort(-scores, kind="stable")
    row = datasets.rows[numbers.astype(np.int64)[order] - 1]
    where = _places([len(entry["dtIds"]) for entry in ranges[0]])[:, order]
    instances = np.append(-1, datasets.instances).astype(np.int32)  # a match with 0 is none
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
    """All images' tables (T, D) of decisions, row after row; :func:`_places` says where."""
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
