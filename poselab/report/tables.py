"""Tables of results, for the terminal and for Markdown; fractions become percent."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

Cell = float | str | None
Row = dict[str, Cell]


def _text(value: Cell) -> str:
    if value is None:
        return "–"
    return value if isinstance(value, str) else f"{100 * value:.1f}"


def print_table(rows: Sequence[Row], caption: str = "") -> None:
    """Print rows with equal keys as a table on stdout."""
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table

    table = Table(caption=caption or None)
    for n, name in enumerate(rows[0]):
        table.add_column(name, justify="left" if n == 0 else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(_text(cell) for cell in row.values()))
    # Wider than the terminal rather than cut: figures are what the table is for.
    wide = Console(width=1000)
    wanted = Measurement.get(wide, wide.options, table).maximum
    Console(width=max(Console().width, wanted)).print(table)


def markdown(rows: Sequence[Row]) -> str:
    """Rows with equal keys as a Markdown table."""
    names = list(rows[0])
    lines = [names, ["---"] + ["---:"] * (len(names) - 1)]
    lines += [[_text(cell) for cell in row.values()] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
