"""A figure of what boxes cost a top-down method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poselab.files import replacing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from poselab.report.tables import Row

_PARTS = {
    "AP": "#3b6ea5",
    "lost: early commitment": "#c0504d",
    "lost: boxes": "#d9a441",
}


def draw_decomposition(rows: Sequence[Row], file: Path) -> None:
    """One bar a source of boxes: its AP, and what it lacks to the AP on true boxes, by cause.

    Negative losses, which are noise, are drawn as none.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 1.2 + 0.45 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    names = [str(row["boxes"]) for row in rows]
    left = [0.0] * len(rows)
    for part, colour in _PARTS.items():
        lengths = [max(100 * float(row[part] or 0.0), 0.0) for row in rows]
        axes.barh(names, lengths, left=left, color=colour, label=part)
        left = [start + length for start, length in zip(left, lengths, strict=True)]
    axes.invert_yaxis()
    axes.set_xlabel("AP")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.25), ncols=3, frameon=False)
    with replacing(file) as temporary:
        figure.savefig(temporary, dpi=150)
