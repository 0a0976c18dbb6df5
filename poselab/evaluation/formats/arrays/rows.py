"""Which person or image each row of an array is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.annotations.columns import rows_of
from poselab.evaluation.formats.arrays.options import ORDER
from poselab.evaluation.images import rows_of_names
from poselab.io.json_text import shortened
from poselab.io.named_arrays import read_named_arrays
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from poselab.annotations.table import Annotations
    from poselab.structures import Ints

ANNOTATION_KEYS = ("annotation_ids", "annotation_id", "ann_ids", "ann_id", "anno_ids")
IMAGE_KEYS = (
    *("image_ids", "image_id", "img_ids", "img_id"),
    *("file_names", "file_name", "imgnames", "imgname", "image_names", "image_name"),
)


class Rows(NamedTuple):
    """Of each row the person (N,), -1 where it is not known, and the image (N,), as rows of the
    ground truth; ``words`` describe them after "one pose for each"."""

    people: Ints
    images: Ints
    words: str


def rows_in_order(annotations: Annotations) -> list[Rows]:
    """The orders in which an array may list the people of the ground truth, the usual first."""
    by_id = np.argsort(annotations.annotation_ids, kind="stable")
    as_read = np.arange(annotations.num_instances)
    scorable = annotations.scorable()
    orders = [(by_id, "people in the order of their annotation ids")]
    if annotations.held_out is not None:
        testing = by_id[annotations.held_out[by_id]]
        orders.append((testing, "people held out for testing, in the order of their ids"))
    orders.append((as_read, "people in the order of their images"))
    orders.append((by_id[scorable[by_id]], "labelled people in the order of their annotation ids"))
    orders.append((as_read[scorable], "labelled people in the order of their images"))
    images = annotations.image_of()
    distinct = {people.tobytes(): (people, words) for people, words in reversed(orders)}
    return [Rows(p, images[p], f"{len(p):,} {words}") for p, words in reversed(distinct.values())]


def rows_of_ids(
    source: str, content: Mapping[str, Any], given: str | None, annotations: Annotations
) -> Rows | None:
    """The rows that an array of ids or names tells; without one ``given``, that of a usual name.

    Raises:
        InputError: no such array or file, or ids that are unknown or could be either kind.
    """
    if given == ORDER:
        return None
    if given is None:
        known = [name for name in ANNOTATION_KEYS if np.ndim(content.get(name, 0)) == 1]
        return _of_annotations(content[known[0]], annotations, known[0]) if known else None
    prefix, _, name = given.rpartition(":")
    if prefix not in ("", "annotation", "image"):
        prefix, name = "", given
    values = _values(source, content, name)
    found = {
        "annotation": _of_annotations(values, annotations, name),
        "image": of_images(values, annotations, name),
    }
    fitting = [rows for kind, rows in found.items() if rows and prefix in ("", kind)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise InputError(
            f"expected ids of annotations or of images in {name}, got numbers that are both; write "
            f"--ids annotation:{name} or --ids image:{name}"
        )
    raise InputError(
        f"expected ids or names of {annotations.source} in {name} for --ids, got "
        f"{shortened(values[:3].tolist())}; give the annotations that they are of"
    )


def _values(source: str, content: Mapping[str, Any], name: str) -> Any:
    """The ids or names (N,) of an array of the content, or of a file."""
    if name in content:
        found = np.asarray(content[name])
    elif Path(name).is_file():
        found = np.asarray(next(iter(read_named_arrays(Path(name), "ids").values()), []))
    else:
        raise InputError(
            f"expected --ids as the name of an array in {source}, or as a file, got "
            f"{shortened(name)}"
        )
    if found.dtype.kind == "O" and all(np.size(part) == 1 for part in found.ravel()):
        found = np.array([str(np.asarray(part).item()) for part in found.ravel()])
    found = found.ravel()
    return found.astype(str) if found.dtype.kind == "S" else found


def _of_annotations(values: Any, annotations: Annotations, name: str) -> Rows | None:
    ids = whole_numbers(values)
    if ids is None or len(np.unique(ids)) < len(ids):
        return None
    order = np.argsort(annotations.annotation_ids, kind="stable")
    if not np.isin(ids, annotations.annotation_ids).all():
        return None
    people = order[np.searchsorted(annotations.annotation_ids[order], ids)]
    return Rows(people, annotations.image_of()[people], f"annotation id of {name}")


def of_images(values: Any, annotations: Annotations, name: str) -> Rows | None:
    """Rows of the images with these ids or file names; None where some are unknown.

    A person is known where every image is named once and has one person.
    """
    ids = whole_numbers(values)
    if ids is not None:
        known = np.isin(ids, annotations.image_ids).all()
        images = rows_of(annotations.image_ids, ids) if known else np.array([-1])
    else:
        images = rows_of_names(annotations, [str(value) for value in values])
    if not len(images) or (images < 0).any():
        return None
    alone = (np.diff(annotations.first_person)[images] == 1).all()
    once = len(np.unique(images)) == len(images)
    people = annotations.first_person[images] if alone and once else np.full(len(images), -1)
    return Rows(np.asarray(people), images, f"image of {name}")


def whole_numbers(values: Any) -> Ints | None:
    """An array of whole numbers as int64, None for others."""
    array: Any = np.asarray(values)
    if array.dtype.kind not in "iuf" or not np.isfinite(array).all():
        return None
    with np.errstate(invalid="ignore"):
        whole = array.astype(np.int64)
    return whole if (whole == array).all() else None
