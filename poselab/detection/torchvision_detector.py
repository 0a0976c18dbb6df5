"""Torchvision's detectors: Faster R-CNN, RetinaNet, SSD, FCOS."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torchvision.models import detection as zoo
from torchvision.models import get_model, get_model_weights, list_models

from poselab.detection.base import DetectedBoxes, boxes_of_corners
from poselab.io.files import read_tensors
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from poselab.annotations import Annotations
    from poselab.detection.base import DetectorInput

HUB = "hub"
_COCO_CLASSES = 91  # COCO's category ids reach 90; 0 is the background
_BROKEN = (RuntimeError, ValueError, TypeError, AttributeError)
"""Errors on loading a file with other content."""


class TorchvisionDetector:
    """A detector of torchvision by its name there, such as ``fasterrcnn_resnet50_fpn_v2``.

    weights: "hub" for those trained on COCO, which are downloaded once; a file with their state
    dict; None for random ones. ``classes`` includes the background, ``person`` is the label of
    people. sides: pixels to which the shorter side of images is resized, and the maximum of the
    longer side (None: the network's defaults).

    Raises:
        InputError: no such network, weights that cannot be downloaded or are of another network.
    """

    def __init__(
        self,
        name: str,
        weights: str | None = HUB,
        classes: int = _COCO_CLASSES,
        person: int = 1,
        sides: tuple[int, int] | None = None,
        device: str = "cpu",
    ) -> None:
        self.device, self.person = device, person
        self.net = _network(name, weights, classes, sides).to(device).eval()

    @torch.inference_mode()
    def __call__(self, images: Sequence[DetectorInput]) -> list[DetectedBoxes]:
        """The boxes of people after the network's own NMS."""
        pixels = [torch.from_numpy(image.pixels).to(self.device) for image in images]
        detected = []
        for output in self.net([each.permute(2, 0, 1).float() / 255 for each in pixels]):
            people = output["labels"] == self.person
            boxes, scores = (
                output[key][people].double().cpu().numpy() for key in ("boxes", "scores")
            )
            detected.append(boxes_of_corners(boxes, scores))
        return detected


def from_torchvision(
    *,
    table: Annotations,
    device: str,
    name: str,
    weights: str | None = HUB,
    classes: int = _COCO_CLASSES,
    person: int = 1,
    sides: tuple[int, int] | None = None,
) -> TorchvisionDetector:
    """A :class:`TorchvisionDetector` by the protocol of detectors."""
    del table
    return TorchvisionDetector(name, weights, classes, person, sides, device)


def _network(
    name: str, weights: str | None, classes: int, sides: tuple[int, int] | None
) -> nn.Module:
    known = list_models(module=zoo)
    if name not in known:
        raise InputError(f"expected a detector of torchvision ({', '.join(known)}), got {name!r}")
    resized = {} if sides is None else {"min_size": sides[0], "max_size": sides[1]}
    if weights == HUB:
        return _downloaded(name, resized)
    net: nn.Module = get_model(
        name, weights=None, weights_backbone=None, num_classes=classes, **resized
    )
    if weights is not None:
        _load(net, Path(weights), name)
    return net


def _downloaded(name: str, resized: dict[str, int]) -> nn.Module:
    try:
        net: nn.Module = get_model(name, weights=get_model_weights(name).DEFAULT, **resized)
    except OSError as error:  # no network, a refused connection, a full disk
        raise InputError(
            f"expected to download the weights of {name}, but {error}; give a file of them with "
            "weights=FILE"
        ) from None
    return net


def _load(net: nn.Module, file: Path, name: str) -> None:
    try:
        net.load_state_dict(read_tensors(file))
    except FileNotFoundError:
        raise InputError(f"expected weights of {name} at {file}, found no such file") from None
    except _BROKEN as error:
        reason = str(error).splitlines()[0].rstrip(":")
        raise InputError(
            f"expected the state dict of {name} in {file}, but {reason}; choose that network's file"
        ) from None
