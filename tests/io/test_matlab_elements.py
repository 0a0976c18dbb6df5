"""A damaged MATLAB file is refused in one sentence; it never ends the process."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

from poselab.io.array_files import matlab_variables
from poselab.structures import InputError


def saved(compressed: bool, **variables: Any) -> bytes:
    file = io.BytesIO()
    scipy.io.savemat(file, variables, do_compression=compressed)
    return file.getvalue()


def with_type(content: bytes, values: np.ndarray[Any, Any], kind: int) -> bytes:
    """The file with another type in the tag in front of the values."""
    at = content.index(values.tobytes()) - 8
    return content[:at] + struct.pack("<I", kind) + content[at + 4 :]


def packed(content: bytes) -> bytes:
    """The same file with all its variables compressed as one."""
    body = zlib.compress(content[128:])
    return content[:128] + struct.pack("<II", 15, len(body)) + body


@pytest.mark.parametrize("kind", [0, 8, 14, 15, 19, 200, 65535])
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("compress", [False, True])
def test_numbers_of_an_unknown_type_are_refused(kind: int, nested: bool, compress: bool) -> None:
    values = np.arange(1.5, 7.5)
    inside: Any = {"b": {"c": values}, "d": "text"} if nested else values
    content = with_type(saved(False, a=inside), values, kind)
    with pytest.raises(InputError, match="MATLAB file"):
        matlab_variables(Path("labels.mat"), packed(content) if compress else content)


@pytest.mark.parametrize("compressed", [False, True])
def test_every_kind_of_array_is_read(compressed: bool) -> None:
    variables = {
        "numbers": np.arange(6, dtype=np.int16).reshape(2, 3),
        "complex": np.array([1 + 2j, 3.0]),
        "truth": np.array([True, False]),
        "text": "left ankle",
        "cells": np.array([np.arange(3), "a"], dtype=object),
        "struct": {"x": 1.0, "inner": {"y": np.zeros((0, 2))}},
        "sparse": scipy.sparse.csc_array(np.eye(3)),
    }
    read = matlab_variables(Path("labels.mat"), saved(compressed, **variables))
    assert set(variables) <= set(read)
    np.testing.assert_array_equal(read["numbers"], variables["numbers"])


def test_arrays_nested_too_deeply_are_refused() -> None:
    value: Any = np.zeros(1)
    for _ in range(150):
        cell = np.empty(1, dtype=object)
        cell[0] = value
        value = cell
    with pytest.raises(InputError, match="more than 100 deep"):
        matlab_variables(Path("labels.mat"), saved(False, a=value))
