"""What boxes cost a top-down method: rows of a table, a PNG, and a section of the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from poselab.evaluation.diagnosis.costs import FALSE_NEGATIVE
from poselab.evaluation.diagnosis.detection_costs import split_false_negatives
from poselab.evaluation.diagnosis.undetected import MIN_IOU
from poselab.io.files import replacing
from poselab.report.comparison_table import format_p
from poselab.report.error_plots import error_costs_plot
from poselab.report.page import Section
from poselab.report.page_tables import LinkedCell, linked_costs_with_counts
from poselab.report.plots import (
    DASHES,
    WIDE,
    WIDTH,
    add_legend,
    label_rows,
    make_plot,
    marker_style,
    new_figure,
)
from poselab.report.svg import PAPER, browser_link, part_colour, shorten

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from poselab.annotations.table import Annotations
    from poselab.evaluation.diagnosis.detection_costs import DetectionCost
    from poselab.evaluation.metrics.oks import OksEvaluator
    from poselab.evaluation.statistics.estimate import Estimate
    from poselab.report.analysis import Analysis
    from poselab.report.page import ExtraSections
    from poselab.report.page_tables import LinkedRow
    from poselab.report.plots import Plot, Tooltips
    from poselab.report.tables import Row

PARTS = ("AP", "undetected", "poor boxes", "pose errors")
_PNG_COLOURS = ("#3b6ea5", "#c0504d", "#d9a441", "#9a9a9a")
_MIN_LABELLED = 4.0  # points that a number inside a bar needs

_HEADING = "What errors cost, with undetected instances apart"
_NOTES = (
    "The same run on every source of boxes; ground_truth means the annotated boxes. Points of AP "
    "with 95 % confidence intervals; differences are paired, on the same bootstrap samples, and p "
    "is corrected as in the table above. AP, undetected, poor boxes and pose errors of a row add "
    "up to 100. Box AP is COCO's AP of the boxes themselves.",
    "Undetected instances have no box with an IoU of 0.5 or more, one box per instance. What they "
    "cost is the AP gained by adding their ground-truth boxes, scored as the median of the boxes "
    "that detect an instance (early commitment). Poor boxes: what is then still missing to the AP "
    "on ground-truth boxes, due to position, size, duplicates and false positives; below zero "
    "where the boxes' scores rank poses better than equal scores do. Pose errors: what is missing "
    "to 100 on ground-truth boxes.",
)


def bar_ends(cost: DetectionCost) -> list[float]:
    """Where the four parts of a bar of 100 points end; parts below zero have no width."""
    parts = (cost.ap, cost.undetected, cost.poor_boxes, cost.pose_errors)
    sums = np.cumsum([part.value for part in parts])
    return [100 * float(end) for end in np.maximum.accumulate(sums)]


def draw_detection_costs(costs: Sequence[DetectionCost], file: Path) -> None:
    """One bar per source of boxes: its AP, and what the rest of 100 points is lost to, as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 1.2 + 0.45 * len(costs)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for n, (part, colour) in enumerate(zip(PARTS, _PNG_COLOURS, strict=True)):
        starts = [([0.0, *bar_ends(cost)])[n] for cost in costs]
        widths = [bar_ends(cost)[n] - start for cost, start in zip(costs, starts, strict=True)]
        axes.barh(range(len(costs)), widths, left=starts, color=colour, label=part)
    axes.set_yticks(range(len(costs)), [cost.source.name for cost in costs])
    axes.set(xlabel="points of AP", xlim=(0, 100), ylim=(len(costs) - 0.5, -0.5))
    figure.legend(loc="outside upper right", ncols=len(PARTS), frameon=False)
    with replacing(file) as temporary:
        figure.savefig(temporary, dpi=150)


def detection_cost_rows(costs: Sequence[DetectionCost]) -> list[Row]:
    """One row per source of boxes; points of AP with their confidence intervals."""
    return [_row(cost) for cost in costs]


def _row(cost: DetectionCost) -> Row:
    matches, is_ground_truth = cost.source.matches, np.isnan(cost.p)
    undetected = f"{len(matches.undetected):,} ({100 * matches.undetected_rate:.1f} %)"
    return {
        "boxes": cost.source.name,
        "box AP": cost.source.person_ap,
        "per image": f"{cost.source.num_boxes / cost.num_images:.2f}",
        "mean IoU": f"{matches.mean_iou:.2f}",
        "no box": undetected,
        "AP": _points(cost.ap),
        "from ground truth": "–" if is_ground_truth else _points(cost.difference, "+"),
        "p": "–" if is_ground_truth else format_p(cost.p),
        "undetected": _points(cost.undetected) if len(matches.undetected) else "–",
        "poor boxes": "–" if is_ground_truth else _points(cost.poor_boxes),
        "pose errors": _points(cost.pose_errors),
    }


def _points(estimate: Estimate, sign: str = "") -> str:
    value, low, high = (100 * each + 0.0 for each in estimate)
    return f"{value:{sign}.1f} [{low:{sign}.1f}, {high:{sign}.1f}]"


def detection_costs_section(
    costs: Sequence[DetectionCost], annotations: Annotations, evaluator: OksEvaluator
) -> ExtraSections:
    """The report's section on boxes, with undetected instances as a separate error."""

    def sections(analyses: Sequence[Analysis]) -> list[Section]:
        by_name = {cost.source.name: cost for cost in costs}
        split = [
            analysis._replace(
                costs=split_false_negatives(
                    analysis.costs,
                    by_name[analysis.name],
                    analysis.diagnosis,
                    annotations,
                    evaluator,
                )
            )
            for analysis in analyses
        ]
        names = [analysis.name for analysis in analyses]
        errors = error_costs_plot(split)
        plots = [_parts_plot(costs), _coverage_plot(costs, names)]
        if errors:
            plots.insert(1, errors._replace(heading=_HEADING))
        caption = "All errors as a table: AP gained by correcting them (and how many there are)"
        tables = [(caption, linked_costs_with_counts(split))]
        table = [_linked_row(cost, names) for cost in costs]
        return [Section("boxes", "What boxes cost", plots, tables, table, _NOTES)]

    return sections


def _parts_plot(costs: Sequence[DetectionCost]) -> Plot:
    ground_truth = costs[0].source.name

    def draw(tooltips: Tooltips) -> Figure:
        figure = new_figure(WIDE, 0.9 + 0.42 * len(costs))
        axes = figure.subplots()
        for row, cost in enumerate(costs):
            _draw_bar(axes, row, cost, _part_links(cost.source.name, ground_truth), tooltips)
        label_rows(axes, [cost.source.name for cost in costs], "points of AP")
        axes.set_xlim(0, 100)
        handles = [bars[0] for bars in axes.containers[: len(PARTS)]]
        figure.legend(handles, PARTS, loc="outside upper right", ncols=len(PARTS))
        return figure

    caption = "Every bar is 100 points. Parts below zero are not drawn; the table has them."
    return make_plot("points", "AP and what is lost", caption, draw, wide=True)


def _part_links(name: str, ground_truth: str) -> tuple[str, ...]:
    """The images behind each part of a source's bar."""
    differing = browser_link(sort="disagreement", show=name)
    differing += "&" + browser_link(show=ground_truth)[1:]
    undetected = browser_link(sort="worst", error=FALSE_NEGATIVE, method=name)
    pose_errors = browser_link(sort="worst", method=name)
    return browser_link(show=name), undetected, differing, pose_errors


def _draw_bar(
    axes: Axes, row: int, cost: DetectionCost, links: Sequence[str], tooltips: Tooltips
) -> None:
    name, ends = cost.source.name, [0.0, *bar_ends(cost)]
    for n, (part, to) in enumerate(zip(PARTS, links, strict=True)):
        width = ends[n + 1] - ends[n]
        tooltips[to] = f"{shorten(name)}: {part} {width:.1f}"
        bars = axes.barh([row], [width], left=ends[n], height=0.7, color=part_colour(n))
        bars[0].set_url(to)
        if width >= _MIN_LABELLED:
            middle = ends[n] + width / 2
            axes.text(middle, row, f"{width:.1f}", ha="center", va="center", color=PAPER)


def _coverage_plot(costs: Sequence[DetectionCost], order: Sequence[str]) -> Plot:
    """The share of instances whose box has at least some IoU, in the methods' colours."""

    def draw(tooltips: Tooltips) -> Figure:
        figure = new_figure(WIDTH, 4.2)
        axes = figure.subplots()
        thresholds = np.linspace(MIN_IOU, 1, 101)
        for cost in costs:
            name, iou = cost.source.name, cost.source.matches.iou
            m, to = order.index(name), browser_link(sort="worst", show=name)
            tooltips[to] = f"only {name}"
            share = 100 * (iou + 1e-9 >= thresholds[:, None]).mean(axis=1)
            looks = marker_style(m, name, to) | {"marker": ""}
            axes.plot(thresholds, share, linestyle=DASHES[m % 4], **looks)
        axes.set(xlabel="IoU of box and instance", ylabel="instances (%)", xlim=(MIN_IOU, 1))
        axes.set_ylim(0, 101)
        add_legend(figure, axes)
        return figure

    caption = "Share of instances that have a box of at least this IoU, one box per instance."
    return make_plot("coverage", "Recall of the boxes", caption, draw)


def _linked_row(cost: DetectionCost, names: Sequence[str]) -> LinkedRow:
    """The row with its source in its colour, undetected instances linked to their images; the
    interval of AP itself stands in the page's summary."""
    row, name = _row(cost), cost.source.name
    to = browser_link(sort="worst", show=name)
    undetected = browser_link(sort="worst", error=FALSE_NEGATIVE, method=name)
    return {
        **row,
        "boxes": LinkedCell(name, to, names.index(name)),
        "no box": LinkedCell(str(row["no box"]), undetected),
        "AP": f"{100 * cost.ap.value:.1f}",
    }
