"""The records of a large JSON list, read from its text in small pieces.

A whole list parsed at once is millions of Python numbers that leave the processor's cache before
they are copied; pieces of some tens of kilobytes are copied while still hot, at half the time and a
fraction of the memory. A piece that was cut in the wrong place, in a string or between inner
brackets, cannot be valid JSON, so a ValueError means: parse the whole.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import orjson

from poselab.io.json_text import BYTE_ORDER_MARK, broken_json, other_encoding, without_mark
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PIECE = 1 << 15
LARGE = 1 << 23
"""Bytes of text whose halves two processes read faster than one reads all."""

FIRST = 0.54
"""The share of the first half: a second process also has to hand over what it read."""

_AHEAD = 1 << 12
_BETWEEN_RECORDS = re.compile(rb"\}\s*(,)\s*\{")


class Span(NamedTuple):
    """Part of a text: a function that opens its file, and the range of bytes."""

    opened: Callable[[], BinaryIO]
    start: int
    stop: int


def beginning(opened: Callable[[], BinaryIO], source: str) -> int:
    """Where the list's content begins; ``source`` is the text's name in messages.

    Raises:
        InputError: the text does not begin like a list.
    """
    with opened() as file:
        head = b""
        while not head and (block := file.read(_AHEAD)):
            head = block.removeprefix(BYTE_ORDER_MARK).lstrip()
        if not head.startswith(b"["):
            if other_encoding(head[:4]):
                raise broken_json(source, "", head)
            raise InputError(
                f"expected a JSON list of predictions in {source}, got something else; "
                "give a file in the COCO results format, not annotations"
            )
        return file.tell() - len(head) + 1


def inside(opened: Callable[[], BinaryIO], start: int) -> Span:
    """The list's content, which begins at ``start``.

    Raises:
        ValueError: the text does not end like a list.
    """
    with opened() as file:
        last = max(start, file.seek(0, os.SEEK_END) - _AHEAD)
        file.seek(last)
        tail = file.read()
    end = tail.rindex(b"]")
    if tail[end + 1 :].strip():
        raise ValueError("expected nothing after the list")
    return Span(opened, start, last + end)


def halves(span: Span) -> list[Span]:
    """Two parts of a large list, cut between records, or the one part of a small list."""
    opened, start, stop = span
    if stop - start < LARGE:
        return [span]
    with opened() as file:
        middle = start + int(FIRST * (stop - start))
        middle += len(_until_cut(file, middle, stop, 0))
    return [Span(opened, start, middle), Span(opened, min(middle + 1, stop), stop)]


def pieces(span: Span) -> Iterator[list[Any]]:
    """The records in lists of about ``PIECE`` bytes of text each; no list is empty.

    Raises:
        ValueError: a piece is not valid JSON.
    """
    start = span.start
    with span.opened() as file:
        while start < span.stop:
            text = _until_cut(file, start, span.stop, PIECE)
            if records := orjson.loads(b"".join((b"[", text, b"]"))):
                yield records
            start += len(text) + 1


def _until_cut(file: BinaryIO, start: int, stop: int, least: int) -> bytes:
    """The text from ``start`` to the first comma between records after ``least`` bytes."""
    file.seek(start)
    text = file.read(min(least + _AHEAD, stop - start))
    while not (cut := _BETWEEN_RECORDS.search(text, least)):
        # Doubling keeps the time linear where no record ends for long.
        more = file.read(min(len(text), stop - start - len(text)))
        if not more:
            return text
        text += more
    return text[: cut.start(1)]


def whole(opened: Callable[[], BinaryIO], source: str) -> list[Any]:
    """All records at once.

    Raises:
        InputError: not JSON.
    """
    with opened() as file:
        data = file.read()
    try:
        records: list[Any] = orjson.loads(without_mark(data))
    except orjson.JSONDecodeError as error:
        if re.search(rb"\bNaN\b|\bInfinity\b", data):
            raise InputError(
                f"expected finite numbers in {source}, got NaN or Infinity; "
                "the method that wrote it diverged"
            ) from None
        raise broken_json(source, str(error), data) from None
    return records
