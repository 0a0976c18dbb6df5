"""Predictions with their file and the comparability record of their run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.annotations.options import AS_ANNOTATED, AnnotationOptions
from poselab.evaluation.comparability import read_comparability, read_options
from poselab.evaluation.formats.any_file import read_any_file
from poselab.evaluation.formats.arrays.options import AS_SUGGESTED, ArrayOptions
from poselab.evaluation.predictions import Predictions

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
    """Read a run folder, detections of any project, or an array of poses, from a file or in memory.

    ``array`` says how to read an array, where its shape and fit do not tell.

    Raises:
        InputError: no such file, none of these contents, or an array that needs such an option.
    """
    if isinstance(source, Predictions):
        return PredictionsFile(Path("predictions"), source, {})
    if isinstance(source, np.ndarray):
        from poselab.evaluation.formats.arrays.read import predictions_of_arrays

        found = predictions_of_arrays({"array": source}, "array", annotations, array)
        said = _read_as(found.notes)
        return PredictionsFile(Path("array"), found.predictions, said, notes=found.notes)
    path = predictions_path(Path(source))
    predictions, notes = read_any_file(path, annotations, array)
    comparability = read_comparability(path) | _read_as(notes)
    return PredictionsFile(path, predictions, comparability, read_options(path), notes)


def _read_as(notes: tuple[str, ...]) -> dict[str, Any]:
    return {"read_as": list(notes)} if notes else {}
