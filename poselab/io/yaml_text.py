"""YAML of any origin: limits on what it stands for, before it is read."""

from __future__ import annotations

import math

import yaml  # type: ignore[import-untyped]

from poselab.structures import InputError

MOST_VALUES = 200_000
"""How many values a config may have; aliases (``*name``) count with all that they stand for."""

MOST_LEVELS = 60
"""How deep a config's values may lie in one another."""

_Scanner = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def check_yaml(text: bytes | str, where: str) -> None:
    """Check that a document is YAML, and as :func:`check_size`.

    Raises:
        InputError: it is not, or it stands for too many values.
    """
    try:
        check_size(text, where)
    except (yaml.YAMLError, UnicodeError) as error:
        raise not_yaml(where, error) from None


def check_size(text: bytes | str, where: str) -> None:
    """Check how many values a YAML document stands for, with all that its aliases repeat.

    Raises:
        InputError: they are too many, too deep in one another, or inside themselves.
        yaml.YAMLError: it is not YAML.
    """
    if _expanded_size(text) > MOST_VALUES:
        raise InputError(
            f"expected at most {MOST_VALUES} values in {MOST_LEVELS} levels in {where}, got more, "
            "or an alias inside itself; write the values without aliases (*NAME)"
        )


def _expanded_size(text: bytes | str) -> float:
    """The number of values with every alias replaced by what it stands for; infinite for loops."""
    sizes: dict[str, float] = {}
    opened: list[str | None] = [None]
    counts: list[float] = [0]
    for event in yaml.parse(text, _Scanner):
        anchor, size = getattr(event, "anchor", None), 1.0
        if isinstance(event, yaml.CollectionStartEvent):
            if len(opened) > MOST_LEVELS:
                return math.inf
            opened.append(anchor)
            counts.append(1)
            continue
        if isinstance(event, yaml.AliasEvent):
            anchor, size = None, sizes.get(event.anchor, math.inf)
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, size = opened.pop(), counts.pop()
        elif not isinstance(event, yaml.ScalarEvent):
            continue
        if anchor is not None:
            sizes[anchor] = size
        counts[-1] += size
    return counts[0]


def not_yaml(where: str, error: Exception) -> InputError:
    """The error for a text that is no YAML."""
    reason = " ".join(str(error).split())[:200]
    return InputError(f"expected YAML in {where}, but {reason}; correct it")
