"""Names of keypoints: one spelling for all, and which two are left and right of each other."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Words = tuple[str, ...]

_CAMEL_CASE = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z0-9])(?=[A-Z][a-z])")
_OTHER_SIDE = {"left": "right", "right": "left", "l": "r", "r": "l"}


def plain_name(name: str) -> str:
    """A name in lower case with underscores: left_eye for "Left Eye", "left-eye" and "leftEye"."""
    return re.sub(r"[ _-]+", "_", _CAMEL_CASE.sub("_", name.strip())).lower()


def infer_flip_pairs(names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The pairs of names that differ only in their side, in the order of ``names``.

    A side is left, right, l or r, as a word of its own (top_left, leftEye, R-Shoulder, eye.L) or
    else as the beginning or end of a word (lefteye, LWrist, wheel_fl). A name is paired only if its
    counterpart exists and there is just one.
    """
    spelled: dict[Words, list[str]] = {}
    for name in names:
        spelled.setdefault(_words(name), []).append(name)
    other = {name: _counterpart(name, spelled) for name in names}
    order = {name: place for place, name in enumerate(names)}
    return tuple(
        (name, flipped)
        for name, flipped in other.items()
        if flipped is not None and other[flipped] == name and order[name] < order[flipped]
    )


def _words(name: str) -> Words:
    parts = re.findall(r"[^\W\d_]+|\d+", _CAMEL_CASE.sub("_", name))
    return tuple(part.lower() for part in parts)


def _counterpart(name: str, spelled: dict[Words, list[str]]) -> str | None:
    """The only name of the other side, by the most certain reading of which there is any."""
    for candidates in _readings(_words(name)):
        found = {n for words in candidates for n in spelled.get(words, ())} - {name}
        if found:
            return found.pop() if len(found) == 1 else None
    return None


def _readings(words: Words) -> Iterator[set[Words]]:
    """The words with the side changed, under each reading of what says the side."""
    yield {tuple(_OTHER_SIDE.get(word, word) for word in words)}
    yield {_changed(words, n, _OTHER_SIDE[w]) for n, w in enumerate(words) if w in _OTHER_SIDE}
    for sides in (("left", "right"), ("l", "r")):
        yield {
            _changed(words, place, flipped)
            for place, word in enumerate(words)
            for side in sides
            for flipped in _glued(word, side)
        }


def _changed(words: Words, place: int, word: str) -> Words:
    return (*words[:place], word, *words[place + 1 :])


def _glued(word: str, side: str) -> Iterator[str]:
    """A word that begins or ends with a side, with the other one."""
    if len(word) > len(side):
        if word.startswith(side):
            yield _OTHER_SIDE[side] + word[len(side) :]
        if word.endswith(side):
            yield word[: -len(side)] + _OTHER_SIDE[side]
