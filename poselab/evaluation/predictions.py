"""Predictions: what every run ends in, and all that an evaluator needs beside annotations."""

from __future__ import annotations

import io
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from poselab.annotations.source_file import SourceFile, collector_paused
from poselab.evaluation.formats import coco_results
from poselab.evaluation.formats.json_records import LARGE
from poselab.io import files

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import Any, BinaryIO

    from poselab.annotations.table import Annotations
    from poselab.structures import Floats, Ints, Mask

ROWS_AT_ONCE = 1024  # Python objects of so few poses at a time, never of a whole file
POSES_AT_ONCE = 1 << 16  # whose coordinates are copied at once: 18 MB of 17 keypoints
GZIP = b"\x1f\x8b"

ABSENT = -1e6
"""Where a joint is put that a file has no prediction of: wrong by any measure."""


@dataclass(frozen=True)
class Predictions:
    """N poses of K keypoints, each of one person.

    image_ids (N,) int64; annotation_ids (N,) int64, the labelled person whose box the pose was
    predicted in (-1: none); keypoints (N, K, 2) float64 0-based image pixels; keypoint_scores
    (N, K) float64; scores (N,) float64. ``boxes`` (N, 4) float64 x y w h only where a results file
    brought them: COCO then measures a pose's size by its box instead of its keypoints' extent.
    """

    image_ids: Ints
    annotation_ids: Ints
    keypoints: Floats
    keypoint_scores: Floats
    scores: Floats
    boxes: Floats | None = None

    def __len__(self) -> int:
        return len(self.image_ids)

    def take(self, rows: Ints | Mask | slice) -> Predictions:
        """The poses of these rows (indices, a mask of length N, or a slice)."""
        return Predictions(
            self.image_ids[rows],
            self.annotation_ids[rows],
            self.keypoints[rows],
            self.keypoint_scores[rows],
            self.scores[rows],
            None if self.boxes is None else self.boxes[rows],
        )

    def areas(self) -> Floats:
        """Size (N,) in pixels² as COCO measures it: the box's, else the keypoints' extent."""
        if self.boxes is not None:
            return self.boxes[:, 2] * self.boxes[:, 3]
        return extents(self.keypoints)


def extents(keypoints: Floats) -> Floats:
    """Areas (N,) of the upright rectangles around poses (N, K, 2)."""
    if keypoints.size == 0:
        return np.zeros(len(keypoints))
    areas = np.empty(len(keypoints))
    for start in range(0, len(keypoints), POSES_AT_ONCE):
        part = keypoints[start : start + POSES_AT_ONCE]
        # Far faster than a reduction over few columns of many rows.
        columns = np.ascontiguousarray(part.reshape(len(part), -1).T)
        x, y = columns[0::2], columns[1::2]
        width, height = x.max(axis=0) - x.min(axis=0), y.max(axis=0) - y.min(axis=0)
        areas[start : start + POSES_AT_ONCE] = width * height
    return areas


def read_predictions(
    path: Path, categories: Sequence[int] | None = (coco_results.PERSON,)
) -> Predictions:
    """A file in the COCO results format, with ``annotation_id`` where a pose names its person.

    It may be compressed by gzip. ``categories`` are the ids that the annotations give people
    (``Annotations.categories``), None for any.

    Raises:
        InputError: no such file, not JSON, or records that are not predictions of people.
    """
    with collector_paused():
        return Predictions(*coco_results.parse(_opener(path), str(path), categories))


def _opener(path: Path) -> Callable[[], BinaryIO]:
    """What opens the text again and again: a large file itself, or what was read and unpacked."""
    with suppress(OSError):  # read_bytes raises a better error
        if path.is_file() and path.stat().st_size >= LARGE:
            with path.open("rb") as file:
                if file.read(len(GZIP)) != GZIP:
                    return lambda: path.open("rb", buffering=0)
    text = SourceFile(path, files.read_bytes(path, "predictions")).text
    return lambda: io.BytesIO(text)


def rounded(predictions: Predictions) -> Predictions:
    """The predictions as they read back from a file: coordinates to a thousandth of a pixel,
    keypoint scores to four digits."""
    return replace(
        predictions,
        keypoints=np.round(predictions.keypoints, 3).astype(np.float64),
        keypoint_scores=np.round(predictions.keypoint_scores, 4).astype(np.float64),
    )


def write_predictions(
    path: Path, predictions: Predictions, annotations: Annotations | None = None
) -> None:
    """Write the COCO results format, :func:`rounded`, whole or not at all.

    Poses have the category id of their person in ``annotations``, else its first, else 1.

    Raises:
        InputError: the folder cannot be written, or the disk is full.
    """
    import orjson

    predictions = rounded(predictions)
    ids = predictions.annotation_ids
    categories = np.full(len(ids), coco_results.PERSON)
    if annotations is not None:
        categories = annotations.categories_of(ids)
    points = np.concatenate(
        [predictions.keypoints, predictions.keypoint_scores[..., None]], axis=-1
    ).reshape(len(predictions), 3 * predictions.keypoints.shape[1])
    parts = []
    for start in range(0, len(predictions), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        records = _records(predictions.take(rows), points[rows], categories[rows])
        part = orjson.dumps(records, option=orjson.OPT_SERIALIZE_NUMPY)
        parts.append(part[1:-1])
    files.write_bytes(path, b"[" + b",\n".join(parts) + b"]\n")


def _records(predictions: Predictions, points: Floats, categories: Ints) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = [
        {"image_id": image, "category_id": category, "keypoints": keypoints, "score": score}
        for image, category, keypoints, score in zip(
            predictions.image_ids.tolist(),
            categories.tolist(),
            points,
            predictions.scores.tolist(),
            strict=True,
        )
    ]
    for record, annotation_id in zip(records, predictions.annotation_ids.tolist(), strict=True):
        if annotation_id >= 0:
            record["annotation_id"] = annotation_id
    if predictions.boxes is not None:
        for record, box in zip(records, predictions.boxes.tolist(), strict=True):
            record["bbox"] = box
    return records


def merge(shards: Sequence[Predictions]) -> Predictions:
    """All shards' poses without the padding of a distributed sampler, in the shards' order.

    Of rows with the same annotation id in an image the first stays. Poses without an
    annotation id are padding where another shard has exactly the same pose of the same image;
    within one shard equal poses stay: they are the method's own duplicates.
    """
    filled = [shard for shard in shards if len(shard)]
    if not filled:
        return shards[0]
    if len(filled) == 1 and (filled[0].annotation_ids < 0).all():
        return filled[0]
    everything = _concatenate(filled)
    shard_of = np.repeat(np.arange(len(filled)), [len(shard) for shard in filled])
    named = everything.annotation_ids >= 0
    keep = np.ones(len(everything), dtype=bool)
    keep[named] = _first_of_each(
        np.stack([everything.image_ids[named], everything.annotation_ids[named]], axis=1)
    )
    keep[~named] = _from_first_shard(everything.take(~named), shard_of[~named])
    return everything.take(keep)


def _concatenate(shards: Sequence[Predictions]) -> Predictions:
    boxes = [shard.boxes for shard in shards if shard.boxes is not None]
    if boxes and len(boxes) != len(shards):
        raise ValueError("expected boxes in all shards or in none, got them in some")
    return Predictions(
        np.concatenate([shard.image_ids for shard in shards]),
        np.concatenate([shard.annotation_ids for shard in shards]),
        np.concatenate([shard.keypoints for shard in shards]),
        np.concatenate([shard.keypoint_scores for shard in shards]),
        np.concatenate([shard.scores for shard in shards]),
        np.concatenate(boxes) if boxes else None,
    )


def _first_of_each(keys: Ints) -> Mask:
    """Mask of the rows whose key (N, D) was not there before."""
    first = np.zeros(len(keys), dtype=bool)
    if len(keys):
        first[np.unique(keys, axis=0, return_index=True)[1]] = True
    return first


def _from_first_shard(poses: Predictions, shard_of: Ints) -> Mask:
    """Mask of the poses that no earlier shard has."""
    if not len(poses):
        return np.zeros(0, dtype=bool)
    content = np.concatenate(
        [
            poses.image_ids[:, None],
            poses.scores[:, None],
            poses.keypoints.reshape(len(poses), -1),
        ],
        axis=1,
        dtype=np.float64,
    )
    rows = np.ascontiguousarray(content).view(np.dtype((np.void, content.shape[1] * 8))).ravel()
    _, same = np.unique(rows, return_inverse=True)
    earliest = np.full(same.max() + 1, shard_of.max() + 1)
    np.minimum.at(earliest, same, shard_of)
    return np.asarray(shard_of == earliest[same])
