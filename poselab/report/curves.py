"""Learning curves of a run, from the CSV files that its logger wrote."""

from __future__ import annotations

import csv
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

Curves = dict[str, dict[int, float]]
"""Metric → epoch → value."""


def read_curves(folder: Path) -> Curves:
    """All curves of a run; where a resumed run went through an epoch again, the later counts."""
    curves: Curves = defaultdict(dict)
    for file in sorted(folder.glob("logs/version_*/metrics.csv"), key=_version):
        with file.open(newline="") as lines:
            for row in csv.DictReader(lines):
                if not row["epoch"]:  # the learning rate of a step within an epoch
                    continue
                for name, value in row.items():
                    if value and name not in ("epoch", "step"):
                        curves[name][int(row["epoch"])] = float(value)
    return dict(curves)


def _version(file: Path) -> int:
    return int(file.parent.name.removeprefix("version_"))


def draw_curves(curves: Curves, primary_metric: str, file: Path, title: str = "") -> None:
    """A PNG with the loss of both splits on the left and the headline metric on the right."""
    from matplotlib.figure import Figure

    from poselab.io.files import replacing

    # Not pyplot's: a notebook that trains keeps the backend that shows its own figures.
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for split, colour in (("train", "tab:blue"), ("val", "tab:orange")):
        for name in (f"{split}/loss", *sorted(n for n in curves if n.startswith(f"{split}/loss_"))):
            if name in curves:
                left.plot(*_points(curves[name]), color=colour, marker=".", label=name)
    left.set(xlabel="epoch", ylabel="loss", yscale="log")
    left.legend(frameon=False)
    if f"val/{primary_metric}" in curves:
        epochs, values = _points(curves[f"val/{primary_metric}"])
        right.plot(epochs, [100 * v for v in values], color="tab:green", marker=".")
    right.set(xlabel="epoch", ylabel=f"{primary_metric} (%)", ylim=(0, 100), title=title)
    with replacing(file) as temporary:
        figure.savefig(temporary, dpi=110)


def _points(curve: dict[int, float]) -> tuple[list[int], list[float]]:
    epochs = sorted(curve)
    return [epoch + 1 for epoch in epochs], [curve[epoch] for epoch in epochs]
