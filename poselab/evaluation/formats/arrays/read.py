"""Predictions from the arrays of a file, or from one in memory: everything that is not said is
suggested by its shape, its name and the fit with the ground truth, and put into words."""

from __future__ import annotations

from operator import attrgetter, itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.evaluation.formats.arrays.axes import in_order, numeric_arrays, possible_axes
from poselab.evaluation.formats.arrays.fit import Fit, fit, fits_in_order
from poselab.evaluation.formats.arrays.hints import KNOWN_ARRAYS, KNOWN_IN
from poselab.evaluation.formats.arrays.joints import (
    joints_of_names,
    match_joints,
    missing_joints,
    named_joints,
)
from poselab.evaluation.formats.arrays.options import (
    AS_SUGGESTED,
    ORDER,
    ArrayOptions,
    check_array_options,
)
from poselab.evaluation.formats.arrays.origin import suggest_origin
from poselab.evaluation.formats.arrays.rows import IMAGE_KEYS, of_images, rows_in_order, rows_of_ids
from poselab.evaluation.formats.arrays.scores import find_scores
from poselab.evaluation.formats.body_segments import joints_of_segments
from poselab.evaluation.predictions import ABSENT, Predictions
from poselab.io.json_text import shortened
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.formats.arrays.axes import Axes
    from poselab.evaluation.formats.arrays.rows import Rows
    from poselab.structures import Floats, Ints

CLEARLY = 0.5
"""One reading is chosen among several if it leaves less than this part of the others' error."""

EXACT = 1e-3
"""Pixels: poses this near to the ground truth, from whichever origin, are the ground truth."""


class Reading(NamedTuple):
    """An array read as poses (N, K, 2 or 3) under an order of axes, and what its rows are."""

    key: str
    axes: Axes
    poses: Floats
    rows: Rows


class ReadArrays(NamedTuple):
    """Predictions, and sentences that say how their array was read."""

    predictions: Predictions
    notes: tuple[str, ...]


def predictions_of_arrays(
    content: Mapping[str, Any],
    source: str,
    annotations: Annotations,
    options: ArrayOptions = AS_SUGGESTED,
) -> ReadArrays:
    """The predictions of named arrays from ``source``, a file or a name in messages.

    Raises:
        InputError: no array is of that shape, or more than one reading is possible; the message
            names the option that chooses.
    """
    check_array_options(options)
    arrays = numeric_arrays(content)
    given, options = options, _with_hint(options, source, arrays, annotations)
    known = options != given
    reading = _choose(list(_readings(content, arrays, source, annotations, options)), annotations)
    measured = fit(reading.poses[..., :2], reading.rows, annotations)
    _check_order(measured, reading, options, annotations)
    count = reading.poses.shape[1]
    names = named_joints(content, options.joints, annotations.skeleton)
    joints, about_joints = (
        (joints_of_names(names, annotations.skeleton), "")
        if names is not None and len(names) == count
        else match_joints(measured, count, annotations.skeleton, options.joints, known)
    )
    origin, about_origin = suggest_origin(measured, joints, annotations, options.origin, known)
    scores = find_scores(reading.poses, arrays)
    keypoints, missing = _placed(reading.poses, joints, origin)
    found = Predictions(
        annotations.image_ids[reading.rows.images],
        _annotation_ids(reading.rows.people, annotations),
        keypoints,
        np.where(joints >= 0, scores.of_joints[:, joints], 0.0),
        scores.of_poses,
        _boxes(keypoints) if (keypoints == ABSENT).any() else None,
    )
    key, axes = shortened(reading.key, 60)[1:-1], ",".join(reading.axes)
    notes = (
        f"{Path(source).name}: `{key}` is read with axes {axes}, one pose for each of "
        f"{reading.rows.words}",
        about_origin,
        about_joints,
        missing_joints(joints, annotations.skeleton),
        scores.words,
        f"joints that are NaN count as wrong: {missing}" * bool(missing),
        "these poses are the ground truth itself" * _is_ground_truth(measured),
    )
    return ReadArrays(found, tuple(note for note in notes if note))


def _with_hint(
    options: ArrayOptions, source: str, arrays: Mapping[str, Floats], annotations: Annotations
) -> ArrayOptions:
    """The options with those of a well-known array, if the file has one of that shape."""
    if Path(source).suffix.lower() not in KNOWN_IN:
        return options
    people = {len(rows.people) for rows in rows_in_order(annotations)}
    for key, known in KNOWN_ARRAYS.items():
        if key not in arrays or options.key not in (None, key):
            continue
        for axes in (known.axes or "", (known.axes or "").replace("2", "3")):
            hinted = options.or_else(known._replace(axes=axes))
            if any(True for _ in possible_axes(arrays[key].shape, people, None, hinted)):
                return hinted
    return options


def _readings(
    content: Mapping[str, Any],
    arrays: Mapping[str, Floats],
    source: str,
    annotations: Annotations,
    options: ArrayOptions,
) -> Iterator[Reading]:
    """All ways to read one of the arrays; of any number of joints only if none has the skeleton's.

    Raises:
        InputError: there are none.
    """
    if options.key is not None and options.key not in arrays:
        raise InputError(
            f"expected --key out of the arrays of {source}, got {shortened(options.key)}; it has "
            f"{_shapes(arrays)}"
        )
    if options.key is not None:
        arrays = {options.key: arrays[options.key]}
    orders = _row_orders(content, source, annotations, options)
    names = named_joints(content, options.joints, annotations.skeleton)
    wanted = len(annotations.skeleton) if names is None else len(names)
    told = options.joints is not None and names is not None
    people = {len(rows.people) for rows in orders}
    found = False
    for joints in (wanted,) if told else (wanted, len(annotations.skeleton), None):
        for key, array in arrays.items():
            for axes in possible_axes(array.shape, people, joints, options):
                poses = joints_of_segments(in_order(array, axes), annotations.skeleton)
                fitting = [rows for rows in orders if len(rows.people) == len(poses)]
                found = found or bool(fitting)
                yield from (Reading(key, axes, poses, rows) for rows in fitting)
        if found:
            return
    counts = " or ".join(str(n) for n in sorted(people, reverse=True)[:3])
    raise InputError(
        f"expected {counts} poses of {wanted} keypoints in {source}, one for each labelled person "
        f"of {annotations.source}, got {_shapes(arrays)}; give the annotations that the file was "
        "made for, or say which rows it has with --ids"
    )


def _row_orders(
    content: Mapping[str, Any], source: str, annotations: Annotations, options: ArrayOptions
) -> list[Rows]:
    told = rows_of_ids(source, content, options.ids, annotations)
    if told is not None:
        return [told]
    orders = rows_in_order(annotations)
    if options.ids == ORDER:
        return orders
    lengths = {len(rows.people) for rows in orders}
    for key in IMAGE_KEYS:
        values = np.asarray(content.get(key, []))
        values = values.astype(str) if values.dtype.kind == "S" else values
        if values.ndim == 1 and values.size and len(values) not in lengths:
            named = of_images(values, annotations, key)
            if named is not None:
                orders.append(named)
    return orders


def _shapes(arrays: Mapping[str, Floats]) -> str:
    """The arrays with their shapes, a few of them."""
    shapes = [
        f"{shortened(name, 30)[1:-1]} of {' x '.join(map(str, array.shape))}"
        for name, array in arrays.items()
    ]
    return ", ".join(shapes[:4]) + ", ..." * (len(shapes) > 4) if shapes else "no array of numbers"


def _choose(readings: Sequence[Reading], annotations: Annotations) -> Reading:
    """The only reading, or the one that fits far better than all others.

    Raises:
        InputError: several arrays, or several orders of axes, fit about as well.
    """
    if len(readings) == 1:
        return readings[0]
    fitted = [(r, fit(r.poses[..., :2], r.rows, annotations)) for r in readings]
    copies = {reading.key for reading, measured in fitted if _is_ground_truth(measured)}
    fitted = [one for one in fitted if one[0].key not in copies] or fitted
    ordered = any(np.isfinite(measured.ordered_error) for _, measured in fitted)
    for measure in ("ordered_error", "error")[not ordered :]:
        best, rivals = _best_and_rivals(fitted, attrgetter(measure))
        if not rivals:
            return best
    option, named = "--key", [reading.key for reading in (best, *rivals)]
    if len(set(named)) == 1:
        option, named = "--axes", [",".join(reading.axes) for reading in (best, *rivals)]
    choices = list(dict.fromkeys(named))
    raise InputError(
        f"expected one array of poses that fits the people of {annotations.source}, got "
        f"{' and '.join(shortened(choice, 40) for choice in choices[:4])}, which fit alike; choose "
        f"with {option}"
    )


def _best_and_rivals(
    fitted: Sequence[tuple[Reading, Fit]], measure: Callable[[Fit], float]
) -> tuple[Reading, list[Reading]]:
    """The reading of the smallest error, and those of other arrays or axes that are about as good.

    Of several orders of rows the first, which is usual, stands unless another fits far better.
    """
    groups: dict[tuple[str, Axes], list[tuple[float, Reading]]] = {}
    for reading, measured in fitted:
        groups.setdefault(reading[:2], []).append((measure(measured), reading))
    of_groups = []
    for orders in groups.values():
        best = min(orders, key=itemgetter(0))
        of_groups.append(best if best[0] < CLEARLY * orders[0][0] else orders[0])
    (error, chosen), *others = sorted(of_groups, key=itemgetter(0))
    return chosen, [reading for other, reading in others if not error < CLEARLY * other]


def _is_ground_truth(measured: Fit) -> bool:
    if not len(measured.person) or measured.distances.shape[1] != measured.distances.shape[2]:
        return False
    offsets = np.einsum("skkc->skc", measured.offsets)
    labelled = np.isfinite(np.einsum("skk->sk", measured.distances))
    return any(bool((np.abs(offsets[labelled] - origin) < EXACT).all()) for origin in (0, 1))


def _check_order(
    measured: Fit, reading: Reading, options: ArrayOptions, annotations: Annotations
) -> None:
    """Refuse poses that fit other people as well, unless a warning about coordinates will say why.

    Raises:
        InputError: the rows seem to be in another order.
    """
    points = reading.poses[..., :2]
    known = bool((reading.rows.people >= 0).all())
    fractions = np.nanmax(np.abs(points), initial=0.0) <= 2
    if options.ids is not None or not known or fractions:
        return
    if not any(fits_in_order(measured, p, annotations) for p in (points, points[..., ::-1])):
        raise InputError(
            f"expected one pose for each of {reading.rows.words}, but the poses fit other people "
            "about as well; say which rows the array has with --ids NAME, or --ids order if they "
            "are in that order and pixels of the images"
        )


def _placed(poses: Floats, joints: Ints, origin: int) -> tuple[Floats, int]:
    """Keypoints (N, K, 2) in the skeleton's order and 0-based pixels, and how many are NaN."""
    keypoints = poses[:, joints, :2].astype(np.float64) - origin
    nowhere = np.asarray(np.isnan(keypoints).any(axis=2))
    missing = int(nowhere[:, joints >= 0].sum())
    keypoints[nowhere | (joints < 0)] = ABSENT
    return keypoints, missing


def _annotation_ids(people: Ints, annotations: Annotations) -> Ints:
    if not annotations.num_instances:
        return np.full(len(people), -1)
    return np.where(people >= 0, annotations.annotation_ids[people], -1)


def _boxes(keypoints: Floats) -> Floats:
    """Boxes (N, 4) around the joints that are there, so that the others do not enlarge a pose."""
    there = (keypoints != ABSENT).all(axis=2, keepdims=True)
    low = np.where(there, keypoints, np.inf).min(axis=1)
    high = np.where(there, keypoints, -np.inf).max(axis=1)
    empty = ~there.any(axis=(1, 2))
    low[empty], high[empty] = 0.0, 0.0
    return np.concatenate([low, high - low], axis=1)
