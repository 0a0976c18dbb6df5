"""Override words of Hydra's grammar, whose plain values may hold any character."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException

from poselab.io.json_text import shortened
from poselab.structures import InputError

_SEVERAL = re.compile(
    r"(?:Ambiguous value for argument|Sweep parameters) '(.*?)'(?:\n| requires)", re.DOTALL
)
"""Hydra's messages on a value with commas where there is to be one run."""


def quoted(text: str) -> str:
    """A text in quotes of Hydra's grammar."""
    return QuotedString(text, Quote.single).with_quotes()


def with_quotes(word: str) -> str:
    """The word as Hydra's grammar takes it: a plain value with =, (, #, ... gets quotes.

    Raises:
        InputError: its key, its brackets or its quotes are broken.
    """
    key, equals, value = word.partition("=")
    if _parsed(word) is None and equals and value.lstrip()[:1] not in ("[", "{", "'", '"'):
        word = f"{key}={quoted(value)}"
    if _parsed(word) is None:
        raise InputError(
            f"expected KEY=VALUE with closed brackets and quotes, got {shortened(word)}; quote a "
            "text with =, (, # or other signs, as in 'KEY=[\"a=b (1)\"]'"
        )
    return word


def override_value(word: str) -> Any:
    """The value of a single override.

    Raises:
        InputError: it is no override, or one of several values.
    """
    override = _parsed(with_quotes(word))
    assert override is not None  # with_quotes has parsed it
    if override.is_sweep_override():
        raise one_value(word)
    return override.value()


def one_value(word: str) -> InputError:
    """The error for an override that lists several values where one is due."""
    key, _, value = word.partition("=")
    return InputError(
        f"expected one value of {key}, got {shortened(value)}; --multirun makes a run of each, "
        f"quotes keep a comma: '{key}=\"...\"'"
    )


def several_values(error: Exception) -> str | None:
    """The override of several values that Hydra complains of; None for any other error."""
    found = _SEVERAL.search(str(error))
    return found[1] if found else None


def _parsed(word: str) -> Override | None:
    """What the word says in Hydra's grammar; None where it says nothing."""
    try:
        return _parser().parse_override(word)
    except HydraException:
        return None


@cache
def _parser() -> OverridesParser:
    return OverridesParser.create()
