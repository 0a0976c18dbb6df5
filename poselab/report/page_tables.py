"""The report's tables: those of the terminal with links to images, and comparability records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from poselab.evaluation.metrics.joint_groups import GROUPS
from poselab.report.comparison_table import FROM_BEST, pair_rows, summary_rows
from poselab.report.error_plots import STATUSES, cost_link, error_shares
from poselab.report.plots import pair_link
from poselab.report.svg import browser_link

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from poselab.evaluation.comparison import Comparison
    from poselab.report.analysis import Analysis
    from poselab.report.error_plots import JointRows
    from poselab.report.tables import Cell

    LinkedRow = dict[str, "Cell | LinkedCell"]

SIZES = {"APM": "medium", "ARM": "medium", "APL": "large", "ARL": "large"}
"""The sizes of instances that metrics are about."""


class LinkedCell(NamedTuple):
    """A cell that leads to a view of the images; ``colour`` is the number of the method."""

    text: str
    to: str
    colour: int | None = None


def linked_summary(comparison: Comparison, marked: Mapping[str, str]) -> list[LinkedRow]:
    """The summary's rows, every value linked to the images behind it."""
    rows = summary_rows(comparison, marked)
    best = comparison.methods[0]
    linked: list[LinkedRow] = []
    for n, (row, method) in enumerate(zip(rows, comparison.methods, strict=True)):
        against = "" if method is best else pair_link(comparison.pair(best.name, method.name))
        cells: LinkedRow = {}
        for name, cell in row.items():
            to = against if name in FROM_BEST else _column_link(name, method.name)
            cells[name] = cell if cell in (None, "–") or not to else LinkedCell(str(cell), to)
        to = browser_link(sort="worst", show=method.name)
        cells["method"] = LinkedCell(str(row["method"]), to, n)
        linked.append(cells)
    return linked


def _column_link(metric: str, method: str) -> str:
    """The images behind a column of the summary; empty for none."""
    if metric in SIZES:
        return browser_link(sort="worst", size=SIZES[metric], method=method)
    if metric in GROUPS:
        return browser_link(sort="worst", joint=metric, method=method)
    return "" if metric == "seeds" else browser_link(sort="worst", method=method)


def linked_pairs(comparison: Comparison) -> list[LinkedRow]:
    """All pairs, each linked to the images on which its methods differ most."""
    return [
        {name: LinkedCell(str(c), pair_link(pair)) if c else c for name, c in row.items()}
        for row, pair in zip(pair_rows(comparison), comparison.pairs, strict=True)
    ]


def linked_joint_errors(analyses: Sequence[Analysis], rows: JointRows) -> list[LinkedRow]:
    """The share of every keypoint error in percent: one row per joint and method."""
    shares = [error_shares(analysis, rows) for analysis in analyses]
    table: list[LinkedRow] = []
    for n, joint in enumerate(rows):
        for m, analysis in enumerate(analyses):
            row: LinkedRow = {"joint": joint.replace("_", " ")}
            to = browser_link(joint=joint, method=analysis.name)
            row["method"] = LinkedCell(analysis.name, to, m)
            for error, share in zip(STATUSES[1:], shares[m][n], strict=True):
                to = browser_link(sort="worst", joint=joint, error=error, method=analysis.name)
                row[error] = LinkedCell(f"{100 * share:.1f}", to)
            table.append(row)
    return table


def linked_costs(analyses: Sequence[Analysis]) -> list[LinkedRow]:
    """AP gained by correcting each type of error, in points: one row per method."""
    table: list[LinkedRow] = []
    for m, analysis in enumerate(analyses):
        to = browser_link(method=analysis.name)
        row: LinkedRow = {"method": LinkedCell(analysis.name, to, m)}
        for cost in analysis.costs:
            to = cost_link(cost, analysis.name)
            row[cost.error] = LinkedCell(f"{100 * cost.gain:.1f}", to)
        table.append(row)
    return table


def linked_costs_with_counts(analyses: Sequence[Analysis]) -> list[LinkedRow]:
    """AP gained by correcting each type of error, and its count: one row per error."""
    table: list[LinkedRow] = []
    for n, first in enumerate(analyses[0].costs):
        row: LinkedRow = {"error": first.error}
        for analysis in analyses:
            cost = analysis.costs[n]
            to = cost_link(cost, analysis.name)
            row[analysis.name] = LinkedCell(f"{100 * cost.gain:.1f} ({cost.count:,})", to)
        table.append(row)
    return table


def comparability_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """What each method's values depend on: one row per field, marked where methods differ."""
    records = [_flat(method.comparability) for method in comparison.methods]
    names = dict.fromkeys(name for record in records for name in record)
    rows = []
    for name in names:
        values = [record.get(name, "not recorded") for record in records]
        rows.append({"name": name, "values": values, "differs": len(set(values)) > 1})
    return rows


def _flat(record: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Fields in words, those of nested records after their names."""
    flat: dict[str, str] = {}
    for name, value in record.items():
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
