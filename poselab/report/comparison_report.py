"""``poselab.compare``: which method is better, by how much, and how certain that is."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poselab.annotations.options import AnnotationOptions, with_options
from poselab.evaluation.api import open_table
from poselab.evaluation.comparison import Comparison, compare_methods
from poselab.evaluation.formats.arrays.options import AS_SUGGESTED, ArrayOptions
from poselab.evaluation.metrics.named import named_evaluator
from poselab.evaluation.predictions_file import open_predictions
from poselab.evaluation.statistics import check_replicates
from poselab.evaluation.statistics.bootstrap import REPLICATES
from poselab.evaluation.validation.checks import validate_predictions
from poselab.io.files import write_bytes, write_json
from poselab.io.json_text import shortened
from poselab.ranges import check_seed
from poselab.report import comparison_table
from poselab.report.tables import csv_text, latex, markdown, table_text
from poselab.structures import InputError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.evaluator import Evaluator
    from poselab.evaluation.predictions_file import PredictionsFile, Source
    from poselab.report.tables import Row


@dataclass(frozen=True)
class ComparisonReport(Comparison):
    """A comparison that prints as the tables of ``poselab compare`` and writes its files.

    ``warnings`` say what is questionable about the predictions, each after its file's path, and
    ``notes`` how files were read.
    """

    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def write(self, out: str | os.PathLike[str], images: Path | None = None) -> Path:
        """Write table.md, table.tex, metrics.csv, comparison.json and index.html; the page's path.

        ``images`` is a folder of images to show on the page.

        Raises:
            InputError: the folder cannot be written, or the disk is full.
        """
        from poselab.report.page import write_page

        folder = Path(out)
        rows, notes = self._rows_and_notes()
        text = markdown(rows) + "".join(f"\n{note}\n" for note in notes)
        if len(self.pairs) > 1:
            text += "\n" + markdown(comparison_table.pair_rows(self))
        write_bytes(folder / "table.md", text.encode())
        write_bytes(folder / "table.tex", latex(rows, notes).encode())
        table = csv_text(comparison_table.metric_rows(self))
        write_bytes(folder / "metrics.csv", table.encode())
        write_json(folder / "comparison.json", self.to_json())
        return write_page(self, folder / "index.html", image_folder=images)

    def __str__(self) -> str:
        rows, notes = self._rows_and_notes()
        tables = [table_text(rows)]
        if len(self.pairs) > 1:
            tables.append(table_text(comparison_table.pair_rows(self)))
        return "\n".join([*tables, *notes])

    def _rows_and_notes(self) -> tuple[list[Row], list[str]]:
        marked = comparison_table.incomparable_methods(self)
        return comparison_table.summary_rows(self, marked), comparison_table.notes(self, marked)


def compare(
    methods: Mapping[str, Source | Sequence[Source]],
    annotations: str | os.PathLike[str] | Annotations,
    metric: str | Evaluator = "oks",
    replicates: int = REPLICATES,
    seed: int = 0,
    progress: Callable[[int], Any] = int,
    array: ArrayOptions = AS_SUGGESTED,
) -> ComparisonReport:
    """Compare methods, by name, on the same images: values, intervals, paired differences.

    Arguments are those of :func:`poselab.evaluate`; several predictions of one name are seeds of
    one method. Annotations of another layout or of one category are opened before, by
    :func:`poselab.annotations.open_annotations`. ``progress`` is called with each number of new
    replicates.

    Example::

        comparison = poselab.compare({"a": "runs/a", "b": "results.json"}, "val2017.json")
        print(comparison)  # tables in percent
        comparison.values, comparison.methods[0].replicates.samples  # arrays of fractions
        comparison.write("compared")  # tables and the page

    Raises:
        InputError: files that cannot be read, or predictions that cannot be scored or compared.
    """
    check_replicates("replicates", replicates)
    check_seed(seed)
    table = open_table(annotations)
    files = {
        name: [open_predictions(source, table, array) for source in _sources(given)]
        for name, given in methods.items()
    }
    flat = [file for group in files.values() for file in group]
    table = with_options(table, table.options.filled_by(_options_of_all(flat, table.options)))
    evaluator = named_evaluator(metric) if isinstance(metric, str) else metric
    warnings = _warnings(flat, table, evaluator)
    comparison = compare_methods(files, table, evaluator, replicates, seed, progress)
    values = {field.name: getattr(comparison, field.name) for field in fields(comparison)}
    notes = tuple(note for file in flat for note in file.notes)
    return ComparisonReport(**values, warnings=warnings, notes=notes)


def _sources(given: Source | Sequence[Source]) -> Sequence[Source]:
    return given if isinstance(given, (list, tuple)) else [given]  # type: ignore[list-item]


def _options_of_all(
    files: Sequence[PredictionsFile], given: AnnotationOptions
) -> AnnotationOptions:
    """The sigmas and areas that runs were trained with, where ``given`` leaves them open.

    Raises:
        InputError: two runs were trained with different ones.
    """
    common = AnnotationOptions()
    for key in ("sigmas", "area"):
        owners = {getattr(f.options, key): f.path for f in files if getattr(f.options, key)}
        if len(owners) > 1 and getattr(given, key) is None:
            one, other = list(owners.items())[:2]
            raise InputError(
                f"expected runs with the same {key}, got {shortened(one[0], 60)} of {one[1]} and "
                f"{shortened(other[0], 60)} of {other[1]}; choose with --{key}"
            )
        common = common._replace(**{key: next(iter(owners), None)})
    return common


def _warnings(
    files: Sequence[PredictionsFile], annotations: Annotations, evaluator: Evaluator
) -> tuple[str, ...]:
    """What is questionable about each file; errors where one cannot be scored."""
    return tuple(
        f"{file.path}: {warning}"
        for file in files
        for warning in validate_predictions(file.predictions, annotations, evaluator.ranks_by_oks)
    )
