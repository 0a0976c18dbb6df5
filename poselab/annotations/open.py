"""Open an annotation file of any known layout, from the cache if it was opened before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from poselab.annotations import cache as table_cache
from poselab.annotations.formats import coco, flic, hourglass, lsp, mpii, parse, whole_body
from poselab.annotations.source_file import collector_paused, files_of, read_source
from poselab.annotations.table_file import load, save
from poselab.io.array_files import matlab_shapes
from poselab.io.json_text import broken_json, other_encoding
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from poselab.annotations.source_file import SourceFile
    from poselab.annotations.table import Annotations
    from poselab.structures import Skeleton

    Reader = Callable[[SourceFile, Skeleton | None, int], Annotations]

READERS: dict[str, tuple[Reader, int]] = {
    "coco": (coco.read, 0),
    "coco_wholebody": (whole_body.read, 0),
    "mpii_mat": (mpii.read_mat, 1),
    "mpii_json": (mpii.read_json, 1),
    "mpii_tompson": (mpii.read_tompson, 1),
    "hourglass_h5": (hourglass.read, 1),
    "lsp": (lsp.read, 1),
    "parse": (parse.read, 1),
    "flic": (flic.read, 1),
}
"""Layout → its reader, and the coordinate of an image's first pixel in it, 0 or 1."""


def open_annotations(
    path: Path,
    layout: str = "auto",
    skeleton: Skeleton | None = None,
    cache: bool = True,
    origin: int | None = None,
    category: str | int | None = None,
) -> Annotations:
    """The table of an annotation file, memory-mapped from the cache after the first time.

    ``layout`` is one of :data:`READERS` or "auto", which recognises it by the content; ``skeleton``
    overrides that of the file; ``origin`` 0 or 1 overrides the layout's coordinate of the first
    pixel (positions in the table are 0-based). ``category`` is the name or id of the only category
    of a COCO file to use, by default all that share their keypoints. The cache lies in
    $POSELAB_CACHE or the platform's cache folder; if that cannot be written, a warning is given and
    nothing is cached.

    Content that a table cannot hold is an error: no such file, another shape of content, NaN,
    infinity or numbers out of range, a wrong number of keypoints, an unknown image id, repeated
    annotation ids, no labelled person. Other problems are kept; ``poselab data check`` reports
    them.

    Raises:
        InputError: there is such a problem; the message names the file and the annotation.
        ValueError: ``origin`` is neither 0 nor 1.
    """
    if layout not in ("auto", *READERS):
        raise InputError(f"expected a layout out of auto, {', '.join(READERS)}, got {layout!r}")
    if origin not in (None, 0, 1):
        raise ValueError(f"expected origin 0 or 1, got {origin!r}")
    path = Path(path).absolute()
    chosen = None if category is None else str(category)
    if cache:
        return _cached(path, (layout, skeleton, origin), chosen)
    return _parse(read_source(path, chosen), layout, skeleton, origin)


def fingerprint_of(path: Path) -> str | None:
    """The fingerprint that the table of a file would have now; None where the file is gone.

    The file is read only if it has changed since it was opened.
    """
    if not path.is_file():
        return None
    return table_cache.known_fingerprint(files_of(path)) or read_source(path).fingerprint


def _parse(
    source: SourceFile, layout: str, skeleton: Skeleton | None, origin: int | None
) -> Annotations:
    reader, default_origin = READERS[recognise(source) if layout == "auto" else layout]
    with collector_paused():
        return reader(source, skeleton, default_origin if origin is None else origin)


def _cached(
    path: Path, form: tuple[str, Skeleton | None, int | None], category: str | None
) -> Annotations:
    files, options = files_of(path), f"{form} {category!r}"
    stamps = table_cache.file_stamps(files)
    known = table_cache.known_fingerprint(files)
    if known and (table := _cached_table(known, options, path)):
        return table
    source = read_source(path, category)
    cached = _cached_table(source.fingerprint, options, path)
    table = cached or _parse(source, *form)
    try:
        if cached is None:
            file = table_cache.table_path(source.fingerprint, options)
            save(table, file)
            table = load(file)
        table_cache.remember_fingerprint(files, source.fingerprint, stamps)
    except InputError as error:
        table_cache.warn_once(error)
    return table


def _cached_table(fingerprint: str, options: str, path: Path) -> Annotations | None:
    """The cached table, if there is a whole one, with ``path`` as its source.

    Its checksum is computed here, once an opening: a process that only unpickles the table trusts
    what its parent has checked.
    """
    file = table_cache.table_path(fingerprint, options)
    if not file.is_file():
        return None
    try:
        table = load(file, verify=True)
        if table.fingerprint != fingerprint:
            raise InputError(f"expected the table of {fingerprint} in {file}, got another")
    except InputError as error:
        table_cache.warn_of_damage(error)
        return None
    return replace(table, source=str(path))


def layout_of(path: Path) -> str:
    """The layout of an annotation file, by its content.

    Raises:
        InputError: there is no such file, or it is of no layout that PoseLab reads.
    """
    return recognise(read_source(path))


def recognise(source: SourceFile) -> str:
    """The layout of a file that was read, by its content.

    Raises:
        InputError: it is of no layout that PoseLab reads.
    """
    head = source.content[:8]
    if head.startswith(b"\x89HDF"):
        return "hourglass_h5"
    if source.path.suffix == ".mat":
        return _matlab_layout(source)
    start = source.text[:64].lstrip()[:1]
    if start == b"{":
        return "coco_wholebody" if whole_body.has_parts(source.text) else "coco"
    if start == b"[":
        return "mpii_json"
    if source.path.suffix == ".json" and other_encoding(source.text[:4]):
        raise broken_json(str(source.path), "", source.text[:4])
    raise InputError(
        f"expected COCO or MPII annotations (.json, .json.gz, .mat, .h5) at {source.path}, found "
        f"something that starts with {head!r}; check the path or set the layout"
    )


_VARIABLES = {
    "RELEASE": "mpii_mat",
    "pos_gt_src": "mpii_tompson",
    "ptsAll": "parse",
    "flic_anno": "flic",
    "examples": "flic",
    "joints": "lsp",
}


def _matlab_layout(source: SourceFile) -> str:
    shapes = matlab_shapes(source.path, source.content)
    for variable, layout in _VARIABLES.items():
        if variable in shapes:
            of_shape: dict[tuple[int, ...], str] = {(2, 14): "parse", (2, 10): "flic"}
            return of_shape.get(shapes[variable][:2], layout) if layout == "lsp" else layout
    raise InputError(
        f"expected one of {', '.join(_VARIABLES)} in {source.path}, found "
        f"{', '.join(sorted(shapes)) or 'no variable'}; check the path"
    )
