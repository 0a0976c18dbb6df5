"""Trees of plain values, as in JSON, YAML and checkpoints, with something odd in one place.

Every function takes the source of its choices: ``random.Random``, or what hypothesis draws.
"""

from __future__ import annotations

from copy import copy, deepcopy
from random import Random
from typing import Any

RAW = "\ue000"
"""Begins a string that a writer of text puts into the file as it is, without quotes."""

DEEP = 100_000

_NUMBERS = [0, -1, 1, 0.5, -0.0, 1e-320, 1e30, 1e308, -1e308, 2**31, 2**53 + 1, 2**63, -(2**63)]
_NUMBERS += [2**64, 10**30, 10**400, 123456789, float("nan"), float("inf"), float("-inf")]
_TEXTS = ["", " ", "x", "1", "nan", "null", "\x00", "a\x00b", "\ud800", "\udfff x", "a" * 5000]
_TEXTS += [
    "../../../etc/passwd",
    "/etc/passwd",
    "C:\\a\\b.jpg",
    "<script>alert(1)</script>",
    "–é日",
]
_TEXTS += ["\n\n\n", "${oc.env:HOME}", "???", "%s{0}", "😀" * 300, "/", ".", "..", "nul.jpg\n"]


def odd_number(random: Random) -> Any:
    """A number at the edge of what some type holds."""
    return random.choice(_NUMBERS)


def odd_value(random: Random, raw: bool = False) -> Any:
    """A value that few readers expect; ``raw``: also text that only a file can hold."""
    kinds: list[Any] = [
        None,
        True,
        False,
        [],
        {},
        [None],
        [[]],
        {"": None},
        [None] * 51,
        [[1, 2], [3]],
    ]
    kinds += [
        [0] * 51,
        [-1] * 4,
        ["x"] * 4,
        {"a": {"b": [1]}},
        {"counts": [10**18, 1], "size": [9, 9]},
    ]
    kinds += [
        {"counts": "l" * 40, "size": [10**6, 10**6]},
        [[0, 0, 1, 1, 2]],
        [[1e300] * 8],
        nested(60),
    ]
    if raw:
        kinds += [
            RAW + "1e999",
            RAW + "-",
            RAW + "00",
            RAW + "[" * DEEP + "]" * DEEP,
            RAW + "9" * 5000,
        ]
        kinds += [RAW + "'x'", RAW + "NaN", RAW + "{}{}", RAW + "[" * DEEP]
    family = random.randrange(3)
    if family == 0:
        return odd_number(random)
    return copy(random.choice(kinds)) if family == 1 else random.choice(_TEXTS)


def odd_word(random: Random) -> str:
    """A word for the command line, which cannot hold NUL."""
    words = [str(odd_number(random)), random.choice(_TEXTS), "99999999999", "-1", "0", "1.5", "1e9"]
    return random.choice(words).replace("\x00", "0").replace("\ud800", "\udcff")


def nested(depth: int) -> Any:
    """Lists in lists."""
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def mutated_tree(tree: Any, random: Random, raw: bool = False, any_keys: bool = False) -> Any:
    """A copy with one to three changes; ``any_keys``: keys may be other than strings."""
    holder = {"": deepcopy(tree)}
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        holder.setdefault("", None)  # an earlier change may have deleted the root
        _change(holder, random, raw, any_keys)
    return holder.get("")


def _change(holder: dict[str, Any], random: Random, raw: bool, any_keys: bool) -> None:
    parent, key = _place(holder, random)
    value = parent[key]
    kind = random.randrange(12)
    if kind <= 3:
        parent[key] = odd_value(random, raw)
    elif kind == 4:
        del parent[key]
    elif kind == 5:
        parent[key] = [value]
    elif kind == 6 and isinstance(value, list):
        shorter, longer = value[: len(value) // 2], value * 2
        parent[key] = random.choice([shorter, longer, value[:1], value[::-1], value[1:]])
    elif kind == 7 and isinstance(value, list):
        parent[key] = [odd_value(random, raw)] * max(1, len(value))
    elif kind == 8 and isinstance(value, int | float):
        parent[key] = random.choice([-value, value + 0.5, str(value), [value], bool(value), 0])
    elif kind == 9 and isinstance(parent, dict):
        odd: list[Any] = [7, None, b"k", ("a", 1), 1.5] if any_keys else []
        parent[random.choice([f"{key}_", "", "\ud800", "__proto__", *odd])] = parent.pop(key)
    elif kind == 10 and isinstance(value, dict):
        value[random.choice(_TEXTS)] = odd_value(random, raw)
    else:
        other, there = _place(holder, random)
        parent[key] = deepcopy(other[there])


def _place(holder: dict[str, Any], random: Random) -> tuple[Any, Any]:
    """A container and a key of it, as often near the root as deep inside."""
    parent: Any = holder
    key: Any = ""
    while isinstance(
        value := parent.get(key) if isinstance(parent, dict) else parent[key], dict | list
    ):
        if not value or random.randrange(5) == 0:
            break
        parent = value
        key = (
            random.choice(list(value)) if isinstance(value, dict) else random.randrange(len(value))
        )
    return parent, key
