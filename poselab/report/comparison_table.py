"""A comparison as rows of a table, with the notes that its marks need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from poselab.evaluation.comparability import RUN, between, doubts
from poselab.evaluation.statistics.bootstrap import LEVEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from poselab.evaluation.comparison import Comparison, Method, Pair
    from poselab.report.tables import Row
    from poselab.structures import Floats

TIED = "†"
DIFFERENT = "‡"
MOST_COLUMNS = 10


def shown_keys(comparison: Comparison) -> list[str]:
    """The figures a table has room for: the headline's own parts first, then other headlines."""
    primary_metric = comparison.primary_metric
    parts = [
        k for k in comparison.keys if k == primary_metric or k.startswith(f"{primary_metric}/")
    ]
    others = [k for k in comparison.keys if "/" not in k and k != primary_metric]
    return [*parts, *others][:MOST_COLUMNS]


ASKED = frozenset({"run.input_size", "run.pixels", "run.flip_shift"})
"""What methods may choose for themselves: a difference that is no reason against ranking."""


def reasons(comparison: Comparison) -> dict[str, str]:
    """Why a method's figures may not be ranked against the reference's, in words by its name.

    The reference is the best method of those that tell their conditions, or else the best.
    """
    telling = [method for method in comparison.methods if RUN in method.comparability]
    reference = (telling or comparison.methods)[0]
    asked = ASKED | comparison.asked
    said = {
        method.name: "; ".join(
            difference.reason
            for difference in between(method.comparability, reference.comparability)
            if difference.severity != "unknown" and difference.field not in asked
        )
        for method in comparison.methods
    }
    return {name: f"against {reference.name}: {why}" for name, why in said.items() if why}


def _doubtful(comparison: Comparison) -> list[str]:
    """What makes figures doubtful by themselves, once for all methods of which it is true."""
    told = [(doubt, m.name) for m in comparison.methods for doubt in doubts(m.comparability)]
    count = len(comparison.methods)
    return [
        f"{f'all {count} methods' if len(who) == count > 2 else ', '.join(who)}: {doubt}."
        for doubt, who in _by_sentence(told).items()
    ]


def _by_sentence(told: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """The names of which each sentence is true."""
    names: dict[str, list[str]] = {}
    for sentence, name in told:
        names.setdefault(sentence, []).append(name)
    return names


def summary_rows(comparison: Comparison, marked: Mapping[str, object]) -> list[Row]:
    """One row a method: figures in percent, the headline with its interval, the distance from the
    best with its interval and p-value. ``marked`` holds the methods whose contract differs."""
    best = comparison.methods[0]
    return [
        _summary(comparison, method, best, method.name in marked) for method in comparison.methods
    ]


def _summary(comparison: Comparison, method: Method, best: Method, different: bool) -> Row:
    place = comparison.keys.index(comparison.primary_metric)
    replicates = method.replicates
    low, high = (limits[place] for limits in replicates.interval())
    row: Row = {"method": method.name, comparison.primary_metric: _figure(replicates.values[place])}
    row["95 % interval"] = _span(low, high)
    if len(comparison.methods) > 1:
        pair = None if method is best else comparison.pair(best.name, method.name)
        row |= _distance(pair, place)
        if pair is not None and pair.p_corrected >= 1 - LEVEL:
            row["method"] = f"{row['method']} {TIED}"
    if different:
        row["method"] = f"{row['method']} {DIFFERENT}"
    keys = [k for k in shown_keys(comparison) if k != comparison.primary_metric]
    at = comparison.keys.index
    row |= {
        k.removeprefix(f"{comparison.primary_metric}/"): _figure(replicates.values[at(k)])
        for k in keys
    }
    if any(len(m.runs) > 1 for m in comparison.methods):
        row["seeds"] = str(len(method.runs))
    return row


def _distance(pair: Pair | None, place: int) -> Row:
    """What separates a method from the best one."""
    if pair is None:
        return {"from the best": "–", "its interval": "–", "p": "–"}
    difference = pair.difference
    # Signed as the method's own: the pair is the best minus the method.
    return {
        "from the best": f"{0.0 - 100 * difference.value[place]:+.1f}",
        "its interval": _span(0.0 - difference.high[place], 0.0 - difference.low[place], sign="+"),
        "p": p_text(pair.p_corrected),
    }


def p_text(p: float) -> str:
    """A p-value as tables print it."""
    return f"{p:.3f}" if p >= 0.0005 else "<0.001"


def _figure(value: float) -> str | None:
    return None if np.isnan(value) else f"{100 * value:.1f}"


def _span(low: float, high: float, sign: str = "") -> str | None:
    return None if np.isnan(low) else f"[{100 * low:{sign}.1f}, {100 * high:{sign}.1f}]"


def pair_rows(comparison: Comparison) -> list[Row]:
    """One row a pair of methods: the headline's difference, interval, p-value and power."""
    place = comparison.keys.index(comparison.primary_metric)
    return [_pair(pair, place, comparison.primary_metric) for pair in comparison.pairs]


def _pair(pair: Pair, place: int, primary_metric: str) -> Row:
    value, low, high, _, p = (part[place] for part in pair.difference)
    return {
        "pair": f"{pair.first} − {pair.second}",
        primary_metric: f"{100 * value:+.1f}",
        "95 % interval": _span(low, high, sign="+"),
        "p": p_text(p),
        "p corrected": p_text(pair.p_corrected),
        "detectable": _figure(pair.difference.detectable[place]),
    }


def full_rows(comparison: Comparison) -> list[Row]:
    """Every figure of every method with its limits, as fractions: what the CSV holds."""
    return [
        {"method": method.name, "figure": key, "value": value, "low": low, "high": high}
        for method in comparison.methods
        for key, value, low, high in zip(
            comparison.keys,
            *_listed(method.replicates.values, *method.replicates.interval()),
            strict=True,
        )
    ]


def _listed(*columns: Floats) -> list[list[float | None]]:
    return [[None if np.isnan(v) else float(v) for v in column] for column in columns]


def notes(comparison: Comparison, marked: Mapping[str, str]) -> list[str]:
    """What stands below the table: intervals, marks, power, and why rows cannot be ranked."""
    images = int(comparison.methods[0].metrics[0].comparability["images"])
    lines = [
        f"Figures in percent. Intervals: 95 %, percentile bootstrap over {images:,} images, "
        f"{comparison.replicates:,} replicates, seed {comparison.seed}; all methods are scored on "
        "the same draws."
    ]
    if any(len(method.runs) > 1 for method in comparison.methods):
        lines.append("Runs of one method that differ by seed are a second level of the bootstrap.")
    if comparison.pairs:
        several = f", Holm-corrected for {len(comparison.pairs)} pairs" * (
            len(comparison.pairs) > 1
        )
        lines.append(f"{TIED} not distinguishable from the best (two-sided p >= 0.05{several}).")
    if comparison.detectable > 0:
        lines.append(
            f"Smallest difference that this set can tell apart: {100 * comparison.detectable:.1f} "
            f"{comparison.primary_metric} (power 0.8, level 0.05, the closest pair)."
        )
    why = _by_sentence((reason, name) for name, reason in marked.items())
    lines += [f"{DIFFERENT} {', '.join(who)} cannot be ranked {r}." for r, who in why.items()]
    lines += _doubtful(comparison)
    return lines
