"""JSON text as tools of all systems write it: byte order marks, encodings, and clear errors."""

from __future__ import annotations

import re
from typing import Any

from poselab.structures import InputError

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_OTHER_MARKS = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
_DEEPEST = "1,000"


def without_mark(text: bytes) -> bytes:
    """The text without UTF-8's byte order mark, which tools of Windows write."""
    return text.removeprefix(BYTE_ORDER_MARK)


def other_encoding(text: bytes) -> str:
    """The encoding of a text that is not UTF-8, as far as its bytes tell; "" for UTF-8."""
    for mark, name in _OTHER_MARKS.items():
        if text.startswith(mark):
            return name
    if b"\x00" in text[:4] and len(text) > 1:  # ASCII's brackets and quotes with a zero beside them
        return "UTF-16"
    try:
        text.decode()
    except UnicodeDecodeError as error:
        byte = text[error.start : error.start + 1]
        if error.reason == "unexpected end of data":
            return ""  # cut off within a letter
        return f"Latin-1 or another encoding (byte 0x{byte.hex()} at {error.start:,})"
    return ""


def parse_json(text: bytes, where: str) -> Any:
    """The parsed text of ``where``, a file in words.

    Raises:
        InputError: not JSON, not UTF-8, or with numbers that are not finite.
    """
    import orjson

    try:
        return orjson.loads(without_mark(text))
    except orjson.JSONDecodeError as error:
        raise broken_json(where, str(error), text) from None


def broken_json(where: str, reason: str, text: bytes = b"") -> InputError:
    """The error for JSON that orjson cannot parse for this ``reason``."""
    if encoding := other_encoding(text):
        return InputError(
            f"expected UTF-8 text in {where}, found {encoding}; save it as UTF-8, for example "
            "with iconv"
        )
    if "depth limit" in reason:
        return InputError(
            f"expected JSON of at most {_DEEPEST} nested brackets in {where}, found more; is it "
            "the right file?"
        )
    if "infinity" in reason:  # it parsed until there: the file is whole
        return InputError(
            f"expected finite numbers in {where}, but {reason}; correct or remove that number"
        )
    if "surrogate" in reason:
        return InputError(
            f"expected Unicode text in {where}, but {reason}; correct or remove that text"
        )
    return InputError(f"expected JSON in {where}, but {reason}; is it cut off?")


def parse_loosely(text: bytes, where: str) -> Any:
    """As :func:`parse_json`, but NaN and Infinity, which Python writes, are read as floats.

    Raises:
        InputError: not JSON, or not UTF-8.
    """
    import json

    try:
        return parse_json(text, where)
    except InputError:
        if not re.search(rb"\b(NaN|Infinity)\b", text):
            raise
        try:
            return json.loads(without_mark(text))
        except (ValueError, RecursionError):
            pass
        raise


def shortened(value: object, most: int = 80) -> str:
    """What was found, as at most so many characters of one line."""
    try:
        text = repr(_head(value))
    except RecursionError:
        text = f"a {type(value).__name__} of many levels"
    return text if len(text) <= most else text[: most - 3] + "..."


def _head(value: object) -> object:
    """The beginning of a long list or text, so that a short quotation does not print it all."""
    if isinstance(value, (list, str, bytes)) and len(value) > 100:
        return value[:100]
    return value
