"""Open an annotation file of any known layout, from the cache where its content is known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from poselab.annotations import cache as kept
from poselab.annotations.formats import coco, flic, hourglass, lsp, mpii, parse, whole_body
from poselab.annotations.source import collector_paused, files_of, read_source
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from poselab.annotations.source import Source
    from poselab.annotations.table import Annotations
    from poselab.structures import Skeleton

    Reader = Callable[[Source, Skeleton | None, int], Annotations]

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
"""Layout → its reader and the number that its authors gave an image's first pixel."""


def open_annotations(
    path: Path,
    layout: str = "auto",
    skeleton: Skeleton | None = None,
    cache: bool = True,
    origin: int | None = None,
) -> Annotations:
    """The table of an annotation file, memory-mapped from the cache after the first time.

    ``layout`` is one of :data:`READERS` or "auto", which looks at the content; ``skeleton``
    overrides the one that the file tells; ``origin`` 0 or 1 overrides the number of the first
    pixel that the layout implies (positions in the table are 0-based). The cache lies in
    $POSELAB_CACHE or the platform's cache folder; without a writable one it is done without.

    Refused: no such file, another shape of content, NaN, infinity or absurd numbers, a wrong
    number of keypoints, an unknown image id, repeated annotation ids, nobody labelled. The rest of
    :mod:`poselab.annotations.check` is kept and reported by ``poselab data check``.

    Raises:
        InputError: one sentence that names the file and the guilty annotation.
        ValueError: unknown ``origin``.
    """
    if layout not in ("auto", *READERS):
        raise InputError(f"expected a layout out of auto, {', '.join(READERS)}, got {layout!r}")
    if origin not in (None, 0, 1):
        raise ValueError(f"expected origin 0 or 1, got {origin!r}")
    path = Path(path).absolute()
    return (_cached if cache else _read)(path, layout, skeleton, origin)


def fingerprint_of(path: Path) -> str | None:
    """The fingerprint that the table of a file would have now; None where the file is gone.

    Where nothing changed since it was opened, the cache knows it; else the file is read.
    """
    if not path.is_file():
        return None
    return kept.remembered(files_of(path)) or read_source(path).fingerprint


def _read(path: Path, layout: str, skeleton: Skeleton | None, origin: int | None) -> Annotations:
    return _parse(read_source(path), layout, skeleton, origin)


def _parse(
    source: Source, layout: str, skeleton: Skeleton | None, origin: int | None
) -> Annotations:
    reader, usual = READERS[recognise(source) if layout == "auto" else layout]
    with collector_paused():
        return reader(source, skeleton, usual if origin is None else origin)


def _cached(path: Path, layout: str, skeleton: Skeleton | None, origin: int | None) -> Annotations:
    files, asked = files_of(path), f"{layout} {skeleton} {origin}"
    before = kept.stamps(files)
    if (known := kept.remembered(files)) and (table := _kept(known, asked, path)):
        return table
    source = read_source(path)
    table = _kept(source.fingerprint, asked, path)
    made = table or _parse(source, layout, skeleton, origin)
    try:
        if table is None:
            place = kept.place(source.fingerprint, asked)
            kept.save(made, place)
            made = kept.load(place)
        kept.remember(files, source.fingerprint, before)
    except InputError as error:
        kept.warn_once(error)
    return made


def _kept(fingerprint: str, asked: str, path: Path) -> Annotations | None:
    """The table of the cache, if there is a whole one; ``source`` is where it was asked for."""
    from dataclasses import replace

    try:
        return replace(kept.load(kept.place(fingerprint, asked)), source=str(path))
    except InputError:
        return None


def layout_of(path: Path) -> str:
    """The layout of an annotation file, by its content.

    Raises:
        InputError: there is no such file, or it is of no layout that PoseLab reads.
    """
    return recognise(read_source(path))


def recognise(source: Source) -> str:
    """The layout of a file that was read, by its content.

    Raises:
        InputError: it is of none that PoseLab reads.
    """
    head = source.content[:8]
    if head.startswith(b"\x89HDF"):
        return "hourglass_h5"
    if source.path.suffix == ".mat":
        return _matlab_layout(source)
    start = source.text[:64].lstrip()[:1]
    if start == b"{":
        return "coco_wholebody" if whole_body.is_split(source.text) else "coco"
    if start == b"[":
        return "mpii_json"
    raise InputError(
        f"expected COCO or MPII annotations (.json, .json.gz, .mat, .h5) at {source.path}, found "
        f"something that starts with {head!r}; check the path or say its layout"
    )


_VARIABLES = {
    "RELEASE": "mpii_mat",
    "pos_gt_src": "mpii_tompson",
    "ptsAll": "parse",
    "flic_anno": "flic",
    "examples": "flic",
    "joints": "lsp",
}


def _matlab_layout(source: Source) -> str:
    import io

    import scipy.io

    try:
        content = io.BytesIO(source.content)
        shapes = {name: tuple(shape) for name, shape, _ in scipy.io.whosmat(content)}
    except Exception as error:  # scipy has no one error for broken files
        raise InputError(
            f"expected a MATLAB file (v4 to v7.2) at {source.path}, but {error}; fetch it again"
        ) from None
    for variable, layout in _VARIABLES.items():
        if variable in shapes:
            of_shape = {(2, 14): "parse", (2, 10): "flic"}
            return of_shape.get(shapes[variable][:2], layout) if layout == "lsp" else layout
    raise InputError(
        f"expected one of {', '.join(_VARIABLES)} in {source.path}, found "
        f"{', '.join(sorted(shapes)) or 'no variable'}; check the path"
    )
