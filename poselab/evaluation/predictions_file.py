"""Predictions with their file and the comparability record of their run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.annotations.options import AS_ANNOTATED, AnnotationOptions
from poselab.evaluation.comparability import read_comparability, read_options
from poselab.evaluation.formats.arrays.options import AS_SUGGESTED, ArrayOptions
from poselab.evaluation.predictions import Predictions, read_predictions
from poselab.io.json_text import BYTE_ORDER_MARK
from poselab.io.named_arrays import ARRAY_SUFFIXES

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from poselab.annotations.table import Annotations
    from poselab.structures import Floats

    Source = str | os.PathLike[str] | Predictions | Floats
    """A run folder, a predictions file of any kind that PoseLab reads, the predictions, or an array
    of poses."""


class PredictionsFile(NamedTuple):
    """Where a predictions file lies, its predictions, the run's comparability record, the options
    of annotations that the run was trained with, and ``notes`` of how the file was read."""

    path: Path
    predictions: Predictions
    comparability: Mapping[str, Any]
    options: AnnotationOptions = AS_ANNOTATED
    notes: tuple[str, ...] = ()


def predictions_path(path: Path) -> Path:
    """The predictions file of a run folder, or the file itself."""
    return path / "predictions" / "val.json" if path.is_dir() else path


def open_predictions(
    source: Source, annotations: Annotations, array: ArrayOptions = AS_SUGGESTED
) -> PredictionsFile:
    """Read a run folder, COCO results, or an array of poses from a file of any kind or in memory.

    ``array`` says how to read an array, where its shape and fit do not tell.

    Raises:
        InputError: no such file, none of these contents, or an array that needs such an option.
    """
    if isinstance(source, Predictions):
        return PredictionsFile(Path("predictions"), source, {})
    if isinstance(source, np.ndarray):
        from poselab.evaluation.formats.arrays.read import predictions_of_arrays

        found = predictions_of_arrays({"array": source}, "array", annotations, array)
        return PredictionsFile(Path("array"), found.predictions, {}, notes=found.notes)
    path = predictions_path(Path(source))
    if _holds_arrays(path):
        from poselab.evaluation.formats.arrays.read import predictions_of_arrays
        from poselab.io.named_arrays import read_named_arrays

        content = read_named_arrays(path, "predictions")
        if content or path.suffix.lower() != ".json":
            found = predictions_of_arrays(content, str(path), annotations, array)
            return PredictionsFile(path, found.predictions, {}, notes=found.notes)
    predictions = read_predictions(path, annotations.categories)
    return PredictionsFile(path, predictions, read_comparability(path), read_options(path))


def _holds_arrays(path: Path) -> bool:
    """Whether a file's ending is that of arrays; of JSON, whether it begins like nested lists, or
    like an object, which COCO results are not."""
    if path.suffix.lower() != ".json":
        return path.suffix.lower() in ARRAY_SUFFIXES
    try:
        with path.open("rb") as file:
            head = file.read(64).removeprefix(BYTE_ORDER_MARK).split()
    except OSError:  # the reader says what is wrong
        return False
    text = b"".join(head)
    return text[:1] == b"{" or text[:2] == b"[["
