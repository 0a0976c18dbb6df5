"""What the outputs of exported YOLO networks mean, by who exported them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from poselab.structures import Floats, Size

_STRIDES = (8, 16, 32)


class Candidates(NamedTuple):
    """Boxes of one image before NMS: corners (N, 4) x y x y in input pixels, scores (N,)."""

    corners: Floats
    scores: Floats


class Layout(NamedTuple):
    """How a family is fed and read.

    ``unit``: values 0 to 1 in RGB, else 0 to 255 in BGR. ``centred``: grey around the image on
    all sides, else right and below. ``read`` takes one image's outputs, the input's size and the
    person's class.
    """

    unit: bool
    centred: bool
    read: Callable[[Sequence[Floats], Size, int], Candidates]


def _corners(boxes: Floats) -> Floats:
    """Centre and sides (N, 4) as corners."""
    half = boxes[:, 2:4] / 2
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)


def _with_objectness(outputs: Sequence[Floats], size: Size, person: int) -> Candidates:
    """(N, 5 + classes): centre, sides, objectness, class scores (YOLOv5, v7, YOLOX decoded)."""
    rows = outputs[0]
    return Candidates(_corners(rows), rows[:, 4] * rows[:, 5 + person])


def _on_grid(outputs: Sequence[Floats], size: Size, person: int) -> Candidates:
    """The same, but centres in cells from each cell's own and logarithms of sides (YOLOX)."""
    rows = outputs[0].astype(np.float64)
    places = []
    for step in _STRIDES:
        y, x = np.mgrid[: size[0] // step, : size[1] // step]
        places.append(np.stack([x, y, np.full_like(x, step)], axis=-1).reshape(-1, 3))
    cells = np.concatenate(places)
    stride = cells[:, 2:]
    centres, sides = (rows[:, :2] + cells[:, :2]) * stride, np.exp(rows[:, 2:4]) * stride
    boxes = np.concatenate([centres, sides], axis=1)
    return Candidates(_corners(boxes), rows[:, 4] * rows[:, 5 + person])


def _class_scores(outputs: Sequence[Floats], size: Size, person: int) -> Candidates:
    """(4 + classes, N): centre and sides, class scores (YOLOv8 and later)."""
    rows = outputs[0].T
    return Candidates(_corners(rows), rows[:, 4 + person])


def _end_to_end(outputs: Sequence[Floats], size: Size, person: int) -> Candidates:
    """(N, 6): corners, score, class (YOLOv10 and exports with NMS inside)."""
    rows = outputs[0][outputs[0][:, 5].round() == person]
    return Candidates(rows[:, :4], rows[:, 4])


def _labelled_apart(outputs: Sequence[Floats], size: Size, person: int) -> Candidates:
    """(N, 5) corners and score, and (N,) labels (exports of MMDeploy)."""
    rows = outputs[0][np.asarray(outputs[1]) == person]
    return Candidates(rows[:, :4], rows[:, 4])


LAYOUTS = {
    "yolox": Layout(unit=False, centred=False, read=_on_grid),
    "yolox_decoded": Layout(unit=False, centred=False, read=_with_objectness),
    "mmdeploy": Layout(unit=False, centred=False, read=_labelled_apart),
    "yolov5": Layout(unit=True, centred=True, read=_with_objectness),
    "yolov8": Layout(unit=True, centred=True, read=_class_scores),
    "end_to_end": Layout(unit=True, centred=True, read=_end_to_end),
}


def recognised(shapes: Sequence[tuple[int, ...]], size: Size) -> str:
    """The name of the layout of outputs of these shapes, for an input of ``size``.

    A YOLOX file that decodes its own outputs has the shape of one that does not, which is far more
    common; name it.

    Raises:
        InputError: none looks like that.
    """
    first = shapes[0]
    cells = sum((size[0] // stride) * (size[1] // stride) for stride in _STRIDES)
    if len(first) == 3:
        _, rows, columns = first
        rules = {
            "mmdeploy": len(shapes) == 2 and columns == 5,
            "end_to_end": columns == 6 and rows not in (cells, 3 * cells),
            "yolox": rows == cells and columns > 5,
            "yolov5": rows == 3 * cells and columns > 5,
            "yolov8": columns == cells and rows > 4,
        }
        for name, fits in rules.items():
            if fits:
                return name
    raise InputError(
        f"expected the outputs of a YOLO network ({', '.join(LAYOUTS)}), got shapes "
        f"{list(shapes)} for an input of {size}; say layout= if it is one of these"
    )
