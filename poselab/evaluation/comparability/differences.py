"""In what two comparability records differ, and what makes a single one questionable."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from poselab.evaluation.comparability.fields import (
    METRIC_FIELDS,
    RUN,
    RUN_CONDITIONS,
    RUN_FIELDS,
    Severity,
    unlisted_field,
)
from poselab.evaluation.comparability.wording import describe_overlap

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from poselab.evaluation.comparability.fields import ComparabilityRecord, RecordField

_ORDER: tuple[Severity, ...] = ("incomparable", "unequal", "unknown")


class RecordDifference(NamedTuple):
    """One field in which two records differ.

    ``field`` is its path, such as "oks.sigmas" or "run.boxes". ``severity``: "incomparable", the
    values measure different things; "unequal", they measure the same of methods that worked under
    different conditions; "unknown", a record lacks the field. ``reason`` names this record's value
    first, then the reference's.
    """

    field: str
    severity: Severity
    reason: str


def differences_from(
    reference: ComparabilityRecord, record: ComparabilityRecord
) -> list[RecordDifference]:
    """In what a record differs from the reference, the most severe difference first.

    Swapping the two changes no field and no severity. A complete record does not differ from its
    copy; whether conditions that neither records were the same is unknown. What a comparison is
    about (input size, say) is a difference too: callers leave it out by its ``field``.
    """
    differences = [*_metric_differences(record, reference), *_run_differences(record, reference)]
    return sorted(_without_repeats(differences), key=lambda d: _ORDER.index(d.severity))


def _without_repeats(differences: Sequence[RecordDifference]) -> list[RecordDifference]:
    """The first of those with the same reason: several metrics share their annotations."""
    first = {difference.reason: difference for difference in reversed(differences)}
    return [difference for difference in differences if first[difference.reason] is difference]


def record_warnings(record: ComparabilityRecord) -> list[str]:
    """What makes metric values questionable without any comparison, in words."""
    run = record.get(RUN)
    if not run:
        return [f"the predictions file does not record its {RUN_CONDITIONS}"]
    overlap = run.get("overlap") or {}
    return [describe_overlap(overlap)] if overlap.get("images") else []


def metric_records(record: ComparabilityRecord) -> dict[str, ComparabilityRecord]:
    """The record of each metric by the metric's name."""
    nested = {k: v for k, v in record.items() if isinstance(v, dict) and "metric" in v}
    top = {k: v for k, v in record.items() if k not in nested and k != RUN}
    return {str(top.get("metric", "?")): top, **nested}


def _metric_differences(
    record: ComparabilityRecord, reference: ComparabilityRecord
) -> Iterator[RecordDifference]:
    """The differences of each metric that both measure, or else of the first ones."""
    ours, theirs = metric_records(record), metric_records(reference)
    shared = sorted(ours.keys() & theirs.keys())
    if not shared:
        first, second = (next(iter(each.values())) for each in (ours, theirs))
        yield from _field_differences(first, second, METRIC_FIELDS, "")
    for name in shared:
        yield from _field_differences(ours[name], theirs[name], METRIC_FIELDS, f"{name}.")


def _run_differences(
    record: ComparabilityRecord, reference: ComparabilityRecord
) -> Iterator[RecordDifference]:
    ours, theirs = record.get(RUN), reference.get(RUN)
    if ours and theirs:
        yield from _field_differences(ours, theirs, RUN_FIELDS, f"{RUN}.")
        return
    if theirs:
        who = "this predictions file does not record"
    elif ours:
        who = "the other predictions file does not record"
    else:
        who = "neither predictions file records"
    yield RecordDifference(RUN, "unknown", f"unknown: {who} its {RUN_CONDITIONS}")


def _field_differences(
    a: ComparabilityRecord,
    b: ComparabilityRecord,
    fields: Mapping[str, RecordField],
    prefix: str,
) -> Iterator[RecordDifference]:
    """The differences of two flat records, as ``fields`` describe them."""
    names = dict.fromkeys([*fields, *a, *b])
    known = {name: fields.get(name) or unlisted_field(name) for name in names}
    differing = {name for name, field in known.items() if not field.same(name, a, b)}
    for name, field in known.items():
        implied = differing & {*field.implied_by}
        if name not in differing or field.severity == "neutral" or implied:
            continue
        # Without thresholds a record means those that the metrics' names say.
        if name != "thresholds" and not (name in a and name in b):
            reason = f"unknown: only one record has {name.replace('_', ' ')}"
            yield RecordDifference(prefix + name, "unknown", reason)
        else:
            yield RecordDifference(prefix + name, field.severity, field.describe(a, b))
