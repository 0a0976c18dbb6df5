"""The element types of MATLAB 5 files, checked before SciPy reads them.

SciPy 1.17 looks a type up in a table without a check: numbers that are said to be of a type that
does not exist end the whole process. Layout: MathWorks, "MAT-File Format", chapter 1, level 5.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_FILE_HEADER = 128
_MATRIX, _COMPRESSED = 14, 15
_NUMBERS = frozenset({1, 2, 3, 4, 5, 6, 7, 9, 12, 13})  # integers of 8 to 64 bits, floats
_NUMERIC_CLASSES = range(5, 16)  # sparse, double, single, integers
_HEADER_ELEMENTS = 3  # flags, dimensions, name
_DEEPEST = 100  # SciPy recurses in C, where the stack ends without an exception


def check_element_types(content: bytes) -> None:
    """Check that numbers in a MATLAB 5 file with this ``content`` have types that exist.

    Files of other versions pass, and so do broken ones about which SciPy raises an exception.

    Raises:
        ValueError: an array has another type, or arrays are nested too deeply.
    """
    order = {b"IM": "<", b"MI": ">"}.get(content[126:128])
    if order is None:
        return
    waiting = [(memoryview(content)[_FILE_HEADER:], 0)]
    while waiting:
        data, depth = waiting.pop()
        if depth > _DEEPEST:
            raise ValueError(f"its arrays are nested more than {_DEEPEST} deep")
        for kind, body, _ in _elements(data, order):
            if kind == _COMPRESSED:
                waiting.append((memoryview(_unpacked(body)), depth))
            elif kind == _MATRIX:
                waiting += [(child, depth + 1) for child in _nested(body, order)]


def _nested(matrix: memoryview, order: str) -> Iterator[memoryview]:
    """The arrays within an array, as data of one element each, if its numbers have valid types."""
    numeric = False
    start = 0
    for n, (kind, body, end) in enumerate(_elements(matrix, order)):
        if n == 0 and len(body) >= 4:
            numeric = struct.unpack_from(f"{order}I", body)[0] & 0xFF in _NUMERIC_CLASSES
        elif n >= _HEADER_ELEMENTS and numeric and kind not in _NUMBERS:
            raise ValueError(f"it has numbers of the unknown type {kind}")
        elif kind == _MATRIX:
            yield matrix[start:end]
        start = end


def _elements(data: memoryview, order: str) -> Iterator[tuple[int, memoryview, int]]:
    """Type, content and end of each element; up to four bytes may stand within the tag."""
    start, tag = 0, struct.Struct(f"{order}II")
    while start + tag.size <= len(data):
        kind, length = tag.unpack_from(data, start)
        if kind >> 16:
            yield kind & 0xFFFF, data[start + 4 : start + 4 + (kind >> 16)], start + tag.size
            start += tag.size
            continue
        begin = start + tag.size
        # All but compressed elements end at a multiple of eight bytes.
        end = begin + length + (0 if kind == _COMPRESSED else -length % 8)
        yield kind, data[begin : begin + length], end
        start = end


def _unpacked(packed: memoryview) -> bytes:
    try:
        return zlib.decompressobj().decompress(packed)
    except zlib.error:  # SciPy says what is wrong with it
        return b""
