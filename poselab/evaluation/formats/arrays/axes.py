"""The orders of axes under which an array can be poses."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING, Any

import numpy as np

from poselab.evaluation.formats.arrays.options import parse_axes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from poselab.evaluation.formats.arrays.options import ArrayOptions
    from poselab.structures import Floats

    Axes = tuple[str, ...]

_FEWEST_JOINTS = 3
ORDERS: tuple[Axes, ...] = tuple(
    axes
    for digit in "23"
    for axes in (
        *permutations(("N", "K", digit)),
        *(("N", f"K{digit}"), ("N", f"{digit}K"), (f"K{digit}", "N"), (f"{digit}K", "N")),
    )
)
"""Every order, flattened ones last."""


def numeric_arrays(content: Mapping[str, Any]) -> dict[str, Floats]:
    """The arrays of numbers, without axes of length 1 where there are too many, MATLAB's cells of
    arrays of one shape as one array, and fields of its structs as NAME.FIELD."""
    arrays = {name: _numeric(value) for name, value in _with_fields(content)}
    return {name: array for name, array in arrays.items() if array is not None}


def _with_fields(content: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in content.items():
        fields = getattr(getattr(value, "dtype", None), "names", None) or ()
        if not fields:
            yield name, value
        columns = {f"{name}.{field}": value[field] for field in fields}
        yield from _with_fields({n: c.item() if c.size == 1 else c for n, c in columns.items()})


def _numeric(value: Any) -> Floats | None:
    array: Any = np.asarray(value)
    if array.dtype.kind == "O" and array.size:
        parts = [np.asarray(part) for part in array.ravel()]
        if len({part.shape for part in parts}) > 1 or any(
            p.dtype.kind not in "biuf" for p in parts
        ):
            return None
        array = np.stack(parts)
    if array.dtype.kind not in "biuf" or not array.size:
        return None
    numbers: Floats = array if array.ndim <= 3 else array.squeeze()
    return numbers


def possible_axes(
    shape: tuple[int, ...], people: Collection[int], joints: int | None, options: ArrayOptions
) -> Iterator[Axes]:
    """The orders of axes under which ``shape`` is poses of so many people; ``joints`` None: any
    number from 3, not flattened. With ``options.axes`` only that one."""
    wanted = ORDERS if options.axes is None else (parse_axes(options.axes),)
    for axes in wanted:
        sizes = _sizes(shape, axes)
        if not sizes or sizes["N"] not in people:
            continue
        any_number = joints is None and (len(axes) == 3 or options.axes is not None)
        if sizes["K"] == joints or (any_number and sizes["K"] >= _FEWEST_JOINTS):
            yield axes


def _sizes(shape: tuple[int, ...], axes: Axes) -> dict[str, int]:
    """The length of each of N, K, 2 or 3; empty where the shape does not fit the axes."""
    if len(shape) != len(axes):
        return {}
    sizes: dict[str, int] = {}
    for length, letters in zip(shape, axes, strict=True):
        digit = letters.strip("NK")
        if digit and len(letters) == 1 and length != int(digit):
            return {}
        if len(letters) > 1 and length % int(digit):
            return {}
        for letter in letters:
            per_joint = int(digit) if digit and len(letters) > 1 else 1
            sizes[letter] = int(digit) if letter == digit else length // per_joint
    return sizes


def in_order(array: Floats, axes: Axes) -> Floats:
    """The array (N, K, 2 or 3), a view where possible."""
    letters = "".join(axes)
    sizes = _sizes(array.shape, axes)
    whole = array.reshape([sizes[letter] for letter in letters])
    digit = letters.strip("NK")
    return whole.transpose([letters.index(letter) for letter in ("N", "K", digit)])
