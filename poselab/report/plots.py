"""The report's plots of whole methods; every bar and point leads to the images behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.report.svg import INK, MUTED, browser_link, method_colour, render_svg, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from poselab.evaluation.comparison import Comparison, Pair
    from poselab.evaluation.metrics.breakdown import Breakdown
    from poselab.report.analysis import Analysis

    Tooltips = dict[str, str]

WIDTH, WIDE = 6.2, 12.8  # inches, of a plot in one column of the page and in both
MARKERS = "os^DvPX*<"
DASHES = ("-", (0, (6, 1.5)), (0, (3, 1.5)), (0, (1, 1)))
MAX_PAIRS = 15
MAX_DRAWN = 8
"""Methods whose markers or bars are still distinct side by side in one plot."""
SIGNIFICANCE_LEVEL = 0.05


class Plot(NamedTuple):
    """A plot of the page: name and heading, the SVG, its caption, and whether it is wide."""

    name: str
    heading: str
    svg: str
    caption: str
    wide: bool = False


def make_plot(
    name: str, heading: str, caption: str, draw: Callable[[Tooltips], Figure], wide: bool = False
) -> Plot:
    """A plot in the page's style; ``draw`` fills in the tooltip of each link."""
    tooltips: Tooltips = {}
    return Plot(name, heading, render_svg(lambda: draw(tooltips), name, tooltips), caption, wide)


def new_figure(width: float, height: float) -> Figure:
    """An empty figure in inches, without pyplot and its windows."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def label_rows(axes: Axes, names: Sequence[str], xlabel: str) -> None:
    """Rows from top to bottom with a name each, values along x."""
    axes.set_yticks(range(len(names)), [shorten(name, 42) for name in names])
    axes.set(xlabel=xlabel, ylim=(len(names) - 0.5, -0.5))
    axes.grid(axis="y", visible=False)


def add_legend(figure: Figure, axes: Axes) -> None:
    """A legend above the panels, unless there is only one name."""
    handles, names = axes.get_legend_handles_labels()
    if len(names) > 1:
        letters = 12 * figure.get_figwidth()  # that fit side by side at the legend's size
        columns = max(1, min(len(names), int(letters / (max(map(len, names)) + 6))))
        figure.legend(handles, names, loc="outside upper right", ncols=columns)


def marker_style(m: int, name: str | None, to: str) -> dict[str, Any]:
    """How the points of method m look and where they lead."""
    return {
        "color": method_colour(m),
        "marker": MARKERS[m % 9],
        "label": name and shorten(name),
        "url": to,
    }


def primary_metric_plot(comparison: Comparison) -> Plot:
    """The primary metric of every method with its interval."""
    place = comparison.keys.index(comparison.primary_metric)

    def draw(tooltips: Tooltips) -> Figure:
        figure = new_figure(WIDTH, 0.9 + 0.34 * len(comparison.methods))
        axes = figure.subplots()
        for row, method in enumerate(comparison.methods):
            value = 100 * method.replicates.values[place]
            low, high = (100 * ends[place] for ends in method.replicates.interval())
            to = browser_link(sort="worst", method=method.name)
            tooltips[to] = f"{method.name}: {value:.1f} [{low:.1f}, {high:.1f}]"
            axes.plot([low, high], [row, row], color=method_colour(row), linewidth=2, url=to)
            axes.plot([value], [row], markersize=8, **marker_style(row, None, to))
        names = [method.name for method in comparison.methods]
        label_rows(axes, names, f"{comparison.primary_metric} (%)")
        return figure

    caption = "With the 95 % confidence interval."
    if comparison.pairs:
        caption = (
            "With 95 % confidence intervals. Intervals of two methods may overlap although their "
            "paired difference is significant."
        )
    return make_plot("primary-metric", comparison.primary_metric, caption, draw)


def forest_plot(comparison: Comparison) -> Plot | None:
    """Paired differences with intervals; of many methods only those from the best one."""
    best = comparison.methods[0].name
    pairs = [p for p in comparison.pairs if len(comparison.pairs) <= MAX_PAIRS or p.first == best]
    if not pairs:
        return None
    place = comparison.keys.index(comparison.primary_metric)

    def draw(tooltips: Tooltips) -> Figure:
        figure = new_figure(WIDTH, 0.9 + 0.34 * len(pairs))
        axes = figure.subplots()
        axes.axvline(0, color=MUTED, linewidth=1)
        for row, pair in enumerate(pairs):
            value, low, high = (100 * part[place] for part in pair.difference[:3])
            to = pair_link(pair)
            interval = f"[{low:+.1f}, {high:+.1f}]"
            tooltips[to] = f"{pair.first} minus {pair.second}: {value:+.1f} {interval}"
            fill = INK if pair.p_corrected < SIGNIFICANCE_LEVEL else "none"
            axes.plot([low, high], [row, row], color=INK, linewidth=2, url=to)
            axes.plot([value], [row], "o", color=INK, markerfacecolor=fill, markersize=8, url=to)
        names = [f"{shorten(pair.first, 20)} − {shorten(pair.second, 20)}" for pair in pairs]
        label_rows(axes, names, f"difference in {comparison.primary_metric} (points)")
        return figure

    caption = (
        "The first method minus the second on the same bootstrap samples, with 95 % confidence "
        "intervals. Filled: significant (p < 0.05 after Holm's correction); hollow: not."
    )
    return make_plot("forest", "Paired differences", caption, draw)


def pair_link(pair: Pair) -> str:
    """The images on which two methods differ most."""
    return (
        browser_link(sort="disagreement", show=pair.first)
        + "&"
        + browser_link(show=pair.second)[1:]
    )


def precision_recall_plot(analyses: Sequence[Analysis]) -> Plot | None:
    """Precision over recall at three thresholds; None for metrics without."""
    precisions = [a.precision for a in analyses if a.precision is not None]
    if len(precisions) < len(analyses):
        return None
    names = ("at OKS 0.5", "at OKS 0.75", "mean over OKS 0.5 to 0.95")

    def draw(tooltips: Tooltips) -> Figure:
        figure = new_figure(WIDE, 3.5)
        panels = figure.subplots(1, 3, sharey=True)
        tooltips |= {browser_link(show=a.name): f"only {a.name}" for a in analyses}
        recall = np.linspace(0, 100, 101)
        for n, (axes, name) in enumerate(zip(panels, names, strict=True)):
            for m, (analysis, precision) in enumerate(zip(analyses, precisions, strict=True)):
                to = browser_link(show=analysis.name)
                style = marker_style(m, analysis.name, to) | {"marker": ""}
                axes.plot(recall, 100 * precision[n], linestyle=DASHES[m % 4], **style)
            axes.set(title=name, xlabel="recall (%)", xlim=(0, 100), ylim=(0, 101))
        panels[0].set_ylabel("precision (%)")
        add_legend(figure, panels[0])
        return figure

    caption = (
        "Poses ranked by score, instances of all sizes; precision interpolated as in COCO, at 101 "
        "recalls."
    )
    return make_plot("precision", "Precision and recall", caption, draw, wide=True)


def calibration_plot(analyses: Sequence[Analysis]) -> Plot | None:
    """Scores over OKS; None where no method's scores differ."""
    if all(np.isnan(a.calibration.pearson) for a in analyses):
        return None

    def draw(tooltips: Tooltips) -> Figure:
        figure = new_figure(WIDTH, 4.2)
        axes = figure.subplots()
        axes.axline((0, 0), (1, 1), color=MUTED, linewidth=1, linestyle=":")
        for m, analysis in enumerate(analyses):
            table = analysis.calibration.reliability
            filled = np.flatnonzero(table.counts)
            r = analysis.calibration.pearson
            correlation = "all scores equal" if np.isnan(r) else f"r = {r:.2f}"
            to = browser_link(show=analysis.name)
            tooltips[to] = f"only {analysis.name}"
            style = marker_style(m, f"{shorten(analysis.name, 18)} ({correlation})", to)
            axes.plot(table.scores[filled], table.quality[filled], markersize=5, **style)
        axes.set(xlabel="mean score of poses", ylabel="mean OKS", ylim=(0, 1))
        axes.legend(loc="upper left")
        return figure

    caption = (
        "Poses matched to an instance, in ten bins of their score. On the dotted line the score "
        "equals the expected OKS; r is Pearson's correlation of score and OKS."
    )
    return make_plot("calibration", "Calibration of scores", caption, draw)


def breakdown_plot(analyses: Sequence[Analysis]) -> Plot | None:
    """AP by size, crowding and labelled joints; None for metrics without."""
    groups = list(zip(*(a.breakdowns for a in analyses), strict=True))
    if not groups:
        return None

    def draw(tooltips: Tooltips) -> Figure:
        figure = new_figure(WIDE, 3.6)
        panels = np.atleast_1d(figure.subplots(1, len(groups), sharey=True))
        names = [analysis.name for analysis in analyses]
        for axes, breakdowns in zip(panels, groups, strict=True):
            _draw_bins(axes, names, breakdowns, tooltips)
        panels[0].set_ylabel("AP (%)")
        add_legend(figure, panels[0])
        return figure

    caption = (
        "AP of the instances of each bin (their number in brackets); all others are ignored, as "
        "COCO ignores instances outside an area range. Crowding is the greatest overlap (IoU) of "
        "an instance's box with another box."
    )
    return make_plot("breakdowns", "Size, crowding, labelled joints", caption, draw, wide=True)


def _draw_bins(
    axes: Axes, methods: Sequence[str], breakdowns: Sequence[Breakdown], tooltips: Tooltips
) -> None:
    first, count = breakdowns[0], len(methods)
    for m, (name, breakdown) in enumerate(zip(methods, breakdowns, strict=True)):
        axes.plot([], [], linestyle="", **marker_style(m, name, ""))  # for the legend alone
        shift = 0.5 * ((m + 0.5) / count - 0.5)
        for n in np.flatnonzero(~np.isnan(breakdown.ap)):
            value, group, label = 100 * breakdown.ap[n], breakdown.what, breakdown.bins[n]
            filters = {group: label} if group in ("size", "crowding") else {}
            to = browser_link(sort="worst", method=name, **filters)
            tooltips[to] = f"{name}, {group} {label}: {value:.1f}"
            axes.plot([n + shift], [value], markersize=7, **marker_style(m, None, to))
    axes.set_xticks(
        range(len(first.bins)),
        [f"{label}\n({n:,})" for label, n in zip(first.bins, first.instances, strict=True)],
    )
    axes.set(title=f"by {first.what}", xlim=(-0.5, len(first.bins) - 0.5))
    axes.grid(axis="x", visible=False)
