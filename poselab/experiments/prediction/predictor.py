"""A trained or imported model, ready to predict poses in images."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from poselab.evaluation.comparability import RUN, read_comparability
from poselab.experiments import build, runs
from poselab.experiments.comparability import sample_comparability
from poselab.experiments.config.trust import trusting
from poselab.experiments.device import usable_device
from poselab.experiments.prediction.batches import predict, samples_of
from poselab.experiments.prediction.image_poses import ImagePoses
from poselab.experiments.prediction.image_sources import image_split
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from omegaconf import DictConfig

    from poselab.annotations.formats.detections import Detections
    from poselab.data.framing import Framing
    from poselab.datasets.base import Split
    from poselab.io.images import Image
    from poselab.modules import PoseModule
    from poselab.structures import Skeleton

    Images = Path | str | Image | Sequence[Path | str | Image]


def load(
    source: Path | str,
    model: str | None = None,
    device: str = "auto",
    trust: str | Sequence[str] | None = None,
) -> Predictor:
    """Load a run's folder, a checkpoint (.ckpt), or a pretrained file of another project.

    model: what a pretrained file holds (`poselab import-weights --help` lists the names); needed
    where the file's own name does not say it. device: "cpu", "cuda", ..., or "auto" for a GPU if
    there is one. trust: modules of your own whose classes a run or a checkpoint may name, such as
    "my_method"; their code runs. Anything else in such a file is only data.

    Example::

        poses = poselab.load("runs/quickstart/heatmap/2026-01-31_12-00-00").predict("photos")
        poses = poselab.load("pose_hrnet_w32_256x192.pth").predict(image, boxes="boxes.json")

    Raises:
        InputError: no such run or file, or it holds another model.
    """
    source, device = Path(source), usable_device(device)
    if model is None and (source.is_dir() or source.suffix == ".ckpt"):
        checkpoint = runs.best_checkpoint(source) if source.is_dir() else source
        with trusting(trust):
            module, config, skeleton = build.load(checkpoint)
            return Predictor(source, module, config, skeleton, device, build.framing(config))
    from poselab.experiments.pretrained.import_weights import load_pretrained

    imported = load_pretrained(source, model or source.stem)
    _, module, config, skeleton, _ = imported
    return Predictor(source, module, config, skeleton, device, build.framing(config))


@dataclass(frozen=True, eq=False)
class Predictor:
    """A module with its config, its keypoints, its framing and the device that it predicts on."""

    source: Path
    module: PoseModule
    config: DictConfig
    skeleton: Skeleton
    device: str
    framing: Framing

    def predict(
        self,
        images: Images,
        boxes: Path | str | None = None,
        detector: str | None = None,
        batch_size: int = 16,
    ) -> ImagePoses:
        """The poses in images: files, folders of files, or arrays (H, W, 3) uint8 RGB.

        A top-down model needs the boxes of people: ``boxes``, a detections file (COCO results
        format), or ``detector``, a detector's name or file (`poselab detect --help`). Without
        either, each image is taken to show one person who fills it.

        Raises:
            InputError: an image is missing or broken, the model takes no boxes, or the detector
                finds no person.
        """
        if (boxes is not None or detector is not None) and not self.top_down:
            raise InputError(
                "expected a top-down run with --detector or --boxes, got one of "
                f"{type(self.module).__name__}, which finds people by itself; leave them out"
            )
        temporary = TemporaryDirectory(prefix="poselab-")
        split = image_split(_files(images, Path(temporary.name)), self.skeleton)
        detections = None if detector is None else self._detect(detector, split)
        if detections is not None:
            from poselab.detection.detect import write_detections

            boxes = Path(temporary.name) / "boxes.json"
            write_detections(boxes, detections)
        samples = samples_of(split, self.framing, None if boxes is None else Path(boxes))
        made = sample_comparability(samples, self.module) | self._training()
        if detector is not None:
            made["boxes"]["detector"] = detector
        predictions = predict(self.module, samples, batch_size, self.device)
        poses = ImagePoses(split, predictions, made, detections)
        weakref.finalize(poses, temporary.cleanup)  # images given as arrays can be drawn until then
        return poses

    @property
    def top_down(self) -> bool:
        """Whether the model sees one person at a time, and so needs boxes."""
        return not self.module.multi_person

    def _detect(self, detector: str, split: Split) -> Detections:
        from poselab.experiments.detection.detectors import detect_people

        detections = detect_people(detector, split, self.device)
        if not len(detections.scores):
            raise InputError(
                f"expected people in the images, {detector} found none; lower its threshold with "
                f"{detector},rules.threshold=0.01, or give another"
            )
        return detections

    def _training(self) -> dict[str, Any]:
        """The run's record of its training data; whether these images are in it is unknown."""
        recorded = read_comparability(self.source) if self.source.is_dir() else {}
        training = recorded.get(RUN, {}).get("training")
        return {"training": training} if training else {}


def _files(images: Images, folder: Path) -> list[Path]:
    """The images as files and folders; arrays are written to ``folder`` first, without loss."""
    several = [images] if isinstance(images, (str, Path, np.ndarray)) else list(images)
    return [
        _array_file(image, folder / f"array_{n:06d}.png")
        if isinstance(image, np.ndarray)
        else Path(image)
        for n, image in enumerate(several)
    ]


def _array_file(image: Image, file: Path) -> Path:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise InputError(
            f"expected an image as a uint8 array (H, W, 3), got {image.dtype} {image.shape}; "
            "convert it to RGB from 0 to 255"
        )
    cv2.imwrite(str(file), image[:, :, ::-1])
    return file
