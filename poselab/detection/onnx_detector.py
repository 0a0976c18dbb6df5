"""Any exported YOLO network, through ONNX Runtime."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from poselab.detection.base import DetectedBoxes, boxes_of_corners
from poselab.detection.letterbox import letterbox
from poselab.detection.yolo_formats import YOLO_FORMATS, recognise
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.annotations import Annotations
    from poselab.detection.base import DetectorInput
    from poselab.detection.letterbox import Letterboxed
    from poselab.structures import Size


class OnnxDetector:
    """A YOLO network of any kind in an ONNX file.

    layout: one of :data:`YOLO_FORMATS`, or "auto" to recognise it by the shapes of its outputs.
    ``person`` is the class of people, counted from 0. ``size`` (height, width) is needed where the
    file takes inputs of any size.

    Raises:
        InputError: onnxruntime is not installed, or the file is missing, broken or of no known
            layout.
    """

    def __init__(
        self,
        file: Path,
        layout: str = "auto",
        person: int = 0,
        size: Size = (640, 640),
        device: str = "cpu",
    ) -> None:
        if layout not in ("auto", *YOLO_FORMATS):
            raise InputError(
                f"expected a layout out of auto, {', '.join(YOLO_FORMATS)}, got {layout!r}"
            )
        self.session = _session(file, device)
        taken = self.session.get_inputs()[0]
        fixed = all(isinstance(length, int) for length in taken.shape[2:])
        self.size: Size = tuple(taken.shape[2:]) if fixed else (size[0], size[1])
        self.batch_size = taken.shape[0] if isinstance(taken.shape[0], int) else None
        self.half, self.input, self.person = "float16" in taken.type, taken.name, person
        self.layout = layout
        if layout == "auto":
            # The shapes in a file may be symbols: only outputs tell their layout.
            kind = np.float16 if self.half else np.float32
            empty = np.zeros((self.batch_size or 1, 3, *self.size), kind)
            outputs = self.session.run(None, {self.input: empty})
            self.layout = recognise([output.shape for output in outputs], self.size)

    def __call__(self, images: Sequence[DetectorInput]) -> list[DetectedBoxes]:
        """The candidate boxes of people, after no NMS but the network's own."""
        layout, detected = YOLO_FORMATS[self.layout], []
        step = self.batch_size or len(images)
        for start in range(0, len(images), step):
            part = images[start : start + step]
            inputs = [letterbox(image.pixels, self.size, layout.centred) for image in part]
            outputs = self.session.run(None, {self.input: self._tensor(inputs)})
            for n, letterboxed in enumerate(inputs):
                candidates = layout.read([output[n] for output in outputs], self.size, self.person)
                corners = letterboxed.to_image(candidates.corners)
                detected.append(boxes_of_corners(corners, candidates.scores))
        return detected

    def _tensor(self, inputs: Sequence[Letterboxed]) -> Any:
        """(B, 3, H, W) as the layout requires; a batch of fixed size is filled up with zeros."""
        batch = np.stack([letterboxed.image for letterboxed in inputs]).transpose(0, 3, 1, 2)
        values = batch / 255 if YOLO_FORMATS[self.layout].unit else batch[:, ::-1]
        missing = (self.batch_size or len(inputs)) - len(inputs)
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
    """An :class:`OnnxDetector` by the protocol of detectors."""
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
    usable = [p for p in gpu if p in onnxruntime.get_available_providers()]
    try:
        return onnxruntime.InferenceSession(file, providers=[*usable, "CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises many kinds of errors for broken files
        reason = str(error).splitlines()[0]
        raise InputError(
            f"expected an ONNX network in {file}, but {reason}; export it again"
        ) from None
