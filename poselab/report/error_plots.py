"""The report's plots of joints: which are wrong, how, and what that costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from poselab.evaluation.diagnosis.costs import FALSE_NEGATIVE
from poselab.evaluation.diagnosis.detection_costs import DETECTED_FALSE_NEGATIVE, UNDETECTED
from poselab.evaluation.diagnosis.keypoint_errors import KeypointStatus
from poselab.evaluation.metrics.joint_groups import GROUPS
from poselab.report.plots import (
    WIDE,
    WIDTH,
    add_legend,
    label_rows,
    make_plot,
    marker_style,
    new_figure,
)
from poselab.report.svg import browser_link, error_colour, method_colour, shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from poselab.evaluation.comparison import Comparison
    from poselab.evaluation.diagnosis.costs import ErrorCost
    from poselab.report.analysis import Analysis
    from poselab.report.plots import Plot, Tooltips
    from poselab.structures import Floats, Skeleton

    JointRows = dict[str, list[int]]

STATUSES = tuple(status.value for status in KeypointStatus)
MAX_PANELS, MAX_ROWS = 6, 26


def joint_rows(skeleton: Skeleton, only: Sequence[int] | None = None) -> JointRows:
    """Indices of joints, all or ``only`` some, by name, left and right together."""
    rows: JointRows = {}
    for k in range(len(skeleton)) if only is None else only:
        name = skeleton.keypoints[k]
        has_sides = skeleton.flip_index[k] != k
        rows.setdefault(name.partition("_")[2] if has_sides else name, []).append(k)
    return rows


def error_shares(analysis: Analysis, rows: JointRows) -> Floats:
    """The share (R, 4) of each error among the diagnosed keypoints of each row."""
    counts = analysis.diagnosis.counts_by_joint()
    sums = np.stack([counts[joints].sum(axis=0) for joints in rows.values()])
    share: Floats = sums[:, 1:] / np.maximum(sums.sum(axis=1), 1)[:, None]
    return share


def joint_errors_plot(
    analyses: Sequence[Analysis], rows: JointRows, guessed_sigmas: bool = False
) -> Plot | None:
    """Errors of every joint, one panel per method; None for skeletons of very many joints."""
    drawn = analyses[:MAX_PANELS]
    if len(rows) > MAX_ROWS:
        return None
    shares = [100 * error_shares(analysis, rows) for analysis in drawn]

    def draw(tooltips: Tooltips) -> Figure:
        figure = new_figure(WIDE, 1.2 + 0.27 * len(rows))
        panels = np.atleast_1d(figure.subplots(1, len(drawn), sharey=True, sharex=True))
        for axes, analysis, values in zip(panels, drawn, shares, strict=True):
            _draw_stacked(axes, analysis.name, list(rows), values, tooltips)
        add_legend(figure, panels[0])
        return figure

    caption = (
        "Share of the labelled keypoints of matched instances, left and right together. Jitter: "
        "near the ground truth; inversion: at the other side's joint; swap: at another person's "
        "joint; miss: at no joint (Ronchi and Perona 2017)."
    )
    if guessed_sigmas:
        caption += " The tolerances are a guess: this skeleton has no published sigmas."
    if len(analyses) > MAX_PANELS:
        caption += f" The first {MAX_PANELS} methods; the table below has all."
    return make_plot("joint-errors", "Errors of each joint", caption, draw, wide=True)


def _draw_stacked(
    axes: Axes, method: str, names: list[str], values: Floats, tooltips: Tooltips
) -> None:
    start = np.zeros(len(names))
    for code, error in enumerate(STATUSES[1:], start=1):
        share = values[:, code - 1]
        colour = error_colour(code)
        bars = axes.barh(
            range(len(names)), share, left=start, height=0.7, color=colour, label=error
        )
        for bar, name, value in zip(bars, names, share, strict=True):
            to = browser_link(sort="worst", joint=name, error=error, method=method)
            tooltips[to] = f"{method}, {name.replace('_', ' ')}: {value:.1f} % {error}"
            bar.set_url(to)
        start += share
    label_rows(axes, [name.replace("_", " ") for name in names], "% of keypoints")
    axes.set_title(shorten(method))


def similarity_plot(analyses: Sequence[Analysis], rows: JointRows) -> Plot | None:
    """Mean similarity of every joint, unmatched instances included."""
    if len(rows) > MAX_ROWS:
        return None

    def draw(tooltips: Tooltips) -> Figure:
        figure = new_figure(WIDTH, 1.0 + 0.3 * len(rows))
        axes = figure.subplots()
        for m, analysis in enumerate(analyses):
            for n, (name, joints) in enumerate(rows.items()):
                weights = analysis.joints.labelled[joints] + 1e-9
                value = np.average(analysis.joints.similarity[joints], weights=weights)
                to = browser_link(sort="worst", joint=name, method=analysis.name)
                tooltips[to] = f"{analysis.name}, {name.replace('_', ' ')}: {value:.2f}"
                label = analysis.name if n == 0 else None
                axes.plot([value], [n], linestyle="", markersize=6, **marker_style(m, label, to))
        label_rows(axes, [name.replace("_", " ") for name in rows], "mean similarity")
        axes.grid(axis="y", visible=True)
        add_legend(figure, axes)
        return figure

    caption = (
        "Keypoint similarity, whose mean over an instance's keypoints is OKS; 0 for instances "
        "without a matched pose."
    )
    return make_plot("similarity", "Similarity of each joint", caption, draw)


def cost_link(cost: ErrorCost, method: str) -> str:
    """The images with one type of error of a method."""
    is_false_negative = cost.error in (UNDETECTED, DETECTED_FALSE_NEGATIVE)
    error = FALSE_NEGATIVE if is_false_negative else cost.error
    return browser_link(sort="worst", error=error, method=method)


def error_costs_plot(analyses: Sequence[Analysis]) -> Plot | None:
    """What each type of error costs; None for metrics without."""
    if not all(analysis.costs for analysis in analyses):
        return None
    errors = [cost.error for cost in analyses[0].costs]
    height = 0.8 / len(analyses)

    def draw(tooltips: Tooltips) -> Figure:
        figure = new_figure(WIDTH, 1.0 + len(errors) * (0.16 + 0.1 * len(analyses)))
        axes = figure.subplots()
        for m, analysis in enumerate(analyses):
            gains = [100 * cost.gain for cost in analysis.costs]
            rows = np.arange(len(errors)) - 0.4 + (m + 0.5) * height
            colour, label = method_colour(m), shorten(analysis.name)
            bars = axes.barh(rows, gains, height=0.9 * height, color=colour, label=label)
            for bar, cost in zip(bars, analysis.costs, strict=True):
                to = cost_link(cost, analysis.name)
                gain = f"{100 * cost.gain:.1f}"
                tooltips[to] = f"{analysis.name}: {cost.count:,} × {cost.error}, {gain}"
                bar.set_url(to)
        label_rows(axes, errors, "AP gained (points)")
        add_legend(figure, axes)
        return figure

    caption = "The AP gained if all errors of one type were corrected and nothing else."
    return make_plot("costs", "What errors cost", caption, draw)


def joint_rates_plot(comparison: Comparison) -> Plot | None:
    """PCK or PCKh of every group of joints with its interval; None for metrics without."""
    groups = [g for g in GROUPS if f"{comparison.primary_metric}/{g}" in comparison.keys]
    if not groups:
        return None
    places = [comparison.keys.index(f"{comparison.primary_metric}/{group}") for group in groups]

    def draw(tooltips: Tooltips) -> Figure:
        figure = new_figure(WIDTH, 1.0 + 0.42 * len(groups))
        axes = figure.subplots()
        for m, method in enumerate(comparison.methods):
            values = 100 * method.replicates.values[places]
            low, high = (100 * ends[places] for ends in method.replicates.interval())
            shift = 0.5 * ((m + 0.5) / len(comparison.methods) - 0.5)
            for n, (group, value) in enumerate(zip(groups, values, strict=True)):
                to = browser_link(sort="worst", joint=group, method=method.name)
                interval = f"[{low[n]:.1f}, {high[n]:.1f}]"
                tooltips[to] = f"{method.name}, {group}: {value:.1f} {interval}"
                row = n + shift
                axes.plot([low[n], high[n]], [row, row], color=method_colour(m), url=to)
                style = marker_style(m, method.name if n == 0 else None, to)
                axes.plot([value], [row], linestyle="", markersize=6, **style)
        label_rows(axes, groups, f"{comparison.primary_metric} (%)")
        add_legend(figure, axes)
        return figure

    heading = f"{comparison.primary_metric} of each joint"
    return make_plot("rates", heading, "With 95 % confidence intervals.", draw)
