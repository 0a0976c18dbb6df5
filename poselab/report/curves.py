"""Learning curves of a run, from the CSV files that its logger wrote."""

from __future__ import annotations

import csv
from collections import defaultdict
from typing import TYPE_CHECKING

from poselab.report.plots import WIDE, make_plot, new_figure
from poselab.report.svg import method_colour

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from poselab.report.plots import Plot, Tooltips

Curves = dict[str, dict[int, float]]
"""Metric → epoch → value."""


def read_curves(folder: Path) -> Curves:
    """All curves of a run; where a resumed run repeated an epoch, the later values count."""
    curves: Curves = defaultdict(dict)
    # By number, because version_10 comes after version_9.
    files = sorted(
        folder.glob("logs/version_*/metrics.csv"),
        key=lambda file: int(file.parent.name.removeprefix("version_")),
    )
    for file in files:
        with file.open(newline="") as lines:
            for row in csv.DictReader(lines):
                if not row["epoch"]:  # the learning rate of a step within an epoch
                    continue
                for name, value in row.items():
                    if value and name not in ("epoch", "step"):
                        curves[name][int(row["epoch"])] = float(value)
    return dict(curves)


def draw_curves(curves: Curves, primary_metric: str, file: Path, title: str = "") -> None:
    """A PNG with the losses of both splits on the left and the primary metric on the right."""
    from matplotlib.figure import Figure

    from poselab.io.files import replacing

    # Without pyplot, so that a notebook that trains keeps its own backend.
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for split, colour in (("train", "tab:blue"), ("val", "tab:orange")):
        for name in (f"{split}/loss", *sorted(n for n in curves if n.startswith(f"{split}/loss_"))):
            if name in curves:
                left.plot(*_points(curves[name]), color=colour, marker=".", label=name)
    losses = [v for name, curve in curves.items() if "/loss" in name for v in curve.values()]
    # Minus a log-likelihood falls below zero.
    left.set(
        xlabel="epoch", ylabel="loss", yscale="log" if min(losses, default=1) > 0 else "linear"
    )
    left.legend(frameon=False)
    if f"val/{primary_metric}" in curves:
        epochs, values = _points(curves[f"val/{primary_metric}"])
        right.plot(epochs, [100 * v for v in values], color="tab:green", marker=".")
    right.set(xlabel="epoch", ylabel=f"{primary_metric} (%)", ylim=(0, 100), title=title)
    with replacing(file) as temporary:
        figure.savefig(temporary, dpi=110)


def learning_curve_plot(curves: Curves, primary_metric: str) -> Plot | None:
    """The report's plot of loss and primary metric over epochs; None without any."""
    losses = [name for name in ("train/loss", "val/loss") if name in curves]
    metrics = [name for name in (f"val/{primary_metric}",) if name in curves]
    panels = [names for names in (losses, metrics) if names]
    if not panels:
        return None

    def draw(_: Tooltips) -> Figure:
        figure = new_figure(WIDE, 3.4)
        for n, names in enumerate(panels):
            axes = figure.add_subplot(1, len(panels), n + 1)
            title, scale = (f"{primary_metric} (%)", 100) if names is metrics else ("loss", 1)
            _draw_panel(axes, {name: curves[name] for name in names}, title, scale)
        return figure

    caption = "As recorded by the run's logger."
    return make_plot("learning", "Learning curves", caption, draw, wide=True)


def _draw_panel(axes: Axes, curves: Curves, title: str, scale: float) -> None:
    from matplotlib.ticker import MaxNLocator

    for m, (name, curve) in enumerate(curves.items()):
        epochs, values = _points(curve)
        scaled = [scale * value for value in values]
        axes.plot(epochs, scaled, color=method_colour(m), marker=".", label=name)
    axes.set(xlabel="epoch", title=title)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="best")


def _points(curve: dict[int, float]) -> tuple[list[int], list[float]]:
    epochs = sorted(curve)
    return [epoch + 1 for epoch in epochs], [curve[epoch] for epoch in epochs]
