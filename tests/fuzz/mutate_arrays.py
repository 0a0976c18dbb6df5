"""Arrays of another type, rank, shape or value, and files of arrays with such an array in them."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from random import Random
from typing import Any

import h5py
import numpy as np
from mutate_bytes import damaged
from mutate_values import mutated_tree
from scipy.io import loadmat, savemat

_TYPES = ["f2", ">f8", "i1", "u8", "?", "c16", "S3", "U3", "O"]
_FILLS = [np.nan, np.inf, -np.inf, 1e300, 1e20, -1.0, 0.0]
MANY = 10**9


def mutated_array(array: Any, random: Random) -> Any:
    """The array with another type, rank, shape or values, or something else in its place."""
    array = np.asarray(array)
    kind = random.randrange(6)
    if kind == 0:
        return _as_type(array, random.choice(_TYPES))
    if kind == 1:
        return random.choice([array.ravel(), array[None], array.T, array[..., None], array[:0]])
    if kind == 2 and array.ndim:
        axis = random.randrange(array.ndim)
        place = [slice(None)] * array.ndim
        place[axis] = random.choice(
            [slice(0, 0), slice(0, 1), slice(1, None), slice(None, None, -1)]
        )
        return array[tuple(place)]
    if kind == 3 and array.ndim:
        return np.concatenate([array, array], axis=random.randrange(array.ndim))
    if kind == 4 and array.dtype.kind in "fiu" and array.size:
        changed = array.astype(float)
        changed.flat[random.randrange(array.size) :: random.choice([1, 7, array.size])] = (
            random.choice(_FILLS)
        )
        return changed
    odd: list[Any] = [
        1.0,
        "text",
        np.empty(0),
        np.empty((0, 16, 2)),
        np.zeros((1,) * 9),
        np.array("x"),
    ]
    odd += [{"a": 1}, [[1, 2], "x"], np.array([{"a": 1}, {"a": "b"}], object), b"bytes", True]
    return random.choice(odd)


def _as_type(array: Any, kind: str) -> Any:
    with np.errstate(all="ignore"):
        try:
            return array.astype(kind)
        except (TypeError, ValueError):
            return np.zeros(array.shape, kind)


def mutated_variables(variables: dict[str, Any], random: Random) -> dict[str, Any]:
    """Named arrays of which one is changed, lacks, or has another name."""
    changed = dict(variables)
    name = random.choice(sorted(changed))
    kind = random.randrange(10)
    if kind == 0:
        del changed[name]
    elif kind == 1:
        changed[random.choice(["joints", "preds", "pred", "x", "RELEASE", "part"])] = changed.pop(
            name
        )
    elif kind == 2:
        changed[random.choice(["joints", "preds", "examples", "extra"])] = mutated_array(
            np.eye(3), random
        )
    else:
        changed[name] = _mutated_struct(changed[name], random)
    return changed


def _mutated_struct(value: Any, random: Random) -> Any:
    """An array, or a struct or cell array with a change somewhere inside."""
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "OV" or not value.size:
        return mutated_array(value, random)
    if random.randrange(6) == 0:
        return mutated_array(value, random)
    value = value.copy()
    place = random.randrange(value.size)
    names = value.dtype.names
    if not names:
        value.flat[place] = _mutated_struct(value.flat[place], random)
        return value
    name = random.choice(names)
    if random.randrange(6) == 0 and len(names) > 1:
        return value[[n for n in names if n != name]]
    column = value[name]
    if column.dtype.kind != "O":
        return value
    replaced = np.empty(column.shape, object)
    for n in range(column.size):
        replaced.flat[n] = column.flat[n]
    replaced.flat[place] = _mutated_struct(column.flat[place], random)
    value[name] = replaced
    return value


def mutated_mat(content: bytes, random: Random) -> bytes:
    """A MATLAB file with odd variables, or damaged."""
    if random.randrange(4) == 0:
        return damaged(content, random)
    variables = {k: v for k, v in loadmat(io.BytesIO(content)).items() if not k.startswith("__")}
    file = io.BytesIO()
    try:
        savemat(
            file, mutated_variables(variables, random), do_compression=random.choice([True, False])
        )
    except Exception:  # what cannot be written is no file to read
        return damaged(content, random)
    return file.getvalue()


def mutated_hdf5(content: bytes, random: Random) -> bytes:
    """An HDF5 file with odd datasets, links and groups, or damaged."""
    if random.randrange(4) == 0:
        return damaged(content, random)
    file = io.BytesIO(content)
    with h5py.File(file, "r+") as opened:
        name = random.choice(sorted(opened))
        data = opened[name][()]
        del opened[name]
        try:
            _put_odd(opened, name, data, random)
        except (TypeError, ValueError, OSError):
            opened[name] = h5py.Empty("f8")
    return file.getvalue()


def _put_odd(file: h5py.File, name: str, data: Any, random: Random) -> None:
    kind = random.randrange(12)
    if kind == 0:
        file.create_group(name)
    elif kind == 1:
        file[name] = h5py.SoftLink(random.choice(["/nowhere", "/", name]))
    elif kind == 2:
        file[name] = h5py.ExternalLink(random.choice(["/etc/passwd", "other.h5", "."]), "/x")
    elif kind == 3:
        shape = random.choice([(MANY, *data.shape[1:]), (2**40,), (3, 2**40), (MANY,) * 3])
        file.create_dataset(name, shape, "f8", chunks=(1,) * len(shape))
    elif kind == 4:
        file[name] = h5py.Empty("f8")
    elif kind == 5:
        file[name] = np.zeros(3, [("a", "f8"), ("b", "S3")])
    elif kind == 6:
        file[name] = np.array(["text", "é"], h5py.string_dtype())
    elif kind == 7:
        file[name] = file.ref
    elif kind == 8:
        pass
    elif kind == 9:
        file.create_dataset(name, (2, 3), h5py.vlen_dtype("f8"))
    else:
        file[name] = mutated_array(data, random)


def mutated_npy(content: bytes, random: Random) -> bytes:
    """A file of one array, odd or damaged; some hold pickled objects or declare huge shapes."""
    kind = random.randrange(4)
    if kind == 0:
        return damaged(content, random)
    if kind == 1:
        shape = random.choice([f"({MANY}, 16, 2)", f"({2**62},)", "(-1, 2)", "()", "'x'", "(1.5,)"])
        header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
        return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()
    file = io.BytesIO()
    array = mutated_array(np.load(io.BytesIO(content)), random)
    np.save(
        file, np.asarray(array, None if not isinstance(array, list) else object), allow_pickle=True
    )
    return file.getvalue()


def mutated_npz(content: bytes, random: Random) -> bytes:
    """A file of several NumPy arrays, odd or damaged."""
    if random.randrange(4) == 0:
        return damaged(content, random)
    with np.load(io.BytesIO(content)) as opened:
        variables = mutated_variables(dict(opened), random)
    file = io.BytesIO()
    arrays = {
        k: np.asarray(v, object if isinstance(v, list | dict) else None)
        for k, v in variables.items()
    }
    np.savez(file, allow_pickle=True, **arrays)
    return file.getvalue()


def mutated_pickle(content: bytes, random: Random) -> bytes:
    """A pickle of lists and dicts with an odd value or array, or damaged."""
    if random.randrange(4) == 0:
        return damaged(content, random)
    tree = pickle.loads(content)
    if random.randrange(2):
        return pickle.dumps(mutated_tree(tree, random, any_keys=True), random.choice([2, 5]))
    parent = random.choice(tree)["pred_instances"]
    name = random.choice(sorted(parent))
    parent[name] = mutated_array(parent[name], random)
    return pickle.dumps(tree)


def write_mat(path: Path, variables: dict[str, Any]) -> None:
    """Write a MATLAB file."""
    savemat(path, variables)


def write_hdf5(path: Path, datasets: dict[str, Any]) -> None:
    """Write an HDF5 file."""
    with h5py.File(path, "w") as file:
        for name, data in datasets.items():
            file[name] = data
