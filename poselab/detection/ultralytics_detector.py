"""Networks of ultralytics.

The package is under the AGPL-3.0, which also covers programs that use it, even if they are only
offered over a network. PoseLab does not depend on it and imports it only where users installed it
and chose it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from poselab.detection.base import DetectedBoxes, boxes_of_corners
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.annotations import Annotations
    from poselab.detection.base import DetectorInput


class UltralyticsDetector:
    """A network of ultralytics (AGPL-3.0) by its file, without boxes scored below ``threshold``.

    Raises:
        InputError: ultralytics is not installed.
    """

    def __init__(
        self, file: str, person: int = 0, threshold: float = 0.05, device: str = "cpu"
    ) -> None:
        try:
            package = import_module("ultralytics")
        except ImportError:
            raise InputError(
                "expected ultralytics (AGPL-3.0, read its licence first), found it not installed; "
                "install it, or export the network to ONNX and give that file"
            ) from None
        self.net, self.person = package.YOLO(file), person
        self.threshold, self.device = threshold, device

    def __call__(self, images: Sequence[DetectorInput]) -> list[DetectedBoxes]:
        """The boxes of people after the package's own NMS."""
        results = self.net.predict(
            [image.pixels[:, :, ::-1] for image in images],  # it takes BGR
            classes=[self.person],
            conf=self.threshold,
            device=self.device,
            verbose=False,
        )
        boxes = (result.boxes for result in results)
        return [boxes_of_corners(b.xyxy.cpu().numpy(), b.conf.cpu().numpy()) for b in boxes]


def from_ultralytics(
    *, table: Annotations, device: str, file: str, person: int = 0, threshold: float = 0.05
) -> UltralyticsDetector:
    """An :class:`UltralyticsDetector` by the protocol of detectors."""
    del table
    return UltralyticsDetector(file, person, threshold, device)
