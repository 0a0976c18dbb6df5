"""How precisely codecs restore encoded coordinates, as rows of a table and as a plot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from poselab.report.tables import Row

_COLOURS = {"centre": "tab:blue", "hrnet": "tab:orange", "udp": "tab:green"}


def round_trip_rows(trips: Sequence[Any]) -> list[Row]:
    """One row per codec and convention: the worst errors over input sizes, in pixels."""
    grouped: dict[tuple[str, str], list[Any]] = {}
    for trip in trips:
        grouped.setdefault((trip.codec, trip.pixels), []).append(trip)
    return [_row(*names, some) for names, some in grouped.items()]


def _row(codec: str, pixels: str, trips: Sequence[Any]) -> Row:
    row: Row = {"codec": codec, "pixels": pixels}
    for flip, name in ((False, "plain"), (True, "flipped")):
        chosen = [trip for trip in trips if trip.flip == flip]
        row[f"{name}: median"] = f"{max(trip.median for trip in chosen):.4f}"
        row[f"{name}: worst"] = f"{max(trip.worst for trip in chosen):.4f}"
        row[f"{name}: stated"] = f"{max(trip.stated for trip in chosen):.4f}"
    failed = [trip for trip in trips if not trip.passed]
    row["result"] = "passed" if not failed else "FAILED at " + ", ".join(map(describe_trip, failed))
    return row


def describe_trip(trip: Any) -> str:
    """Input size and direction of one measurement, in words."""
    return f"{trip.size[0]}x{trip.size[1]}{' flipped' if trip.flip else ''}"


def draw_round_trips(trips: Sequence[Any], file: Path) -> None:
    """A PNG: worst error of each codec relative to its stated resolution, one dot per measurement.

    Filled dots are of plain inputs, open ones of flipped inputs; a dot right of 1 has failed.
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    from poselab.io.files import replacing

    names = list(dict.fromkeys(trip.codec for trip in trips))
    figure = Figure(figsize=(8, 0.8 + 0.34 * len(names)), layout="constrained")
    axes = figure.subplots()
    for trip in trips:
        colour = _COLOURS.get(trip.pixels, "tab:gray")
        place = names.index(trip.codec) + (list(_COLOURS).index(trip.pixels) - 1) * 0.2
        share = max(trip.worst / trip.stated, 1e-3)
        face = "none" if trip.flip else colour
        axes.plot(share, place, "o", markersize=5, color=colour, markerfacecolor=face)
    axes.axvline(1.0, color="black", linewidth=0.8)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set(xlabel="worst error / stated resolution", xscale="log")
    marks = [Line2D([], [], marker="o", linestyle="", color=c) for c in _COLOURS.values()]
    axes.legend(marks, _COLOURS, title="pixels", frameon=False, loc="lower left")
    with replacing(file) as temporary:
        figure.savefig(temporary, dpi=110)
