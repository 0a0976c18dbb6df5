"""The JSON records of a run, checked where they are read: anybody may have changed them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from poselab.io.files import read_json
from poselab.io.json_text import shortened
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_Kind = tuple[type, ...]
_TEXT: _Kind = (str,)
_NUMBER: _Kind = (int, float)
_SECTION: _Kind = (dict,)
_IN_WORDS = {_TEXT: "a text", _NUMBER: "a number", _SECTION: "an object"}
_RUN = {
    **dict.fromkeys(("experiment", "state", "started"), _TEXT),
    **dict.fromkeys(("seconds", "images_per_second"), _NUMBER),
    **dict.fromkeys(("data", "cost", "comparability", "annotation_options"), _SECTION),
    **dict.fromkeys(("imported", "untrained"), _SECTION),
}
_SPLIT = {
    **dict.fromkeys(("annotations", "fingerprint"), _TEXT),
    **dict.fromkeys(("images", "instances"), _NUMBER),
}
_COST = dict.fromkeys(("parameters", "gmacs"), _NUMBER)
_METRICS = dict.fromkeys(("interval", "comparability"), _SECTION)


def read_run_record(file: Path, what: str = "a run's manifest") -> dict[str, Any]:
    """A run's ``run.json``, or the record beside a predictions file; keys that are null are left
    out.

    Raises:
        InputError: there is none, or it is no such record.
    """
    record = _typed(read_json(file, what), _RUN, file)
    _typed(record.get("cost", {}), _COST, file)
    for split in record.get("data", {}).values():
        _typed(split, _SPLIT, file)
    return record


def read_metrics_record(file: Path) -> dict[str, Any]:
    """A run's ``metrics.json``.

    Raises:
        InputError: there is none, or it is no record of metrics.
    """
    content = read_json(file, "metrics")
    kinds = dict.fromkeys(content, _NUMBER) if isinstance(content, dict) else {}
    _typed(content, {**kinds, **_METRICS}, file)
    return dict(content)


def recorded(record: Mapping[str, Any], key: str, file: Path) -> Any:
    """A value that a record must have.

    Raises:
        InputError: it has not.
    """
    if key not in record:
        raise InputError(f"expected {key} in {file}, found none; restore the file, or train again")
    return record[key]


def _typed(content: Any, kinds: Mapping[str, _Kind], file: Path) -> dict[str, Any]:
    """The content without nulls, after checking the types of known keys."""
    if not isinstance(content, dict):
        raise InputError(
            f"expected an object of a run's values in {file}, got {shortened(content)}; restore it"
        )
    known = {key: value for key, value in content.items() if value is not None}
    for key, kind in kinds.items():
        if key in known and (not isinstance(known[key], kind) or isinstance(known[key], bool)):
            raise InputError(
                f"expected {key} of {file} to be {_IN_WORDS[kind]}, got {shortened(known[key])}; "
                "restore the file"
            )
    return known
