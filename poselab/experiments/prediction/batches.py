"""Prediction: a trained module's poses of a set of samples."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from rich.console import Console
from rich.progress import track
from torch.utils.data import DataLoader

from poselab.data import PersonCrop, PoseDataset
from poselab.data.boxes import whole_images
from poselab.evaluation.predictions import Predictions, merge
from poselab.outputs import map_tensors
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from poselab.data.framing import Framing
    from poselab.datasets.base import Split
    from poselab.modules import PoseModule


def predict(module: PoseModule, samples: PoseDataset, batch_size: int, device: str) -> Predictions:
    """All poses of the samples, after non-maximum suppression and without their boxes.

    Raises:
        InputError: an image is missing or broken, or the batch size is below 1.
    """
    shards = list(predict_batches(module, samples, batch_size, device))
    return replace(module.suppress(merge(shards)), boxes=None)


def predict_batches(
    module: PoseModule, samples: PoseDataset, batch_size: int, device: str
) -> Iterator[Predictions]:
    """The poses of each batch before suppression, behind a progress bar on a terminal.

    Raises:
        InputError: an image is missing or broken, or the batch size is below 1.
    """
    if batch_size < 1:
        raise InputError(f"expected a batch size of 1 or more, got {batch_size}; correct it")
    module = module.to(device)
    loader: Any = DataLoader(samples, batch_size=batch_size)
    console = Console(stderr=True)
    bar = partial(track, transient=True, console=console, disable=not console.is_terminal)
    with torch.inference_mode():
        for n, batch in enumerate(bar(loader, "predicting poses")):
            yield module.predict_step(map_tensors(lambda part: part.to(device), batch), n)


def samples_of(split: Split, framing: Framing, boxes: Path | None) -> PoseDataset:
    """One sample for each box of a detections file, or for each image where there are no boxes.

    An image without boxes shows one person who fills it, for framings of one person.
    """
    if isinstance(framing, PersonCrop):
        if boxes is not None:
            return PoseDataset(split, replace(framing, boxes=str(boxes)))
        framing = replace(framing, padding=1.0)
    return PoseDataset(split, framing, items=whole_images(split.annotations, with_people=False))
