"""Tables of results, for the terminal, Markdown, LaTeX and CSV; fractions become percent."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING, NamedTuple

from poselab.evaluation.statistics.estimate import Estimate

if TYPE_CHECKING:
    from collections.abc import Sequence


class Quantity(NamedTuple):
    """A number that is no fraction, such as a count of parameters, and its text in tables."""

    value: float
    text: str


Cell = float | str | Estimate | Quantity | None
Row = dict[str, Cell]

_SPECIAL = {c: f"\\{c}" for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "−": "$-$",
    "†": r"$^\dagger$",
    "‡": r"$^\ddagger$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "·": r"$\cdot$",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "–": "--",
}


def _text(value: Cell) -> str:
    if value is None:
        return "–"
    if isinstance(value, Estimate):
        low, high = (f"{100 * end:.1f}" for end in value[1:])
        return f"{100 * value.value:.1f} [{low}, {high}]"
    if isinstance(value, Quantity):
        return value.text
    return value if isinstance(value, str) else f"{100 * value:.1f}"


def print_table(rows: Sequence[Row], caption: str = "") -> None:
    """Print rows with equal keys as a table on stdout."""
    _render(rows, caption, None)


def table_text(rows: Sequence[Row], caption: str = "") -> str:
    """Rows with equal keys as the text of a table."""
    out = StringIO()
    _render(rows, caption, out)
    return out.getvalue().rstrip("\n")


def _render(rows: Sequence[Row], caption: str, out: StringIO | None) -> None:
    """Draw a table into ``out`` (default: stdout)."""
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table

    table = Table(caption=caption or None)
    for n, name in enumerate(rows[0]):
        table.add_column(name, justify="left" if n == 0 else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(_text(cell) for cell in row.values()))
    # Wider than the terminal rather than cut: the numbers are what the table is for.
    wide = Console(width=1000)  # rich measures within its console, so an ample one
    wanted = Measurement.get(wide, wide.options, table).maximum
    width = max(Console(file=out).width, wanted)
    # Text stays text in a notebook, which would show it instead, and which asks for colours.
    styled = None if out is None else False
    console = Console(file=out, width=width, force_jupyter=styled, force_terminal=styled)
    console.print(table, markup=False)


def markdown(rows: Sequence[Row]) -> str:
    """Rows with equal keys as a Markdown table."""
    names = list(rows[0])
    lines = [names, ["---"] + ["---:"] * (len(names) - 1)]
    lines += [[_text(cell).replace("|", "\\|") for cell in row.values()] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def latex(rows: Sequence[Row], notes: Sequence[str] = ()) -> str:
    """Rows with equal keys as a LaTeX table (package booktabs), notes below it."""
    names = list(rows[0])
    lines = [_latex_line(names), *(_latex_line([_text(c) for c in r.values()]) for r in rows)]
    body = [
        r"% \usepackage{booktabs}",
        rf"\begin{{tabular}}{{l{'r' * (len(names) - 1)}}}",
        r"\toprule",
        lines[0],
        r"\midrule",
        *lines[1:],
        r"\bottomrule",
        r"\end{tabular}",
        *(rf"\par\footnotesize {_latex(note)}" for note in notes),
    ]
    return "\n".join(body) + "\n"


def _latex_line(cells: Sequence[str]) -> str:
    return " & ".join(map(_latex, cells)) + r" \\"


def _latex(text: str) -> str:
    return "".join(_SPECIAL.get(letter, letter) for letter in text)


def csv_text(rows: Sequence[Row]) -> str:
    """Rows with equal keys as comma-separated values; numbers stay fractions in full precision.

    Ends of confidence intervals have columns of their own.
    """
    import csv
    import io

    intervals = {name for row in rows for name, cell in row.items() if isinstance(cell, Estimate)}
    flat = [
        {k: v for name, cell in row.items() for k, v in _flat(name, cell, name in intervals)}
        for row in rows
    ]
    out = io.StringIO()
    writer = csv.DictWriter(out, list(flat[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return out.getvalue()


def _flat(name: str, cell: Cell, has_interval: bool) -> list[tuple[str, float | str]]:
    """A cell's column, and those of its interval where the column has some."""
    values = cell if isinstance(cell, Estimate) else (cell, None, None)
    columns = (name, f"{name} low", f"{name} high")[: 3 if has_interval else 1]
    plain = (v.value if isinstance(v, Quantity) else v for v in values)
    return [(k, "" if v is None else v) for k, v in zip(columns, plain, strict=False)]
