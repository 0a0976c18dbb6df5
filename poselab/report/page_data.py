"""What the report's image browser draws: instances and poses as packed arrays.

Integers and floats are little-endian bytes in base64. Coordinates are in 8192ths of the longer side
of their image: precise to about a tenth of a pixel, at a third of the size of decimal digits.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.annotations.columns import rows_of
from poselab.evaluation.diagnosis import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.diagnosis import Diagnosis
    from poselab.report.analysis import Analysis, InstanceGroups
    from poselab.structures import Floats, Ints

UNITS, ABSENT = 8192, -32768
MAX_IMAGES = 5000
MAX_BYTES = 8_000_000
"""Of what the page holds of images, so that a browser still draws it: all instances and poses, and
the embedded images."""
MAX_UNMATCHED = 3
"""Unmatched poses that are drawn, per image and method."""
_NAME_AND_SIZE = 80  # bytes of an image's id, file name and size as text
GROUPING_BIT = 8
"""Added to an error's code where the keypoint lies in another pose."""


class _Selection(NamedTuple):
    """What the page holds: image rows (n,), their instances' rows (m,), the bounds of each image's
    instances (n + 1,) and the images' frames: left, top, width and height (n, 4)."""

    images: Ints
    instances: Ints
    first: Ints
    frames: Floats

    @property
    def image_of_instance(self) -> Ints:
        """The position (m,) among ``images`` of every instance."""
        return np.repeat(np.arange(len(self.images)), np.diff(self.first))


def page_data(
    annotations: Annotations,
    analyses: Sequence[Analysis],
    groups: Mapping[str, InstanceGroups],
    statuses: Sequence[str],
    images: Mapping[int, str],
) -> dict[str, Any]:
    """Everything that the browser's script reads, ready for JSON.

    ``statuses`` are the names of the keypoint statuses' codes, ``images`` data URIs by image row.
    """
    embedded = sum(map(len, images.values()))
    selection = _select(annotations, analyses, max(MAX_BYTES - embedded, MAX_BYTES // 4))
    skeleton = annotations.skeleton
    positions = {int(row): n for n, row in enumerate(selection.images)}
    return {
        "joints": skeleton.keypoints,
        "limbs": skeleton.limb_index,
        "statuses": statuses,
        "units": UNITS,
        "absent": ABSENT,
        "groups": {name: list(group.labels) for name, group in groups.items()},
        "images": _images(annotations, selection),
        "instances": _instances(annotations, selection, groups),
        "methods": [_method(annotations, selection, analysis) for analysis in analyses],
        "pixels": {positions[row]: uri for row, uri in images.items() if row in positions},
    }


def by_disagreement(annotations: Annotations, analyses: Sequence[Analysis]) -> Ints:
    """Image rows (N,) in order of the greatest difference between methods in an instance's OKS.

    Of equals, those first that differ in more instances; of one method, its worst instances first.
    """
    oks = np.stack([analysis.diagnosis.oks for analysis in analyses])
    high = oks.max(axis=0) if len(analyses) > 1 else 1.0
    spread = np.nan_to_num(high - oks.min(axis=0))
    widest = np.zeros(len(annotations))
    np.maximum.at(widest, annotations.image_of(), spread)
    total = np.bincount(annotations.image_of(), weights=spread, minlength=len(annotations))
    return np.lexsort((-total, -np.round(widest, 2)))


def _select(annotations: Annotations, analyses: Sequence[Analysis], max_bytes: int) -> _Selection:
    images = np.arange(len(annotations))
    needed = _bytes_of_images(annotations, analyses)
    if len(images) > MAX_IMAGES or needed.sum() > max_bytes:
        order = by_disagreement(annotations, analyses)[:MAX_IMAGES]
        fitting = np.searchsorted(np.cumsum(needed[order]), max_bytes, side="right")
        images = np.sort(order[: max(1, int(fitting))])
    rows = [np.array(annotations.rows(row), np.int64) for row in images.tolist()]
    instances = np.concatenate(rows)
    counts = np.diff(annotations.first_person)[images]
    first = np.concatenate([[0], np.cumsum(counts)])
    sizes = annotations.sizes[images].astype(float)
    corners = np.full((len(images), 2), -0.5)
    frames = np.concatenate([corners, sizes[:, ::-1]], axis=1)
    for n in np.flatnonzero(sizes.min(axis=1) <= 0):  # the annotations lack their size
        frames[n] = _frame_of_keypoints(annotations, instances[first[n] : first[n + 1]])
    return _Selection(images, instances, first, frames)


def _bytes_of_images(annotations: Annotations, analyses: Sequence[Analysis]) -> Ints:
    """About how many bytes (N,) of the page each image takes, with its instances and poses."""
    joints, instances = len(annotations.skeleton), np.diff(annotations.first_person)
    image_of = annotations.image_of()
    pose, status = 4 * joints + 4, joints + 9  # 16-bit coordinates, a score; codes, OKS and row
    needed = instances * (5 * joints + 10 + len(analyses) * status)
    for analysis in analyses:
        diagnosis = analysis.diagnosis
        matched = np.bincount(image_of[diagnosis.pose_of >= 0], minlength=len(annotations))
        ids = analysis.predictions.image_ids[diagnosis.background]
        rows = rows_of(annotations.image_ids, ids)
        unmatched = np.bincount(rows[rows >= 0], minlength=len(annotations))
        needed += pose * (matched + np.minimum(unmatched, MAX_UNMATCHED))
    as_base64 = needed * 4 // 3
    return np.asarray(_NAME_AND_SIZE + 8 * len(analyses) + as_base64)


def _frame_of_keypoints(annotations: Annotations, instances: Ints) -> Floats:
    """A frame around labelled keypoints, with a margin."""
    points = annotations.keypoints[instances][annotations.visibility[instances] > 0]
    if not len(points):
        return np.array([0.0, 0.0, 1.0, 1.0])
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 1 + 0.15 * (high - low).max()
    return np.concatenate([low - margin, high - low + 2 * margin])


def _in_units(points: Floats, frames: Floats) -> str:
    """Points (..., 2), the first axis that of ``frames``, as packed 16-bit units; NaN is ABSENT."""
    shape = (len(frames),) + (1,) * (points.ndim - 2)
    longer = frames[:, 2:].max(axis=1).reshape(*shape, 1)
    scaled = (points - frames[:, :2].reshape(*shape, 2)) * (UNITS / longer)
    whole = np.nan_to_num(scaled, nan=ABSENT).round().clip(ABSENT, 32767)
    return pack(whole.astype("<i2"))


def _without_absent(poses: Floats) -> Floats:
    """Poses (N, K, 2) with NaN for keypoints that a results file leaves out, as 0, 0."""
    absent = (poses == 0).all(axis=-1, keepdims=True)
    return np.where(absent, np.nan, poses)


def pack(array: Any) -> str:
    """An array's bytes in base64."""
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def _images(annotations: Annotations, selection: _Selection) -> dict[str, Any]:
    return {
        "id": annotations.image_ids[selection.images].tolist(),
        "file": [annotations.file_name(row) for row in selection.images],
        "width": np.ceil(selection.frames[:, 2]).astype(int).tolist(),
        "height": np.ceil(selection.frames[:, 3]).astype(int).tolist(),
        "first": selection.first.tolist(),
    }


def _instances(
    annotations: Annotations, selection: _Selection, groups: Mapping[str, InstanceGroups]
) -> dict[str, Any]:
    rows, frames = selection.instances, selection.frames[selection.image_of_instance]
    boxes = annotations.boxes[rows]
    corners = np.stack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    return {
        "points": _in_units(annotations.keypoints[rows], frames),
        "visibility": pack(annotations.visibility[rows].astype(np.uint8)),
        "boxes": _in_units(corners, frames),
        "groups": {name: pack(g.of_instance[rows].astype("i1")) for name, g in groups.items()},
    }


def _method(annotations: Annotations, selection: _Selection, analysis: Analysis) -> dict[str, Any]:
    """One method's poses: the matched ones in the order of instances, then unmatched ones."""
    diagnosis, predictions = analysis.diagnosis, analysis.predictions
    pose = diagnosis.pose_of[selection.instances]
    matched = np.flatnonzero(pose >= 0)
    unmatched, bounds = _unmatched(annotations, selection, analysis)
    rows = np.concatenate([pose[matched], unmatched])
    image_of_unmatched = np.repeat(np.arange(len(selection.images)), np.diff(bounds))
    image = np.concatenate([selection.image_of_instance[matched], image_of_unmatched])
    pose_of = np.full(len(selection.instances), -1, "<i4")
    pose_of[matched] = np.arange(len(matched))
    points = _without_absent(predictions.keypoints[rows])
    return {
        "name": analysis.name,
        "pose_of": pack(pose_of),
        "unmatched": (len(matched) + bounds).tolist(),
        "points": _in_units(points, selection.frames[image]),
        "scores": pack(predictions.scores[rows].astype("<f4")),
        "oks": pack(diagnosis.oks[selection.instances].astype("<f4")),
        "score_errors": pack(diagnosis.score_errors[selection.instances].astype(np.uint8)),
        "statuses": pack(_codes(diagnosis)[selection.instances]),
    }


def _codes(diagnosis: Diagnosis) -> Ints:
    """Codes (M, K) uint8 of statuses, 0 where it is good or unknown, with GROUPING_BIT."""
    codes = np.where(diagnosis.status == UNKNOWN, 0, diagnosis.status)
    return np.asarray(codes + GROUPING_BIT * diagnosis.grouping_errors, np.uint8)


def _unmatched(
    annotations: Annotations, selection: _Selection, analysis: Analysis
) -> tuple[Ints, Ints]:
    """The unmatched poses worth drawing, by image, and the bounds (n + 1,) of each image's.

    They are the best few of those that score above the lowest tenth of the matched poses.
    """
    diagnosis, scores = analysis.diagnosis, analysis.predictions.scores
    rows, matched_scores = diagnosis.background, scores[diagnosis.pose_of[diagnosis.pose_of >= 0]]
    if len(matched_scores):
        rows = rows[scores[rows] > np.quantile(matched_scores, 0.1)]
    position = np.full(len(annotations), -1)
    position[selection.images] = np.arange(len(selection.images))
    image_row = rows_of(annotations.image_ids, analysis.predictions.image_ids[rows])
    image = np.where(image_row >= 0, position[image_row], -1)
    rows, image = rows[image >= 0], image[image >= 0]
    order = np.lexsort((-scores[rows], image))
    rows, image = rows[order], image[order]
    rank = np.arange(len(rows)) - np.searchsorted(image, image, side="left")
    rows, image = rows[rank < MAX_UNMATCHED], image[rank < MAX_UNMATCHED]
    bounds = np.searchsorted(image, np.arange(len(selection.images) + 1))
    return rows, bounds
