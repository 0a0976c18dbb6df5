"""Training of the small detector of people, from a dataset's folder to its weights and AP."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

import pytorch_lightning as pl

from poselab.datasets import coco
from poselab.detection.tiny_detector import TinyDetectorModule, save
from poselab.detection.tiny_training import train_tiny_detector
from poselab.evaluation.metrics.person_boxes import person_precisions
from poselab.experiments import build
from poselab.experiments.config.compose import compose
from poselab.experiments.detection.detectors import detect_people
from poselab.experiments.device import usable_device
from poselab.io.files import write_json

if TYPE_CHECKING:
    from pathlib import Path

    from poselab.datasets.base import Split


class DetectorRecipe(NamedTuple):
    """How the detector is trained; ``size`` is the side of its square input in pixels."""

    epochs: int = 8
    batch_size: int = 16
    size: int = 128
    seed: int = 0
    device: str = "auto"


class TrainedDetector(NamedTuple):
    """Person AP on that many validation images, and how long training took."""

    person_ap: dict[str, float]
    images: int
    seconds: float


def train_detector(data: Path | None, out: Path, recipe: DetectorRecipe) -> TrainedDetector:
    """Train on a folder in COCO's layout (default: generated people); write weights and metrics.

    Raises:
        InputError: the dataset is missing or broken, or a value of the recipe is out of range.
    """
    train, val = _splits(data)
    device = usable_device(recipe.device)
    pl.seed_everything(recipe.seed, verbose=False)
    detector = TinyDetectorModule((recipe.size, recipe.size))
    started = time.monotonic()
    train_tiny_detector(
        detector,
        train,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        seed=recipe.seed,
        accelerator=device.partition(":")[0],
    )
    seconds = time.monotonic() - started
    save(detector, out / "detector.ckpt")
    values = person_precisions(*detect_people(str(out), val, device), val.annotations)
    record = {f"person_{key}": value for key, value in values.items()}
    write_json(out / "metrics.json", {**record, "seconds": seconds})
    return TrainedDetector(values, len(val.annotations), seconds)


def _splits(data: Path | None) -> tuple[Split, Split]:
    """The training and the validation images."""
    if data is not None:
        files = coco.files(data)
        return files.train.open(), files.val.open()
    generated = build.instantiate_section(compose("train", ["data=generated"])[0], "data")
    return generated.train, generated.val
