"""Any exported YOLO network, through ONNX Runtime."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from poselab.detection.base import Found, from_corners
from poselab.detection.letterbox import letterboxed
from poselab.detection.yolo_layouts import LAYOUTS, recognised
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.annotations import Annotations
    from poselab.detection.base import Shown
    from poselab.detection.letterbox import Placed
    from poselab.structures import Size


class OnnxDetector:
    """A YOLO network of any kind in an ONNX file.

    layout: one of :data:`LAYOUTS`, or "auto" for the one that its outputs look like. ``person`` is
    the class of people, counted from 0. ``size`` (height, width) is needed where the file takes
    inputs of any size.

    Raises:
        InputError: onnxruntime is not installed, the file is missing or broken, or of no such kind.
    """

    def __init__(
        self,
        file: Path,
        layout: str = "auto",
        person: int = 0,
        size: Size = (640, 640),
        device: str = "cpu",
    ) -> None:
        if layout not in ("auto", *LAYOUTS):
            raise InputError(f"expected a layout out of auto, {', '.join(LAYOUTS)}, got {layout!r}")
        self.session = _session(file, device)
        shown = self.session.get_inputs()[0]
        fixed = all(isinstance(length, int) for length in shown.shape[2:])
        self.size: Size = tuple(shown.shape[2:]) if fixed else (size[0], size[1])
        self.at_once = shown.shape[0] if isinstance(shown.shape[0], int) else None
        self.half, self.input, self.person = "float16" in shown.type, shown.name, person
        self.layout = layout if layout != "auto" else self._look()

    def _look(self) -> str:
        """The layout of what comes out for an empty input."""
        empty = np.zeros((self.at_once or 1, 3, *self.size), np.float16 if self.half else "f4")
        outputs = self.session.run(None, {self.input: empty})
        return recognised([output.shape for output in outputs], self.size)

    def __call__(self, images: Sequence[Shown]) -> list[Found]:
        """The candidates of people, before any NMS but the file's own."""
        step = self.at_once or len(images)
        parts = [images[start : start + step] for start in range(0, len(images), step)]
        return [found for part in parts for found in self._batch(part)]

    def _batch(self, images: Sequence[Shown]) -> list[Found]:
        layout = LAYOUTS[self.layout]
        placed = [letterboxed(p.pixels, self.size, layout.centred) for p in images]
        outputs = self.session.run(None, {self.input: self._input(placed)})
        found = []
        for n, where in enumerate(placed):
            candidates = layout.read([output[n] for output in outputs], self.size, self.person)
            found.append(from_corners(where.to_image(candidates.corners), candidates.scores))
        return found

    def _input(self, placed: Sequence[Placed]) -> Any:
        """(B, 3, H, W) as the family wants it; a fixed batch is filled up with zeros."""
        batch = np.stack([where.image for where in placed]).transpose(0, 3, 1, 2)
        values = batch / 255 if LAYOUTS[self.layout].unit else batch[:, ::-1]
        missing = (self.at_once or len(placed)) - len(placed)
        filled = np.pad(values, ((0, missing), (0, 0), (0, 0), (0, 0)))
        return np.ascontiguousarray(filled, dtype=np.float16 if self.half else np.float32)


def from_onnx(
    *,
    table: Annotations,
    device: str,
    file: str,
    layout: str = "auto",
    person: int = 0,
    size: Size = (640, 640),
) -> OnnxDetector:
    """An :class:`OnnxDetector` by the contract of detectors."""
    del table
    return OnnxDetector(Path(file), layout, person, size, device)


def _session(file: Path, device: str) -> Any:
    try:
        onnxruntime = import_module("onnxruntime")
    except ImportError:
        raise InputError(
            "expected onnxruntime for a detector in an ONNX file, found it not installed; "
            "install it with `pip install onnxruntime`"
        ) from None
    if not file.is_file():
        raise InputError(f"expected a detector at {file}, found no such file; check the path")
    gpu = ["CUDAExecutionProvider"] if device.startswith("cuda") else []
    loss_mask = [p for p in gpu if p in onnxruntime.get_available_providers()]
    try:
        return onnxruntime.InferenceSession(file, providers=[*loss_mask, "CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has no one error for broken files
        reason = str(error).splitlines()[0]
        raise InputError(f"expected an ONNX network in {file}, but {reason}; get it anew") from None
