"""What the page's image browser draws: people and poses as packed arrays, small enough to embed.

Integers and floats are little-endian bytes in base64. Coordinates are in 8192ths of the longer side
of their image's frame: to about a tenth of a pixel, and a third of the size of decimal digits.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.annotations.columns import rows_of
from poselab.evaluation.diagnosis.keypoint_errors import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.diagnosis.diagnosis import Diagnosis
    from poselab.report.analysis import Analysis, Bins
    from poselab.structures import Floats, Ints

UNITS, ABSENT = 8192, -32768
MOST_IMAGES = 5000
MOST_UNMATCHED = 3
"""Poses of nobody that are drawn, an image and method."""


class _Shown(NamedTuple):
    """Images rows (n,) that the page holds, their people rows (m,), the bounds of each image's
    people (n + 1,) and the frames' left, top, width and height (n, 4)."""

    images: Ints
    instances: Ints
    first: Ints
    frames: Floats

    @property
    def of_person(self) -> Ints:
        """The place (m,) among ``images`` of every person."""
        return np.repeat(np.arange(len(self.images)), np.diff(self.first))


def page_data(
    annotations: Annotations,
    analyses: Sequence[Analysis],
    groups: Mapping[str, Bins],
    kinds: Sequence[str],
    images: Mapping[int, str],
) -> dict[str, Any]:
    """Everything that the browser's script reads, ready for JSON.

    ``kinds`` are the names of the error codes, ``images`` data URIs by image row.
    """
    shown = _shown(annotations, analyses)
    skeleton = annotations.skeleton
    places = {int(row): n for n, row in enumerate(shown.images)}
    return {
        "joints": skeleton.keypoints,
        "limbs": skeleton.limb_index,
        "kinds": kinds,
        "units": UNITS,
        "absent": ABSENT,
        "groups": {name: list(bins.labels) for name, bins in groups.items()},
        "images": _images(annotations, shown),
        "instances": _people(annotations, shown, groups),
        "methods": [_method(annotations, shown, analysis) for analysis in analyses],
        "pixels": {places[row]: uri for row, uri in images.items() if row in places},
    }


def by_disagreement(annotations: Annotations, analyses: Sequence[Analysis]) -> Ints:
    """Image rows (N,), those first in which methods differ most about a person's OKS.

    Of equals those first that differ about more people; of one method, its worst people first.
    """
    similar = np.stack([analysis.diagnosis.oks for analysis in analyses])
    high = similar.max(axis=0) if len(analyses) > 1 else 1.0
    apart = np.nan_to_num(high - similar.min(axis=0))
    widest = np.zeros(len(annotations))
    np.maximum.at(widest, annotations.image_of(), apart)
    total = np.bincount(annotations.image_of(), weights=apart, minlength=len(annotations))
    return np.lexsort((-total, -np.round(widest, 2)))


def _shown(annotations: Annotations, analyses: Sequence[Analysis]) -> _Shown:
    images = np.arange(len(annotations))
    if len(images) > MOST_IMAGES:
        images = np.sort(by_disagreement(annotations, analyses)[:MOST_IMAGES])
    rows = [np.array(annotations.rows(row), np.int64) for row in images.tolist()]
    instances = np.concatenate(rows)
    counts = np.diff(annotations.first_person)[images]
    first = np.concatenate([[0], np.cumsum(counts)])
    sizes = annotations.sizes[images].astype(float)
    corners = np.full((len(images), 2), -0.5)
    frames = np.concatenate([corners, sizes[:, ::-1]], axis=1)
    for n in np.flatnonzero(sizes.min(axis=1) <= 0):  # images whose size nobody wrote down
        frames[n] = _extent(annotations, instances[first[n] : first[n + 1]])
    return _Shown(images, instances, first, frames)


def _extent(annotations: Annotations, instances: Ints) -> Floats:
    """A frame around labelled keypoints, with room on every side."""
    points = annotations.keypoints[instances][annotations.visibility[instances] > 0]
    if not len(points):
        return np.array([0.0, 0.0, 1.0, 1.0])
    low, high = points.min(axis=0), points.max(axis=0)
    room = 1 + 0.15 * (high - low).max()
    return np.concatenate([low - room, high - low + 2 * room])


def _units(points: Floats, frames: Floats) -> str:
    """Points (..., 2), the first axis that of ``frames``, as packed 16-bit units.

    The least of them says that there is no point.
    """
    shape = (len(frames),) + (1,) * (points.ndim - 2)
    longer = frames[:, 2:].max(axis=1).reshape(*shape, 1)
    scaled = (points - frames[:, :2].reshape(*shape, 2)) * (UNITS / longer)
    whole = np.nan_to_num(scaled, nan=ABSENT).round().clip(ABSENT, 32767)
    return packed(whole.astype("<i2"))


def _drawable(poses: Floats) -> Floats:
    """Poses (N, K, 2) with NaN for joints that a results file leaves out, as 0, 0."""
    absent = (poses == 0).all(axis=-1, keepdims=True)
    return np.where(absent, np.nan, poses)


def packed(array: Any) -> str:
    """An array's bytes in base64."""
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def _images(annotations: Annotations, shown: _Shown) -> dict[str, Any]:
    return {
        "id": annotations.image_ids[shown.images].tolist(),
        "file": [annotations.file_name(row) for row in shown.images],
        "width": np.ceil(shown.frames[:, 2]).astype(int).tolist(),
        "height": np.ceil(shown.frames[:, 3]).astype(int).tolist(),
        "first": shown.first.tolist(),
    }


def _people(annotations: Annotations, shown: _Shown, groups: Mapping[str, Bins]) -> dict[str, Any]:
    rows, frames = shown.instances, shown.frames[shown.of_person]
    boxes = annotations.boxes[rows]
    corners = np.stack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    return {
        "points": _units(annotations.keypoints[rows], frames),
        "visibility": packed(annotations.visibility[rows].astype(np.uint8)),
        "boxes": _units(corners, frames),
        "groups": {name: packed(b.of_person[rows].astype("i1")) for name, b in groups.items()},
    }


def _method(annotations: Annotations, shown: _Shown, analysis: Analysis) -> dict[str, Any]:
    """One method's poses: those of people first, in their order, then those of nobody."""
    diagnosis, predictions = analysis.diagnosis, analysis.predictions
    pose = diagnosis.pose[shown.instances]
    answered = np.flatnonzero(pose >= 0)
    extra, extra_first = _unmatched(annotations, shown, analysis)
    rows = np.concatenate([pose[answered], extra])
    image = np.concatenate(
        [shown.of_person[answered], np.repeat(np.arange(len(shown.images)), np.diff(extra_first))]
    )
    of = np.full(len(shown.instances), -1, "<i4")
    of[answered] = np.arange(len(answered))
    return {
        "name": analysis.name,
        "of": packed(of),
        "extra": (len(answered) + extra_first).tolist(),
        "points": _units(_drawable(predictions.keypoints[rows]), shown.frames[image]),
        "scores": packed(predictions.scores[rows].astype("<f4")),
        "oks": packed(diagnosis.oks[shown.instances].astype("<f4")),
        "misranked": packed(diagnosis.misranked[shown.instances].astype(np.uint8)),
        "kinds": packed(_codes(diagnosis)[shown.instances]),
    }


def _codes(diagnosis: Diagnosis) -> Ints:
    """Codes (M, K) uint8 of errors, 0 where there is none to speak of, plus 8 where another pose
    has the joint."""
    codes = np.where(diagnosis.joint == UNKNOWN, 0, diagnosis.joint)
    return np.asarray(codes + 8 * diagnosis.grouping, np.uint8)


def _unmatched(annotations: Annotations, shown: _Shown, analysis: Analysis) -> tuple[Ints, Ints]:
    """The poses of nobody worth drawing, by image, and the bounds (n + 1,) of each image's.

    They are the best few that score above the lowest tenth of the poses that found somebody.
    """
    diagnosis, scores = analysis.diagnosis, analysis.predictions.scores
    rows, found = diagnosis.background, scores[diagnosis.pose[diagnosis.pose >= 0]]
    if len(found):
        rows = rows[scores[rows] > np.quantile(found, 0.1)]
    place = np.full(len(annotations), -1)
    place[shown.images] = np.arange(len(shown.images))
    of_row = rows_of(annotations.image_ids, analysis.predictions.image_ids[rows])
    image = np.where(of_row >= 0, place[of_row], -1)
    rows, image = rows[image >= 0], image[image >= 0]
    order = np.lexsort((-scores[rows], image))
    rows, image = rows[order], image[order]
    rank = np.arange(len(rows)) - np.searchsorted(image, image, side="left")
    rows, image = rows[rank < MOST_UNMATCHED], image[rank < MOST_UNMATCHED]
    bounds = np.searchsorted(image, np.arange(len(shown.images) + 1))
    return rows, bounds
