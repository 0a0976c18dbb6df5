"""The page's plots of whole methods; every bar and point leads to the images behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.report.svg import INK, MUTED, drawn, link, method_colour, short

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from poselab.evaluation.comparison import Comparison, Pair
    from poselab.evaluation.metrics.breakdown import Breakdown
    from poselab.report.analysis import Analysis

    Titles = dict[str, str]

WIDTH, WIDE = 6.2, 12.8  # inches, of a figure in one column of the page and in both
MARKERS = "os^DvPX*<"
DASHES = ("-", (0, (6, 1.5)), (0, (3, 1.5)), (0, (1, 1)))
MOST_PAIRS = 15
MOST_DRAWN = 8
"""Methods whose marks or bars still stay apart side by side in one plot."""
SIGNIFICANT = 0.05


class Plot(NamedTuple):
    """A figure of the page: name and heading, the SVG, what stands below, whether it is wide."""

    name: str
    heading: str
    svg: str
    caption: str
    wide: bool = False


def plot(
    name: str, heading: str, caption: str, draw: Callable[[Titles], Figure], wide: bool = False
) -> Plot:
    """A figure drawn in the page's style; ``draw`` fills in what each of its links shows."""
    titles: Titles = {}
    return Plot(name, heading, drawn(lambda: draw(titles), name, titles), caption, wide)


def blank(width: float, height: float) -> Figure:
    """An empty figure in inches that no window knows of."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def interval_rows(axes: Axes, names: Sequence[str], xlabel: str) -> None:
    """Rows from top to bottom with a name each, figures along x."""
    axes.set_yticks(range(len(names)), [short(name, 42) for name in names])
    axes.set(xlabel=xlabel, ylim=(len(names) - 0.5, -0.5))
    axes.grid(axis="y", visible=False)


def name_methods(figure: Figure, axes: Axes) -> None:
    """A legend above the plots, where there is more than one thing to tell apart."""
    handles, names = axes.get_legend_handles_labels()
    if len(names) > 1:
        letters = 12 * figure.get_figwidth()  # how many stand side by side at the legend's size
        columns = max(1, min(len(names), int(letters / (max(map(len, names)) + 6))))
        figure.legend(handles, names, loc="outside upper right", ncols=columns)


def style(m: int, name: str | None, to: str) -> dict[str, Any]:
    """How a method's points look and where they lead."""
    return {
        "color": method_colour(m),
        "marker": MARKERS[m % 9],
        "label": name and short(name),
        "url": to,
    }


def primary_metric(comparison: Comparison) -> Plot:
    """Every method's headline figure with its interval."""
    place = comparison.keys.index(comparison.primary_metric)

    def draw(titles: Titles) -> Figure:
        figure = blank(WIDTH, 0.9 + 0.34 * len(comparison.methods))
        axes = figure.subplots()
        for row, method in enumerate(comparison.methods):
            value = 100 * method.replicates.values[place]
            low, high = (100 * limits[place] for limits in method.replicates.interval())
            to = link(sort="worst", method=method.name)
            titles[to] = f"{method.name}: {value:.1f} [{low:.1f}, {high:.1f}]"
            axes.plot([low, high], [row, row], color=method_colour(row), linewidth=2, url=to)
            axes.plot([value], [row], markersize=8, **style(row, None, to))
        names = [method.name for method in comparison.methods]
        interval_rows(axes, names, f"{comparison.primary_metric} (%)")
        return figure

    caption = "With its 95 % interval."
    if comparison.pairs:
        caption = "Each with its own 95 % interval; these may overlap where the paired difference "
        caption += "is certain."
    return plot("primary_metric", comparison.primary_metric, caption, draw)


def forest(comparison: Comparison) -> Plot | None:
    """Paired differences with their intervals; of many methods, those from the best alone."""
    best = comparison.methods[0].name
    pairs = [p for p in comparison.pairs if len(comparison.pairs) <= MOST_PAIRS or p.first == best]
    if not pairs:
        return None
    place = comparison.keys.index(comparison.primary_metric)

    def draw(titles: Titles) -> Figure:
        figure = blank(WIDTH, 0.9 + 0.34 * len(pairs))
        axes = figure.subplots()
        axes.axvline(0, color=MUTED, linewidth=1)
        for row, pair in enumerate(pairs):
            _difference(axes, row, pair, place, titles)
        names = [f"{short(pair.first, 20)} − {short(pair.second, 20)}" for pair in pairs]
        interval_rows(axes, names, f"difference in {comparison.primary_metric} (points)")
        return figure

    caption = (
        "The first method minus the second on the same resampled images, with 95 % intervals. "
        "Filled: p < 0.05 after Holm's correction; hollow: not told apart."
    )
    return plot("forest", "Paired differences", caption, draw)


def pair_link(pair: Pair) -> str:
    """The images where two methods differ most."""
    return link(sort="disagreement", show=pair.first) + "&" + link(show=pair.second)[1:]


def _difference(axes: Axes, row: int, pair: Pair, place: int, titles: Titles) -> None:
    value, low, high = (100 * part[place] for part in pair.difference[:3])
    to = pair_link(pair)
    titles[to] = f"{pair.first} minus {pair.second}: {value:+.1f} [{low:+.1f}, {high:+.1f}]"
    inside = INK if pair.p_corrected < SIGNIFICANT else "none"
    axes.plot([low, high], [row, row], color=INK, linewidth=2, url=to)
    axes.plot([value], [row], "o", color=INK, markerfacecolor=inside, markersize=8, url=to)


def precision_recall(analyses: Sequence[Analysis]) -> Plot | None:
    """Precision over recall at three thresholds; None for metrics without."""
    measured = [a.precision for a in analyses if a.precision is not None]
    if len(measured) < len(analyses):
        return None
    names = ("at OKS 0.5", "at OKS 0.75", "mean over OKS 0.5 to 0.95")

    def draw(titles: Titles) -> Figure:
        figure = blank(WIDE, 3.5)
        panels = figure.subplots(1, 3, sharey=True)
        titles |= {link(show=a.name): f"{a.name} alone" for a in analyses}
        for n, (axes, name) in enumerate(zip(panels, names, strict=True)):
            for m, (analysis, precision) in enumerate(zip(analyses, measured, strict=True)):
                looks = style(m, analysis.name, link(show=analysis.name)) | {"marker": ""}
                recall = np.linspace(0, 100, 101)
                axes.plot(recall, 100 * precision[n], linestyle=DASHES[m % 4], **looks)
            axes.set(title=name, xlabel="recall (%)", xlim=(0, 100), ylim=(0, 101))
        panels[0].set_ylabel("precision (%)")
        name_methods(figure, panels[0])
        return figure

    caption = (
        "Poses ranked by score, people of all sizes; precision as COCO reads it, at 101 recalls."
    )
    return plot("precision", "Precision and recall", caption, draw, wide=True)


def calibrations(analyses: Sequence[Analysis]) -> Plot | None:
    """Scores against what poses are worth; None where scores say nothing."""
    if all(np.isnan(a.calibration.pearson) for a in analyses):
        return None

    def draw(titles: Titles) -> Figure:
        figure = blank(WIDTH, 4.2)
        axes = figure.subplots()
        axes.axline((0, 0), (1, 1), color=MUTED, linewidth=1, linestyle=":")
        for m, analysis in enumerate(analyses):
            table = analysis.calibration.reliability
            there = np.flatnonzero(table.counts)
            r = analysis.calibration.pearson
            said = "all scores equal" if np.isnan(r) else f"r = {r:.2f}"
            name = f"{short(analysis.name, 18)} ({said})"
            to = link(show=analysis.name)
            titles[to] = f"{analysis.name} alone"
            looks = style(m, name, to)
            axes.plot(table.scores[there], table.quality[there], markersize=5, **looks)
        axes.set(xlabel="mean score of poses", ylabel="mean OKS", ylim=(0, 1))
        axes.legend(loc="upper left")
        return figure

    caption = (
        "Poses that answer for a person, in ten bins of their score. On the dotted line a score "
        "is the OKS to expect; r is Pearson's correlation of score and OKS."
    )
    return plot("calibration", "What a score says", caption, draw)


def breakdowns(analyses: Sequence[Analysis]) -> Plot | None:
    """AP by size, crowding and labelled joints; None for metrics without."""
    kinds = list(zip(*(a.breakdowns for a in analyses), strict=True))
    if not kinds:
        return None

    def draw(titles: Titles) -> Figure:
        figure = blank(WIDE, 3.6)
        panels = np.atleast_1d(figure.subplots(1, len(kinds), sharey=True))
        names = [analysis.name for analysis in analyses]
        for axes, parts in zip(panels, kinds, strict=True):
            _bins(axes, names, parts, titles)
        panels[0].set_ylabel("AP (%)")
        name_methods(figure, panels[0])
        return figure

    caption = (
        "AP of some of the people (how many: in brackets); everybody else is ignored, as COCO "
        "ignores people outside an area range. Crowding is the greatest overlap (IoU) of a "
        "person's box with another's."
    )
    return plot("breakdowns", "Size, crowding, labelled joints", caption, draw, wide=True)


def _bins(axes: Axes, methods: Sequence[str], parts: Sequence[Breakdown], titles: Titles) -> None:
    first, count = parts[0], len(methods)
    for m, (name, part) in enumerate(zip(methods, parts, strict=True)):
        axes.plot([], [], linestyle="", **style(m, name, ""))  # for the legend alone
        where = 0.5 * ((m + 0.5) / count - 0.5)
        for n in np.flatnonzero(~np.isnan(part.ap)):
            value = 100 * part.ap[n]
            asked = {part.what: part.bins[n]} if part.what in ("size", "crowding") else {}
            to = link(sort="worst", method=name, **asked)
            titles[to] = f"{name}, {part.what} {part.bins[n]}: {value:.1f}"
            axes.plot([n + where], [value], markersize=7, **style(m, None, to))
    axes.set_xticks(
        range(len(first.bins)),
        [f"{b}\n({p:,})" for b, p in zip(first.bins, first.instances, strict=True)],
    )
    axes.set(title=f"by {first.what}", xlim=(-0.5, len(first.bins) - 0.5))
    axes.grid(axis="x", visible=False)


def learning(curves: dict[str, dict[int, float]], metric: str) -> Plot | None:
    """Loss and headline metric of a training run over its epochs; None without any."""
    losses = [n for n in ("train/loss", "val/loss") if n in curves]
    measured = [n for n in (f"val/{metric}",) if n in curves]
    panels = [part for part in (losses, measured) if part]
    if not panels:
        return None

    def draw(_: Titles) -> Figure:
        from matplotlib.ticker import MaxNLocator

        figure = blank(WIDE, 3.4)
        for n, names in enumerate(panels):
            axes = figure.add_subplot(1, len(panels), n + 1)
            scale = 100 if names is measured else 1
            for m, name in enumerate(names):
                points = sorted(curves[name].items())
                x, y = (
                    np.array([e + 1 for e, _ in points]),
                    scale * np.array([v for _, v in points]),
                )
                axes.plot(x, y, color=method_colour(m), marker=".", label=name)
            axes.set(xlabel="epoch", title=f"{metric} (%)" if names is measured else "loss")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.legend(loc="best")
        return figure

    return plot("learning", "Learning curves", "As the run's logger wrote them.", draw, wide=True)
