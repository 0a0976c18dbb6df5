"""The page's tables: those of the terminal, whose cells lead to images, and the contracts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from poselab.evaluation.metrics.joint_groups import GROUPS
from poselab.report import comparison_table
from poselab.report.error_plots import KINDS, cost_link, error_shares
from poselab.report.plots import pair_link
from poselab.report.svg import link

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from poselab.evaluation.comparison import Comparison
    from poselab.report.analysis import Analysis
    from poselab.report.error_plots import Rows
    from poselab.report.tables import Cell

    LinkedRow = dict[str, "Cell | Linked"]

SIZES = {"APM": "medium", "ARM": "medium", "APL": "large", "ARL": "large"}
FROM_BEST = ("from the best", "its interval", "p")


class Linked(NamedTuple):
    """A cell that leads to a view of the images, and the method whose colour it wears."""

    text: str
    to: str
    colour: int | None = None


def linked_summary(comparison: Comparison, marked: Mapping[str, str]) -> list[LinkedRow]:
    """The summary's rows with every figure linked to the images behind it."""
    rows = comparison_table.summary_rows(comparison, marked)
    best = comparison.methods[0]
    linked: list[LinkedRow] = []
    for n, (row, method) in enumerate(zip(rows, comparison.methods, strict=True)):
        against = "" if method is best else pair_link(comparison.pair(best.name, method.name))
        cells: LinkedRow = {}
        for name, cell in row.items():
            to = against if name in FROM_BEST else _view(name, method.name)
            cells[name] = cell if cell in (None, "–") or not to else Linked(str(cell), to)
        cells["method"] = Linked(str(row["method"]), link(sort="worst", show=method.name), n)
        linked.append(cells)
    return linked


def _view(figure: str, method: str) -> str:
    """The images behind a column of the summary."""
    if figure in SIZES:
        return link(sort="worst", size=SIZES[figure], method=method)
    if figure in GROUPS:
        return link(sort="worst", joint=figure, method=method)
    return "" if figure == "seeds" else link(sort="worst", method=method)


def linked_pairs(comparison: Comparison) -> list[LinkedRow]:
    """All pairs, each linked to where its methods differ most."""
    rows = comparison_table.pair_rows(comparison)
    return [
        {name: Linked(str(cell), pair_link(pair)) if cell else cell for name, cell in row.items()}
        for row, pair in zip(rows, comparison.pairs, strict=True)
    ]


def linked_errors(analyses: Sequence[Analysis], rows: Rows) -> list[LinkedRow]:
    """The share of every kind of error in percent: a row a joint and method."""
    measured = [error_shares(analysis, rows) for analysis in analyses]
    table: list[LinkedRow] = []
    for n, joint in enumerate(rows):
        for m, analysis in enumerate(analyses):
            row: LinkedRow = {"joint": joint.replace("_", " ")}
            row["method"] = Linked(analysis.name, link(joint=joint, method=analysis.name), m)
            for kind, share in zip(KINDS[1:], measured[m][n], strict=True):
                to = link(sort="worst", joint=joint, error=kind, method=analysis.name)
                row[kind] = Linked(f"{100 * share:.1f}", to)
            table.append(row)
    return table


def linked_costs(analyses: Sequence[Analysis]) -> list[LinkedRow]:
    """AP gained without each kind of error, in points: a row a method."""
    table: list[LinkedRow] = []
    for m, analysis in enumerate(analyses):
        row: LinkedRow = {"method": Linked(analysis.name, link(method=analysis.name), m)}
        for cost in analysis.costs:
            to = cost_link(cost, analysis.name)
            row[cost.kind.replace("_", " ")] = Linked(f"{100 * cost.gain:.1f}", to)
        table.append(row)
    return table


def contract_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """What each method's figures depend on: a row a field, marked where methods differ."""
    comparability_records = [_flat(method.comparability) for method in comparison.methods]
    names = dict.fromkeys(name for comparability in comparability_records for name in comparability)
    rows = []
    for name in names:
        values = [
            comparability.get(name, "not recorded") for comparability in comparability_records
        ]
        rows.append({"name": name, "values": values, "differs": len(set(values)) > 1})
    return rows


def _flat(comparability: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Fields in words, those of nested contracts after their names."""
    flat: dict[str, str] = {}
    for name, value in comparability.items():
        words = f"{prefix}{name.replace('_', ' ')}"
        if isinstance(value, dict):
            flat |= _flat(value, f"{words}: ")
        elif isinstance(value, (list, tuple)):
            flat[words] = ", ".join(map(_words, value)) or "none"
        else:
            flat[words] = _words(value)
    return flat


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
