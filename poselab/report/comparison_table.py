"""A comparison as rows of a table, with the notes that explain it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from poselab.evaluation.comparability import RUN, differences_from, record_warnings
from poselab.evaluation.statistics.bootstrap import LEVEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from poselab.evaluation.comparison import Comparison, Method, Pair
    from poselab.report.tables import Row
    from poselab.structures import Floats

NOT_SIGNIFICANT = "†"
INCOMPARABLE = "‡"
MAX_COLUMNS = 10

FREE_CHOICES = frozenset({"run.input_size", "run.pixels", "run.flip_shift"})
"""Choices that belong to a method: a difference in them does not prevent ranking."""


def table_metrics(comparison: Comparison) -> list[str]:
    """The metrics a table has room for: the primary one with its parts, then further ones."""
    primary = comparison.primary_metric
    parts = [k for k in comparison.keys if k == primary or k.startswith(f"{primary}/")]
    others = [k for k in comparison.keys if "/" not in k and k != primary]
    return [*parts, *others][:MAX_COLUMNS]


def incomparable_methods(comparison: Comparison) -> dict[str, str]:
    """Why a method may not be ranked against the reference, in words, by the method's name.

    The reference is the best method of those with a record of their run, or else the best.
    """
    recorded = [method for method in comparison.methods if RUN in method.comparability]
    reference = (recorded or comparison.methods)[0]
    ignored = FREE_CHOICES | comparison.intended_differences
    reasons = {
        method.name: "; ".join(
            difference.reason
            for difference in differences_from(reference.comparability, method.comparability)
            if difference.severity != "unknown" and difference.field not in ignored
        )
        for method in comparison.methods
    }
    return {name: f"against {reference.name}: {why}" for name, why in reasons.items() if why}


def _warnings(comparison: Comparison) -> list[str]:
    """What makes values questionable by themselves, once for all methods that it concerns."""
    named = [
        (text, m.name) for m in comparison.methods for text in record_warnings(m.comparability)
    ]
    count = len(comparison.methods)
    return [
        f"{f'All {count} methods' if len(who) == count > 2 else ', '.join(who)}: {text}."
        for text, who in _names_by_sentence(named).items()
    ]


def _names_by_sentence(named: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """The names for which each sentence holds."""
    names: dict[str, list[str]] = {}
    for sentence, name in named:
        names.setdefault(sentence, []).append(name)
    return names


def summary_rows(comparison: Comparison, marked: Mapping[str, object]) -> list[Row]:
    """One row per method: values in percent, the primary metric with its interval, the difference
    from the best with its interval and p-value. ``marked`` holds incomparable methods."""
    best = comparison.methods[0]
    return [
        _summary_row(comparison, method, best, method.name in marked)
        for method in comparison.methods
    ]


def _summary_row(comparison: Comparison, method: Method, best: Method, marked: bool) -> Row:
    primary, values = comparison.primary_metric, method.replicates.values
    place = comparison.keys.index(primary)
    low, high = (ends[place] for ends in method.replicates.interval())
    name = method.name
    row: Row = {"method": name, primary: _percent(values[place])}
    row["95 % CI"] = _interval(low, high)
    if len(comparison.methods) > 1:
        pair = None if method is best else comparison.pair(best.name, method.name)
        row |= _difference_from_best(pair, place)
        if pair is not None and pair.p_corrected >= 1 - LEVEL:
            name += f" {NOT_SIGNIFICANT}"
    row["method"] = f"{name} {INCOMPARABLE}" if marked else name
    for key in table_metrics(comparison):
        if key != primary:
            row[key.removeprefix(f"{primary}/")] = _percent(values[comparison.keys.index(key)])
    if any(len(m.runs) > 1 for m in comparison.methods):
        row["seeds"] = str(len(method.runs))
    return row


def _difference_from_best(pair: Pair | None, place: int) -> Row:
    if pair is None:
        return dict.fromkeys(FROM_BEST, "–")
    difference = pair.difference
    # The pair is the best minus the method, the table the method minus the best. Adding to 0.0
    # rather than negating prints no "-0.0".
    cells = (
        f"{0.0 - 100 * difference.value[place]:+.1f}",
        _interval(0.0 - difference.high[place], 0.0 - difference.low[place], sign="+"),
        format_p(pair.p_corrected),
    )
    return dict(zip(FROM_BEST, cells, strict=True))


FROM_BEST = ("from best", "its 95 % CI", "p")
"""The columns of the difference from the best method."""


def format_p(p: float) -> str:
    """A p-value as tables print it."""
    return f"{p:.3f}" if p >= 0.0005 else "<0.001"


def _percent(value: float) -> str | None:
    return None if np.isnan(value) else f"{100 * value:.1f}"


def _interval(low: float, high: float, sign: str = "") -> str | None:
    return None if np.isnan(low) else f"[{100 * low:{sign}.1f}, {100 * high:{sign}.1f}]"


def pair_rows(comparison: Comparison) -> list[Row]:
    """One row per pair of methods: the difference of the primary metric, its interval and p-value,
    and the smallest difference that would have been detected."""
    place = comparison.keys.index(comparison.primary_metric)
    return [_pair_row(pair, place, comparison.primary_metric) for pair in comparison.pairs]


def _pair_row(pair: Pair, place: int, primary_metric: str) -> Row:
    difference = pair.difference
    value, low, high = (part[place] for part in difference[:3])
    return {
        "pair": f"{pair.first} − {pair.second}",
        f"{primary_metric} difference": f"{100 * value:+.1f}",
        "95 % CI": _interval(low, high, sign="+"),
        "p": format_p(difference.p[place]),
        "p corrected": format_p(pair.p_corrected),
        "detectable": _percent(difference.minimum_detectable()[place]),
    }


def metric_rows(comparison: Comparison) -> list[Row]:
    """Every metric of every method with its interval, as fractions, for ``metrics.csv``."""
    return [
        {"method": method.name, "metric": key, "value": value, "low": low, "high": high}
        for method in comparison.methods
        for key, value, low, high in zip(
            comparison.keys,
            *_listed(method.replicates.values, *method.replicates.interval()),
            strict=True,
        )
    ]


def _listed(*columns: Floats) -> list[list[float | None]]:
    return [[None if np.isnan(v) else float(v) for v in column] for column in columns]


def notes(
    comparison: Comparison, marked: Mapping[str, str], one_checkpoint: bool = False
) -> list[str]:
    """What stands below the table: what is compared, what its marks mean, and warnings.

    Of methods that share ``one_checkpoint``, such as decoders, no training differs.
    """
    lines = [
        "Values in percent. 95 % CI: confidence interval by percentile bootstrap over "
        f"{_resampled(comparison)}, {comparison.replicates:,} replicates, seed {comparison.seed}; "
        "all methods are scored on the same bootstrap samples."
    ]
    num_runs = {len(method.runs) for method in comparison.methods}
    if 1 in num_runs and not one_checkpoint:
        lines.append(
            f"{'One training run a method' if num_runs == {1} else 'Methods with one run'}: how "
            "far trainings with other seeds differ is not in the intervals and p-values; give "
            "several runs of a method as NAME=RUN,RUN."
        )
    if max(num_runs) > 1:
        lines.append(
            "For methods with several training runs (seeds), values are means over them, and "
            "intervals and p-values include the variance between them (t distribution)."
        )
    if comparison.pairs:
        lines += _notes_of_pairs(comparison)
    reasons = _names_by_sentence((reason, name) for name, reason in marked.items())
    lines += [
        f"{INCOMPARABLE} {', '.join(who)} cannot be ranked {reason}."
        for reason, who in reasons.items()
    ]
    return lines + _warnings(comparison)


def _resampled(comparison: Comparison) -> str:
    """What bootstrap samples are drawn from: some files of MPII and FLIC name no images."""
    annotations = comparison.annotations
    images = int(comparison.methods[0].comparability["images"])
    unnamed = not annotations.file_names.any() and annotations.num_instances <= images
    return (
        f"{images:,} instances (the annotations name no images)" * unnamed or f"{images:,} images"
    )


def _notes_of_pairs(comparison: Comparison) -> list[str]:
    best, count = comparison.methods[0].name, len(comparison.pairs)
    place = comparison.keys.index(comparison.primary_metric)
    corrected = f", Holm-corrected for {count} pairs" * (count > 1)
    lines = [
        f"From best: the method's {comparison.primary_metric} minus that of {best}, in points. "
        f"{NOT_SIGNIFICANT} not significantly different from the best "
        f"(two-sided p >= 0.05{corrected})."
    ]
    if any(pair.difference.p[place] < 2 / (comparison.replicates + 1) for pair in comparison.pairs):
        lines.append(
            f"p below {2 / (comparison.replicates + 1):.2g}, where no bootstrap sample reaches "
            "zero, is the tail of a normal distribution with the samples' standard error."
        )
    if comparison.minimum_detectable > 0:
        lines.append(
            f"Minimum detectable difference: {100 * comparison.minimum_detectable:.1f} points of "
            f"{comparison.primary_metric} (power 0.8, significance level 0.05{corrected}"
            f"{', the median pair' * (count > 1)})."
        )
    return lines
