"""The page's plots of joints: which ones are wrong, in which way, and what that costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from poselab.evaluation.diagnosis.costs import FALSE_NEGATIVE
from poselab.evaluation.diagnosis.detection_costs import BOXED, EARLY
from poselab.evaluation.diagnosis.keypoint_errors import Kind
from poselab.evaluation.metrics.joint_groups import GROUPS
from poselab.report.plots import WIDE, WIDTH, blank, interval_rows, name_methods, plot, style
from poselab.report.svg import kind_colour, link, method_colour, short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from poselab.evaluation.comparison import Comparison
    from poselab.evaluation.diagnosis.costs import Cost
    from poselab.report.analysis import Analysis
    from poselab.report.plots import Plot, Titles
    from poselab.structures import Floats, Skeleton

    Rows = dict[str, list[int]]

KINDS = tuple(kind.value for kind in Kind)
MOST_PANELS, MOST_ROWS = 6, 26


def joint_rows(skeleton: Skeleton, only: Sequence[int] | None = None) -> Rows:
    """Positions of joints, all or ``only`` some, by their name, left and right together."""
    rows: Rows = {}
    for k in range(len(skeleton)) if only is None else only:
        name = skeleton.keypoints[k]
        both = skeleton.flip_index[k] != k
        rows.setdefault(name.partition("_")[2] if both else name, []).append(k)
    return rows


def error_shares(analysis: Analysis, rows: Rows) -> Floats:
    """The share (R, 4) of each kind of error among diagnosed joints, by the joints of each row."""
    counts = analysis.diagnosis.counts_by_joint()
    sums = np.stack([counts[joints].sum(axis=0) for joints in rows.values()])
    share: Floats = sums[:, 1:] / np.maximum(sums.sum(axis=1), 1)[:, None]
    return share


def joint_errors(analyses: Sequence[Analysis], rows: Rows, guessed: bool = False) -> Plot | None:
    """Kinds of errors of every joint, a panel a method; None for skeletons of very many joints."""
    shown = analyses[:MOST_PANELS]
    if len(rows) > MOST_ROWS:
        return None
    measured = [100 * error_shares(analysis, rows) for analysis in shown]

    def draw(titles: Titles) -> Figure:
        figure = blank(WIDE, 1.2 + 0.27 * len(rows))
        panels = np.atleast_1d(figure.subplots(1, len(shown), sharey=True, sharex=True))
        for axes, analysis, values in zip(panels, shown, measured, strict=True):
            _stacked(axes, analysis.name, list(rows), values, titles)
        name_methods(figure, panels[0])
        return figure

    caption = (
        "Of labelled joints whose person is answered by a pose, left and right together. Jitter is "
        "near its place, an inversion lies at the other side's, a swap at another person's, a miss "
        "at nobody's (Ronchi and Perona 2017)."
    )
    if guessed:
        caption += " How near is near is a guess: nobody published sigmas of this skeleton."
    if len(analyses) > MOST_PANELS:
        caption += f" The first {MOST_PANELS} methods; the table below has all."
    return plot("joint-errors", "Errors of each joint", caption, draw, wide=True)


def _stacked(axes: Axes, method: str, names: list[str], values: Floats, titles: Titles) -> None:
    start = np.zeros(len(names))
    for code, kind in enumerate(KINDS[1:], start=1):
        part = values[:, code - 1]
        bars = axes.barh(
            range(len(names)), part, left=start, height=0.7, color=kind_colour(code), label=kind
        )
        for bar, name, value in zip(bars, names, part, strict=True):
            to = link(sort="worst", joint=name, error=kind, method=method)
            titles[to] = f"{method}, {name.replace('_', ' ')}: {value:.1f} % {kind}"
            bar.set_url(to)
        start += part
    interval_rows(axes, [name.replace("_", " ") for name in names], "% of joints")
    axes.set_title(short(method))


def similarities(analyses: Sequence[Analysis], rows: Rows) -> Plot | None:
    """Mean similarity of every joint, unanswered people included."""
    if len(rows) > MOST_ROWS:
        return None

    def draw(titles: Titles) -> Figure:
        figure = blank(WIDTH, 1.0 + 0.3 * len(rows))
        axes = figure.subplots()
        for m, analysis in enumerate(analyses):
            figures = analysis.joints
            for n, (name, joints) in enumerate(rows.items()):
                value = np.average(
                    figures.similarity[joints], weights=figures.labelled[joints] + 1e-9
                )
                to = link(sort="worst", joint=name, method=analysis.name)
                titles[to] = f"{analysis.name}, {name.replace('_', ' ')}: {value:.2f}"
                label = analysis.name if n == 0 else None
                axes.plot([value], [n], linestyle="", markersize=6, **style(m, label, to))
        interval_rows(axes, [name.replace("_", " ") for name in rows], "mean similarity")
        axes.grid(axis="y", visible=True)
        name_methods(figure, axes)
        return figure

    caption = "Keypoint similarity, of which OKS is the mean; 0 where nobody answers."
    return plot("similarity", "Similarity of each joint", caption, draw)


SEEN_AS = {EARLY: FALSE_NEGATIVE, BOXED: FALSE_NEGATIVE}
"""Errors of which the images are found by another's name."""


def cost_link(cost: Cost, method: str) -> str:
    """The images behind what a kind of error costs a method."""
    return link(sort="worst", error=SEEN_AS.get(cost.kind, cost.kind), method=method)


def costs(analyses: Sequence[Analysis]) -> Plot | None:
    """What each kind of error costs; None for metrics without."""
    if not all(analysis.costs for analysis in analyses):
        return None
    kinds = [cost.kind for cost in analyses[0].costs]

    def draw(titles: Titles) -> Figure:
        figure = blank(WIDTH, 1.0 + len(kinds) * (0.16 + 0.1 * len(analyses)))
        axes = figure.subplots()
        height = 0.8 / len(analyses)
        for m, analysis in enumerate(analyses):
            gains = [100 * cost.gain for cost in analysis.costs]
            rows = np.arange(len(kinds)) - 0.4 + (m + 0.5) * height
            colour = method_colour(m)
            bars = axes.barh(
                rows, gains, height=0.9 * height, color=colour, label=short(analysis.name)
            )
            for bar, cost in zip(bars, analysis.costs, strict=True):
                to = cost_link(cost, analysis.name)
                titles[to] = f"{analysis.name}: {cost.count:,} × {cost.kind}, {100 * cost.gain:.1f}"
                bar.set_url(to)
        interval_rows(axes, [kind.replace("_", " ") for kind in kinds], "AP gained (points)")
        name_methods(figure, axes)
        return figure

    caption = "How much AP would rise if all errors of one kind were put right and nothing else."
    return plot("costs", "What errors cost", caption, draw)


def joint_rates(comparison: Comparison) -> Plot | None:
    """PCK or PCKh of every group of joints with its interval; None for metrics without."""
    groups = [g for g in GROUPS if f"{comparison.primary_metric}/{g}" in comparison.keys]
    if not groups:
        return None
    places = [comparison.keys.index(f"{comparison.primary_metric}/{group}") for group in groups]

    def draw(titles: Titles) -> Figure:
        figure = blank(WIDTH, 1.0 + 0.42 * len(groups))
        axes = figure.subplots()
        for m, method in enumerate(comparison.methods):
            low, high = (100 * limits[places] for limits in method.replicates.interval())
            apart = 0.5 * ((m + 0.5) / len(comparison.methods) - 0.5)
            for n, (group, value) in enumerate(
                zip(groups, method.replicates.values[places], strict=True)
            ):
                to = link(sort="worst", joint=group, method=method.name)
                titles[to] = (
                    f"{method.name}, {group}: {100 * value:.1f} [{low[n]:.1f}, {high[n]:.1f}]"
                )
                axes.plot([low[n], high[n]], [n + apart] * 2, color=method_colour(m), url=to)
                looks = style(m, method.name if n == 0 else None, to)
                axes.plot([100 * value], [n + apart], linestyle="", markersize=6, **looks)
        interval_rows(axes, groups, f"{comparison.primary_metric} (%)")
        name_methods(figure, axes)
        return figure

    return plot("rates", f"{comparison.primary_metric} of each joint", "With 95 % intervals.", draw)
