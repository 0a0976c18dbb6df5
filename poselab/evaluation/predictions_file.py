"""Predictions with their file and the comparability record of their run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from poselab.annotations.options import AS_ANNOTATED, AnnotationOptions
from poselab.evaluation.comparability import read_comparability, read_options
from poselab.evaluation.predictions import Predictions, read_predictions

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from poselab.annotations.table import Annotations

    Source = str | os.PathLike[str] | Predictions
    """A run folder, a predictions file of any kind that PoseLab reads, or the predictions."""


class PredictionsFile(NamedTuple):
    """Where a predictions file lies, its predictions, the run's comparability record, and the
    options of annotations that the run was trained with."""

    path: Path
    predictions: Predictions
    comparability: Mapping[str, Any]
    options: AnnotationOptions = AS_ANNOTATED


def predictions_path(path: Path) -> Path:
    """The predictions file of a run folder, or the file itself."""
    return path / "predictions" / "val.json" if path.is_dir() else path


def open_predictions(source: Source, annotations: Annotations) -> PredictionsFile:
    """Read a run folder, COCO results or the results of another code (.mat, .h5).

    Raises:
        InputError: no such file, or none of these contents.
    """
    if isinstance(source, Predictions):
        return PredictionsFile(Path("predictions"), source, {})
    path = predictions_path(Path(source))
    if path.suffix in (".mat", ".h5"):
        from poselab.evaluation.formats.other_codes import read_other_results

        return PredictionsFile(path, read_other_results(path, annotations), {})
    predictions = read_predictions(path, annotations.categories)
    return PredictionsFile(path, predictions, read_comparability(path), read_options(path))
