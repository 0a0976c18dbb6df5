"""The part of a comparability record that lies beside a predictions file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from poselab.annotations.options import AnnotationOptions, annotation_options
from poselab.evaluation.comparability.fields import RUN
from poselab.evaluation.run_record import read_run_record
from poselab.io.files import write_json

if TYPE_CHECKING:
    from poselab.evaluation.comparability.fields import ComparabilityRecord


def read_comparability(path: Path) -> dict[str, Any]:
    """``{"run": ...}`` as recorded by the run that made a predictions file; empty without a record.

    ``path`` is a run's folder, a file in its ``predictions``, or a file with a record of its own
    (:func:`write_comparability`). Merge the result into what an evaluator records.

    Raises:
        InputError: the run's manifest or the file's record is broken.
    """
    file = _record_file(Path(path))
    recorded = read_run_record(file).get("comparability") if file else None
    return {RUN: recorded} if recorded else {}


def read_options(path: Path) -> AnnotationOptions:
    """The sigmas, flip pairs and areas that the run of a predictions file was trained with.

    Raises:
        InputError: the run's manifest or the file's record is broken.
    """
    file = _record_file(Path(path))
    recorded = read_run_record(file).get("annotation_options", {}) if file else {}
    return annotation_options(**{key: recorded.get(key) for key in AnnotationOptions._fields})


def write_comparability(path: Path, run: ComparabilityRecord) -> None:
    """Write how its poses were made beside a predictions file, as NAME.comparability.json.

    Raises:
        InputError: the folder cannot be written, or the disk is full.
    """
    write_json(_beside(path), {"comparability": dict(run)})


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.stem}.comparability.json")


def _record_file(path: Path) -> Path | None:
    """The file that records how predictions were made: the one beside them, or their run's."""
    if path.is_file() and _beside(path).is_file():
        return _beside(path)
    folder = path if path.is_dir() else path.parent.parent
    outside_run = path.is_file() and path.parent.name != "predictions"
    manifest = folder / "run.json"
    return manifest if manifest.is_file() and not outside_run else None
