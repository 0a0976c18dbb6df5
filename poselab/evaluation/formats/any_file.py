"""Predictions from a file of any project, by its ending and its content."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.evaluation.formats.arrays.options import AS_SUGGESTED
from poselab.evaluation.predictions import Predictions, read_predictions
from poselab.io.files import read_bytes, read_json, read_tensors
from poselab.io.json_text import BYTE_ORDER_MARK
from poselab.io.named_arrays import ARRAY_SUFFIXES, read_named_arrays
from poselab.io.safe_pickle import read_pickle
from poselab.io.text_arrays import json_arrays
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from poselab.annotations.table import Annotations
    from poselab.evaluation.formats.arrays.options import ArrayOptions

PICKLES, TENSORS = (".pkl", ".pickle"), (".pth", ".pt")
_HEAD = 1 << 12


class ReadFile(NamedTuple):
    """Predictions, and sentences that say how their file was read where it leaves that open."""

    predictions: Predictions
    notes: tuple[str, ...]


def read_any_file(path: Path, annotations: Annotations, options: ArrayOptions) -> ReadFile:
    """COCO results and what other projects write instead, mmpose's dumps, and arrays of poses.

    Raises:
        InputError: no such file, none of these contents, or an array that needs an option.
    """
    ending = path.suffix.lower()
    if ending in (*PICKLES, *TENSORS):
        return _of_objects(path, annotations, options)
    if ending in ARRAY_SUFFIXES and ending != ".json":
        return _of_arrays(read_named_arrays(path, "predictions"), path, annotations, options)
    head = _head(path)
    if head.startswith((b"{", b"[[")):
        arrays = json_arrays(path, read_bytes(path, "predictions"))
        if arrays:
            return _of_arrays(arrays, path, annotations, options)
    found = _of_records(path, head, annotations)
    if options == AS_SUGGESTED:
        return found
    unused = f"{path.name} holds records, not an array: options of arrays are not used"
    return found._replace(notes=(*found.notes, unused))


def _head(path: Path) -> bytes:
    """The beginning of a text without spaces; nothing where it cannot be read."""
    try:
        with path.open("rb") as file:
            return b"".join(file.read(_HEAD).removeprefix(BYTE_ORDER_MARK).split())
    except OSError:  # the reader says what is wrong
        return b""


def _of_arrays(
    content: Mapping[str, Any], path: Path, annotations: Annotations, options: ArrayOptions
) -> ReadFile:
    from poselab.evaluation.formats.arrays.read import predictions_of_arrays

    return ReadFile(*predictions_of_arrays(content, str(path), annotations, options))


def _of_objects(path: Path, annotations: Annotations, options: ArrayOptions) -> ReadFile:
    """A dump of mmpose, records, images with records as Detectron2 has them, or arrays."""
    from poselab.evaluation.formats.mmpose_dump import is_dump, predictions_of_dump
    from poselab.evaluation.formats.project_records import (
        is_list_of_records,
        predictions_of_records,
        records_of_images,
    )

    tree = _objects(path)
    if is_dump(tree):
        return ReadFile(*predictions_of_dump(tree, str(path), annotations))
    records = tree if is_list_of_records(tree) else records_of_images(tree)
    if records is not None:
        return ReadFile(*predictions_of_records(records, str(path), annotations))
    named = tree if isinstance(tree, dict) else {"array": tree}
    arrays = {str(n): v.detach().numpy() if hasattr(v, "detach") else v for n, v in named.items()}
    plain = {n: a for n, a in arrays.items() if isinstance(a, np.ndarray) and a.dtype.kind != "O"}
    return _of_arrays(plain, path, annotations, options)


def _objects(path: Path) -> Any:
    if path.suffix.lower() in PICKLES:
        return read_pickle(path, "predictions")
    try:
        return read_tensors(path)
    except FileNotFoundError:
        raise InputError(f"expected predictions at {path}, found no such file") from None
    except ValueError as error:
        raise InputError(f"expected predictions at {path}, but {error}") from None


def _of_records(path: Path, head: bytes, annotations: Annotations) -> ReadFile:
    """COCO results, or, if they are not quite that, as other projects write them."""
    from poselab.evaluation.formats.project_records import (
        ids_of_numbered_names,
        predictions_of_records,
    )

    if b'"file_name"' in head and (records := _parsed_list(path)):
        return ReadFile(*predictions_of_records(records, str(path), annotations))
    try:
        predictions = read_predictions(path, annotations.categories)
    except InputError:
        if not (records := _parsed_list(path)):
            raise
        return ReadFile(*predictions_of_records(records, str(path), annotations))
    ids = ids_of_numbered_names(predictions.image_ids, annotations)
    if ids is None:
        return ReadFile(predictions, ())
    note = "image ids are the numbers that the images' files are called, as ultralytics writes them"
    return ReadFile(replace(predictions, image_ids=ids), (note,))


def _parsed_list(path: Path) -> list[Any]:
    """The records of a JSON list; none where it is something else."""
    try:
        tree = read_json(path, "predictions")
    except InputError:
        return []
    return tree if isinstance(tree, list) else []
