"""Damaged bytes, and text files with odd values: JSON, YAML, CSV; images with odd headers."""

from __future__ import annotations

import gzip
import io
import json
import re
import struct
import zlib
from functools import cache
from random import Random
from typing import Any

from mutate_values import DEEP, RAW, mutated_tree

ENCODINGS = ("utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252")


def damaged(content: bytes, random: Random) -> bytes:
    """The bytes with some flipped, cut off, left out, repeated or replaced."""
    if not content:
        return b"\x00"
    start = random.randrange(len(content))
    stop = min(len(content), start + random.choice((1, 4, 64, 1000)))
    kind = random.randrange(8)
    if kind <= 2:
        flipped = bytearray(content)
        for _ in range(random.choice((1, 1, 4, 30))):
            flipped[random.randrange(len(content))] ^= 1 << random.randrange(8)
        return bytes(flipped)
    if kind == 3:
        return content[:start]
    if kind == 4:
        return content[:start] + content[stop:]
    if kind == 5:
        return content[:stop] + content[start:]
    filler = random.choice((b"\x00", b"\xff", b"[", b"\x80"))
    if kind == 6:
        return content[:start] + filler * (stop - start) + content[stop:]
    return random.choice([b"", filler, content + filler, filler + content, content * 2])


def mutated_json(content: bytes, random: Random) -> bytes:
    """A JSON file with odd values, compressed, encoded in another way, or damaged."""
    kind = random.randrange(12)
    if kind == 0:
        return damaged(content, random)
    if kind == 1:
        return _odd_text(content, random)
    text = json_text(mutated_tree(json.loads(content), random, raw=True))
    if kind == 2:
        return gzip.compress(text, 1, mtime=0)
    return text


def json_text(tree: Any) -> bytes:
    """A tree as JSON, with its raw strings as they are."""
    text = json.dumps(tree)
    return re.sub(r'"\\ue000([^"]*)"', r"\1", text).encode()


def _odd_text(content: bytes, random: Random) -> bytes:
    """A text file in another encoding, within brackets, or as a compressed bomb."""
    packed = gzip.compress(content, 1, mtime=0)
    kind = random.randrange(8)
    if kind == 0:
        return content.decode(errors="replace").encode(random.choice(ENCODINGS), errors="replace")
    if kind == 1:
        return random.choice([b"[" * DEEP, b'{"a":' * DEEP, b"[" * DEEP + b"]" * DEEP])
    if kind == 2:
        return damaged(packed, random)
    if kind == 3:
        return packed[: random.randrange(len(packed))]
    if kind == 4:
        return gzip_bomb(random.choice((b" ", b"[", b"0", b"[1],")))
    if kind == 5:
        return gzip.compress(packed, 1, mtime=0)
    half = len(content) // 2
    return random.choice([content[:half] + b" " * 3_000_000 + content[half:], content + content])


@cache
def gzip_bomb(filler: bytes, megabytes: int = 1600) -> bytes:
    """A gzip file of a megabyte or two that holds so many megabytes of one filler."""
    member = gzip.compress(filler * (16_000_000 // len(filler)), 9, mtime=0)
    return member * (megabytes // 16)


def mutated_yaml(content: bytes, random: Random) -> bytes:
    """A YAML file with odd values, tags, aliases or interpolations, or damaged."""
    import yaml

    kind = random.randrange(10)
    if kind == 0:
        return damaged(content, random)
    if kind == 1:
        return random.choice(_odd_yaml(content))
    tree = mutated_tree(yaml.safe_load(content), random)
    text = yaml.safe_dump(_without_raw(tree), allow_unicode=True).encode(errors="surrogatepass")
    if kind == 2:  # one value as it would never be dumped
        lines = text.split(b"\n")
        place = random.randrange(len(lines))
        odd = [b"*a", b"!!python/object/apply:os.system [x]", b"${a.b}", b"??? ", b"\t", b"&a [*a]"]
        lines[place] = lines[place].partition(b":")[0] + b": " + random.choice(odd)
        return b"\n".join(lines)
    return text


def _odd_yaml(content: bytes) -> list[bytes]:
    bomb = b"a0: &a0 [x, x]\n" + b"".join(
        b"a%d: &a%d [%s]\n" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 9)) for n in range(1, 12)
    )
    deep = b"[" * 5000 + b"]" * 5000
    return [
        bomb + content,
        content + bomb,
        b"a: &a [*a]\n" + content,
        b"a: " + deep,
        deep,
        b"- x\n",
    ]


def _without_raw(tree: Any) -> Any:
    """A tree without raw strings and without numbers that YAML cannot hold."""
    if isinstance(tree, dict):
        return {_without_raw(key): _without_raw(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_without_raw(value) for value in tree]
    if isinstance(tree, str):
        return tree.encode(errors="replace").decode().removeprefix(RAW)
    return tree


def mutated_text(content: bytes, random: Random) -> bytes:
    """Lines of words or numbers, of which some are odd, missing or repeated."""
    if random.randrange(3) == 0:
        return random.choice([damaged, _odd_text])(content, random)
    lines = content.split(b"\n")
    place = random.randrange(len(lines))
    odd = [b"nan", b"inf", b"1e999", b"x", b"", b"\x00", b"1;2", b'"', b"-", b"9" * 5000, b"1,2,3"]
    cells = lines[place].split(b",")
    cells[random.randrange(len(cells))] = random.choice(odd)
    changed = b",".join(cells)
    between = random.choice([[changed], [], [lines[place]] * 2, [changed, b""]])
    return b"\n".join([*lines[:place], *between, *lines[place + 1 :]])


_SIDES = (0, 1, 2, 65_500, 100_000, 2**20, 2**31 - 1, 2**32 - 1)


def mutated_png(content: bytes, random: Random) -> bytes:
    """A PNG whose header declares another size or colour, or damaged."""
    if random.randrange(2) == 0:
        return damaged(content, random)
    head = list(struct.unpack(">IIBBBBB", content[16:29]))
    place = random.randrange(7)
    head[place] = random.choice(_SIDES) if place < 2 else random.choice((0, 1, 3, 4, 6, 16, 255))
    if random.randrange(3) == 0:
        head[:2] = [random.choice(_SIDES)] * 2
    return content[:8] + _chunk(b"IHDR", struct.pack(">IIBBBBB", *head)) + content[33:]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def large_png(width: int, height: int) -> bytes:
    """A whole PNG of one bit per pixel, a few kilobytes that decode to that size."""
    packer = zlib.compressobj(9)
    row = bytes(1 + -(-width // 8))
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    parts = [_chunk(b"IHDR", head), _chunk(b"IDAT", data), _chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def mutated_jpeg(content: bytes, random: Random) -> bytes:
    """A JPEG whose header declares another size, that has an odd orientation, or damaged."""
    kind = random.randrange(4)
    if kind <= 1:
        return damaged(content, random)
    if kind == 2:
        start = content.find(b"\xff\xc0") + 5
        sides = [min(random.choice(_SIDES), 65_535) for _ in range(2)]
        return content[:start] + struct.pack(">HH", *sides) + content[start + 4 :]
    from PIL import Image

    image = Image.open(io.BytesIO(content))
    exif = Image.Exif()
    exif[0x0112] = random.choice([1, 3, 6, 8, 0, 9, 65_535])
    file = io.BytesIO()
    image.save(file, "JPEG", exif=exif)
    return file.getvalue()
