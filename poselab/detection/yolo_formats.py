"""What the outputs of exported YOLO networks mean, by the code that exported them."""

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
    """The inputs and outputs of the networks of one code base.

    ``unit``: inputs of 0 to 1 in RGB, else 0 to 255 in BGR. ``centred``: the image is padded on
    all sides, else right and below. ``read`` takes one image's outputs, the input's size and the
    class of people.
    """

    unit: bool
    centred: bool
    read: Callable[[Sequence[Floats], Size, int], Candidates]


def _corners(boxes: Floats) -> Floats:
    """Centres and sides (N, 4) → corners x y x y."""
    half = boxes[:, 2:4] / 2
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)


def _with_objectness(outputs: Sequence[Floats], size: Size, person: int) -> Candidates:
    """(N, 5 + classes): centre, sides, objectness, class scores (YOLOv5, v7, YOLOX decoded)."""
    rows = outputs[0]
    return Candidates(_corners(rows), rows[:, 4] * rows[:, 5 + person])


def _on_grid(outputs: Sequence[Floats], size: Size, person: int) -> Candidates:
    """The same, but offsets of centres in cells, and logarithms of sides (YOLOX)."""
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


def _separate_labels(outputs: Sequence[Floats], size: Size, person: int) -> Candidates:
    """(N, 5) corners and score, and (N,) labels (exports of MMDeploy)."""
    rows = outputs[0][np.asarray(outputs[1]) == person]
    return Candidates(rows[:, :4], rows[:, 4])


YOLO_FORMATS = {
    "yolox": Layout(unit=False, centred=False, read=_on_grid),
    "yolox_decoded": Layout(unit=False, centred=False, read=_with_objectness),
    "mmdeploy": Layout(unit=False, centred=False, read=_separate_labels),
    "yolov5": Layout(unit=True, centred=True, read=_with_objectness),
    "yolov8": Layout(unit=True, centred=True, read=_class_scores),
    "end_to_end": Layout(unit=True, centred=True, read=_end_to_end),
}


def recognise(shapes: Sequence[tuple[int, ...]], size: Size) -> str:
    """The name of the layout whose outputs have these shapes, for an input of ``size``.

    "yolox_decoded" has the shapes of "yolox", which is far more common, and is never recognised.

    Raises:
        InputError: no layout has such shapes.
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
        f"expected the outputs of a YOLO network ({', '.join(YOLO_FORMATS)}), got shapes "
        f"{list(shapes)} for an input of {size}; set layout= if it is one of these"
    )
