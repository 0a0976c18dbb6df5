"""Whether two figures may be ranked against each other, and if not, why, in words.

A contract says what a figure depends on. Its top level is what an evaluator writes, other metrics'
contracts lie in it under their names (:class:`poselab.evaluation.metrics.several.Combined`), and ``run``
holds how the predictions were made, where a run left that beside them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from poselab.evaluation.comparability_fields import (
    OF_METRIC,
    OF_RUN,
    SPOKEN,
    Field,
    Severity,
    overlap_in_words,
    unheard_of,
)
from poselab.io.files import read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    ComparabilityRecord = Mapping[str, Any]

RUN = "run"
_ORDER: tuple[Severity, ...] = ("incomparable", "unequal", "unknown")


class Difference(NamedTuple):
    """One thing in which two records differ.

    ``field`` is its path, "oks.sigmas" or "run.boxes". ``severity``: "incomparable", the figures
    measure different things; "unequal", they measure the same of methods that did not work under
    the same conditions; "unknown", a record does not say. ``reason`` names this record's value
    first, then the reference's.
    """

    field: str
    severity: Severity
    reason: str


def differences(
    comparability_records: Sequence[ComparabilityRecord], reference: int = 0
) -> list[list[Difference]]:
    """In what each contract differs from the ``reference`` one, the gravest first.

    The reference's own list is empty. Swapping two contracts changes no field and no severity. A
    contract that says everything does not differ from its copy; of what both leave out nobody knows
    whether it is the same. What a comparison is about (input size, say) is a difference too:
    callers leave it out by its ``field``.
    """
    return [
        [] if n == reference else between(comparability, comparability_records[reference])
        for n, comparability in enumerate(comparability_records)
    ]


def between(mine: ComparabilityRecord, other: ComparabilityRecord) -> list[Difference]:
    """In what one contract differs from another, the gravest first; see :func:`differences`."""
    found = [*_between_metrics(mine, other), *_between_runs(mine, other)]
    told = {difference.reason: difference for difference in reversed(found)}
    kept = [difference for difference in found if told[difference.reason] is difference]
    return sorted(kept, key=lambda difference: _ORDER.index(difference.severity))


def worst(found: Sequence[Difference]) -> Severity | None:
    """The gravest severity; None where nothing differs."""
    return next((s for s in _ORDER if any(d.severity == s for d in found)), None)


def doubts(comparability: ComparabilityRecord) -> list[str]:
    """What makes a figure doubtful without any other beside it, in words."""
    run = comparability.get(RUN)
    if not run:
        return [f"the results file says nothing of its {SPOKEN}"]
    overlap = run.get("overlap") or {}
    return [overlap_in_words(overlap)] if overlap.get("images") else []


def read_comparability(path: Path) -> dict[str, Any]:
    """``{"run": ...}`` as the run that made a predictions file left it; empty where none did.

    ``path`` is a run's folder, a file in its ``predictions``, or a file with a contract of its own
    (:func:`write_comparability`); merge the result into what an evaluator writes.

    Raises:
        InputError: the run's manifest or the file's contract is broken.
    """
    manifest = _manifest(Path(path))
    content = read_json(manifest, "a run's contract") if manifest else None
    recorded = content.get("comparability") if isinstance(content, dict) else None
    return {RUN: recorded} if recorded else {}


def write_comparability(path: Path, run: ComparabilityRecord) -> None:
    """Write beside a predictions file, as NAME.comparability.json, how its poses were made.

    Raises:
        InputError: the folder cannot be written, or the disk is full.
    """
    write_json(_own_contract(path), {"comparability": dict(run)})


def _own_contract(path: Path) -> Path:
    return path.with_name(f"{path.stem}.comparability.json")


def _manifest(path: Path) -> Path | None:
    """The file that says how predictions were made: their own, or their run's."""
    if path.is_file() and _own_contract(path).is_file():
        return _own_contract(path)
    folder = path if path.is_dir() else path.parent.parent
    foreign = path.is_file() and path.parent.name != "predictions"
    manifest = folder / "run.json"
    return manifest if manifest.is_file() and not foreign else None


def parts(comparability: ComparabilityRecord) -> dict[str, ComparabilityRecord]:
    """The contract of each metric by the metric's name."""
    nested = {k: v for k, v in comparability.items() if isinstance(v, dict) and "metric" in v}
    own = {k: v for k, v in comparability.items() if k not in nested and k != RUN}
    return {str(own.get("metric", "?")): own, **nested}


def _between_metrics(mine: ComparabilityRecord, other: ComparabilityRecord) -> Iterator[Difference]:
    """The differences of each metric that both measure, or else of the first ones."""
    ours, theirs = parts(mine), parts(other)
    shared = sorted(ours.keys() & theirs.keys())
    if not shared:
        first, second = (next(iter(each.values())) for each in (ours, theirs))
        yield from _between_parts(first, second, OF_METRIC, "")
    for name in shared:
        yield from _between_parts(ours[name], theirs[name], OF_METRIC, f"{name}.")


def _between_runs(mine: ComparabilityRecord, other: ComparabilityRecord) -> Iterator[Difference]:
    a, b = mine.get(RUN), other.get(RUN)
    if a and b:
        yield from _between_parts(a, b, OF_RUN, f"{RUN}.")
    else:
        both, one = "neither results file says anything", "results file says nothing"
        who = f"this {one}" if b else f"the other {one}" if a else both
        yield Difference(RUN, "unknown", f"unknown: {who} of its {SPOKEN}")


def _between_parts(
    a: ComparabilityRecord, b: ComparabilityRecord, fields: Mapping[str, Field], prefix: str
) -> Iterator[Difference]:
    """The differences of two flat contracts by what ``fields`` say of each field."""
    known = {
        name: fields.get(name) or unheard_of(name) for name in dict.fromkeys([*fields, *a, *b])
    }
    differing = {name for name, field in known.items() if not field.same(name, a, b)}
    for name, field in known.items():
        if name not in differing or field.severity == "neutral" or differing & {*field.after}:
            continue
        if name != "thresholds" and not (name in a and name in b):
            reason = f"unknown: only one record says its {name.replace('_', ' ')}"
            yield Difference(prefix + name, "unknown", reason)
        else:
            yield Difference(prefix + name, field.severity, field.say(a, b))
