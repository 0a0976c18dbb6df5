"""What boxes cost a top-down method: a figure for a file, and a section of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from poselab.evaluation.diagnosis.costs import FALSE_NEGATIVE
from poselab.evaluation.diagnosis.detection_costs import apart
from poselab.evaluation.diagnosis.undetected import FOUND
from poselab.io.files import replacing
from poselab.report import error_plots as error_figures
from poselab.report.comparison_table import p_text
from poselab.report.page import Section
from poselab.report.page_tables import Linked
from poselab.report.plots import (
    DASHES,
    WIDE,
    WIDTH,
    blank,
    interval_rows,
    name_methods,
    plot,
    style,
)
from poselab.report.svg import PAPER, link, part_colour, short

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from poselab.annotations.table import Annotations
    from poselab.evaluation.diagnosis.detection_costs import BoxCost, Part
    from poselab.evaluation.metrics.oks import OksEvaluator
    from poselab.report.analysis import Analysis
    from poselab.report.page import More
    from poselab.report.page_tables import LinkedRow
    from poselab.report.plots import Plot, Titles
    from poselab.report.tables import Row

PARTS = ("AP", "missed people", "poor boxes", "pose errors")
_ON_PAPER = ("#3b6ea5", "#c0504d", "#d9a441", "#9a9a9a")
_ROOM = 4.0  # points that a figure inside a bar needs


def ends(cost: BoxCost) -> list[float]:
    """Where the four parts of a bar of 100 points end; parts below zero are as none."""
    sums = np.cumsum([cost.ap.value, cost.early.value, cost.boxes.value, cost.poses.value])
    return [100 * float(end) for end in np.maximum.accumulate(sums)]


def draw_decomposition(costs: Sequence[BoxCost], file: Path) -> None:
    """One bar a source of boxes: its AP, and where the rest of 100 points goes, as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 1.2 + 0.45 * len(costs)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for n, (part, colour) in enumerate(zip(PARTS, _ON_PAPER, strict=True)):
        lefts = [([0.0, *ends(cost)])[n] for cost in costs]
        widths = [ends(cost)[n] - left for cost, left in zip(costs, lefts, strict=True)]
        axes.barh(range(len(costs)), widths, left=lefts, color=colour, label=part)
    axes.set_yticks(range(len(costs)), [cost.source.name for cost in costs])
    axes.set(xlabel="points", xlim=(0, 100), ylim=(len(costs) - 0.5, -0.5))
    figure.legend(loc="outside upper right", ncols=len(PARTS), frameon=False)
    with replacing(file) as temporary:
        figure.savefig(temporary, dpi=150)


def decomposition_rows(costs: Sequence[BoxCost]) -> list[Row]:
    """One row a source of boxes; points in percent with their limits."""
    return [_row(cost) for cost in costs]


def _row(cost: BoxCost) -> Row:
    missed, ground_truth = cost.source.commitment, np.isnan(cost.p)
    return {
        "boxes": cost.source.name,
        "box AP": cost.source.person_ap,
        "an image": f"{cost.source.number / cost.images:.2f}",
        "IoU": f"{missed.mean_overlap:.2f}",
        "no box": f"{len(missed.missed):,} ({100 * missed.miss_rate:.1f} %)",
        "AP": _spoken(cost.ap),
        "from true boxes": "–" if ground_truth else _spoken(cost.from_truth, "+"),
        "p": "–" if ground_truth else p_text(cost.p),
        "missed people": _spoken(cost.early) if len(missed.missed) else "–",
        "poor boxes": "–" if ground_truth else _spoken(cost.boxes),
        "pose errors": _spoken(cost.poses),
    }


def _spoken(part: Part, sign: str = "") -> str:
    value, low, high = (100 * figure + 0.0 for figure in part)
    return f"{value:{sign}.1f} [{low:{sign}.1f}, {high:{sign}.1f}]"


def boxes_section(
    costs: Sequence[BoxCost], annotations: Annotations, evaluator: OksEvaluator
) -> More:
    """The page's section of what boxes cost, with early commitment among the kinds of errors."""

    def more(analyses: Sequence[Analysis]) -> list[Section]:
        named = {cost.source.name: cost for cost in costs}
        told = [_told(a, named[a.name], annotations, evaluator) for a in analyses]
        errors = error_figures.costs(told)
        kept = [errors._replace(heading=_HEADING)] if errors else []
        plots = [_points(costs), *kept, _coverage(costs, [a.name for a in analyses])]
        table = [_linked(cost, told) for cost in costs]
        kinds = [("Every error as a table: AP gained, and how often it happens", _kinds(told))]
        return [Section("boxes", "What boxes cost", plots, kinds, table, _NOTES)]

    return more


_HEADING = "What errors cost, people without a box apart"
_NOTES = (
    "The same run on every source of boxes; truth is the annotated (GT) boxes. Points of AP with "
    "95 % limits, differences paired: both sides are scored on the same draws of images, and p "
    "is corrected as in the table above. AP, missed people, poor boxes and pose errors of a row "
    "add up to 100. Box AP is COCO's of the boxes themselves.",
    "Missed people (early commitment) have no box that overlaps them by an IoU of 0.5 or more, one "
    "box a person. What they cost is the AP that comes back with their true boxes added, scored "
    "as the median of the boxes that show somebody. Poor boxes: what then lacks to the AP on true "
    "boxes, which is place, size, doubles and boxes of nobody; below zero where the boxes' scores "
    "rank poses better than equal ones do. Pose errors: what lacks to 100 on true boxes.",
)


def _told(
    analysis: Analysis, cost: BoxCost, annotations: Annotations, evaluator: OksEvaluator
) -> Analysis:
    kinds = apart(analysis.costs, cost, analysis.diagnosis, annotations, evaluator)
    return analysis._replace(costs=kinds)


def _points(costs: Sequence[BoxCost]) -> Plot:
    ground_truth = costs[0].source.name

    def draw(titles: Titles) -> Figure:
        figure = blank(WIDE, 0.9 + 0.42 * len(costs))
        axes = figure.subplots()
        for row, cost in enumerate(costs):
            _bar(axes, row, cost, _views(cost.source.name, ground_truth), titles)
        interval_rows(axes, [cost.source.name for cost in costs], "points")
        axes.set_xlim(0, 100)
        handles = [bars[0] for bars in axes.containers[: len(PARTS)]]
        figure.legend(handles, PARTS, loc="outside upper right", ncols=len(PARTS))
        return figure

    caption = "Every bar is 100 points; parts below zero are not drawn, the table has them."
    return plot("points", "Where the points from 100 go", caption, draw, wide=True)


def _views(name: str, ground_truth: str) -> tuple[str, ...]:
    """The images behind each part of a source's bar."""
    differing = link(sort="disagreement", show=name) + "&" + link(show=ground_truth)[1:]
    lost = link(sort="worst", error=FALSE_NEGATIVE, method=name)
    return link(show=name), lost, differing, link(sort="worst", method=name)


def _bar(axes: Axes, row: int, cost: BoxCost, views: Sequence[str], titles: Titles) -> None:
    name, starts = cost.source.name, [0.0, *ends(cost)]
    for n, (part, to) in enumerate(zip(PARTS, views, strict=True)):
        width = starts[n + 1] - starts[n]
        titles[to] = f"{short(name)}: {part} {width:.1f}"
        bars = axes.barh([row], [width], left=starts[n], height=0.7, color=part_colour(n))
        bars[0].set_url(to)
        if width >= _ROOM:
            middle = starts[n] + width / 2
            axes.text(middle, row, f"{width:.1f}", ha="center", va="center", color=PAPER)


def _coverage(costs: Sequence[BoxCost], order: Sequence[str]) -> Plot:
    """The share of people whom a box shows with at least some IoU, in the methods' colours."""

    def draw(titles: Titles) -> Figure:
        figure = blank(WIDTH, 4.2)
        axes = figure.subplots()
        limits = np.linspace(FOUND, 1, 101)
        for name, overlap in ((c.source.name, c.source.commitment.overlap) for c in costs):
            m, to = order.index(name), link(sort="worst", show=name)
            titles[to] = f"{name} alone"
            looks = style(m, name, to) | {"marker": ""}
            shown = 100 * (overlap + 1e-9 >= limits[:, None]).mean(axis=1)
            axes.plot(limits, shown, linestyle=DASHES[m % 4], **looks)
        axes.set(xlabel="IoU of box and person", ylabel="people shown (%)", xlim=(FOUND, 1))
        axes.set_ylim(0, 101)
        name_methods(figure, axes)
        return figure

    caption = "How many people have a box that overlaps theirs so much or more, one box a person."
    return plot("coverage", "How well boxes show people", caption, draw)


def _linked(cost: BoxCost, analyses: Sequence[Analysis]) -> LinkedRow:
    """The row with its source in its colour, and who was missed led to; the limits of AP itself
    stand in the page's summary."""
    row, name = _row(cost), cost.source.name
    colour = [analysis.name for analysis in analyses].index(name)
    missed = link(sort="worst", error=FALSE_NEGATIVE, method=name)
    return {
        **row,
        "boxes": Linked(name, link(sort="worst", show=name), colour),
        "no box": Linked(str(row["no box"]), missed),
        "AP": f"{100 * cost.ap.value:.1f}",
    }


def _kinds(analyses: Sequence[Analysis]) -> list[LinkedRow]:
    """How often every kind of error happens and what it costs: a row a kind."""
    table: list[LinkedRow] = []
    for n, first in enumerate(analyses[0].costs):
        row: LinkedRow = {"error": first.kind}
        for analysis in analyses:
            cost = analysis.costs[n]
            error = error_figures.SEEN_AS.get(cost.kind, cost.kind)
            to = link(sort="worst", error=error, method=analysis.name)
            row[analysis.name] = Linked(f"{100 * cost.gain:.1f} ({cost.count:,})", to)
        table.append(row)
    return table
