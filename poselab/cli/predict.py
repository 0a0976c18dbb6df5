"""poselab predict: poses of images, by a trained run."""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poselab.cli.scoring import expect_batches
from poselab.experiments.device import add_device, usable_device
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from poselab.data import PoseDataset, Split
    from poselab.data.framing import Framing
    from poselab.evaluation.predictions import Predictions
    from poselab.modules import PoseModule

_DESCRIPTION = """Find poses in images with a trained run.

Writes OUT/predictions.json (COCO results format), OUT/predictions.comparability.json (how they were
made, which evaluate and compare read), OUT/images.json (which image id is which file) and
OUT/images/ (the images with poses drawn: left limbs warm, right limbs cold), which is left out
where a folder of images holds it.

A top-down run looks at one person at a time: give --detector with a detector's name or file
(`poselab detect --help` says which; boxes go to OUT/boxes.json), or --boxes with a detections file
(COCO results format: image_id, bbox, score), or each image is taken to show one person who fills
it."""


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    arguments = argparse.ArgumentParser(
        description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("run", type=Path, help="a run's folder, or a checkpoint file")
    arguments.add_argument("inputs", type=Path, nargs="+", help="images, or folders of them")
    arguments.add_argument("--out", type=Path, required=True, help="folder to write to")
    instances = arguments.add_mutually_exclusive_group()
    instances.add_argument("--boxes", type=Path, help="detections file with people's boxes")
    instances.add_argument("--detector", help="what finds people: a detector's name or file")
    arguments.add_argument(
        "--threshold", type=float, default=0.2, help="draw keypoints that score above this (0.2)"
    )
    arguments.add_argument(
        "--pose-threshold", type=float, default=0.2, help="draw poses that score above this (0.2)"
    )
    arguments.add_argument("--batch-size", type=int, default=16)
    add_device(arguments)
    return arguments


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from poselab.data.unlabelled import DRAWINGS, find_images, unlabelled
    from poselab.evaluation.predictions import merge
    from poselab.experiments import build, runs

    expect_batches(arguments)
    _expect_thresholds(arguments)
    device = usable_device(arguments.device)
    drawings = arguments.out / DRAWINGS
    images = [path.resolve() for path in find_images(arguments.inputs)]
    _refuse_overwriting(images, drawings)
    from_run = arguments.run.is_dir()
    checkpoint = runs.checkpoint(arguments.run) if from_run else arguments.run
    module, config, skeleton = build.load(checkpoint)
    if arguments.boxes or arguments.detector:
        _refuse_boxes(module)
    split = unlabelled(images, common_folder(images), skeleton)
    boxes = _detected(split, arguments) if arguments.detector else arguments.boxes
    samples = _samples(split, build.framing(config), boxes)
    found = merge(list(batches(module, samples, arguments.batch_size, device)))
    predictions = replace(module.suppress(found), boxes=None)
    _write(split, predictions, arguments.out, conditions(samples, module, arguments))
    shown = predictions.take(predictions.scores > arguments.pose_threshold)
    _draw(split, shown, drawings, arguments.threshold)
    if module.instances == "one" and boxes is None:
        print("no --boxes, no --detector: each image shows one person", file=sys.stderr)
    said = f"{len(predictions)} poses in {len(images)} images"
    if len(shown) < len(predictions):
        said += f", {len(shown)} of them drawn (score above {arguments.pose_threshold:g})"
    print(f"{said}: {arguments.out}")
    return 0


def _refuse_overwriting(images: list[Path], drawings: Path) -> None:
    root = common_folder(images)
    lost = [p for p in images if drawn_name(drawings, p.relative_to(root)).resolve() in images]
    if lost:
        raise InputError(
            f"expected --out whose folder of drawings is not that of the images, got {drawings}, "
            f"where {lost[0].name} would be drawn over; choose another --out"
        )


def conditions(
    samples: PoseDataset, module: PoseModule, arguments: argparse.Namespace
) -> dict[str, Any]:
    """How poses are made of these samples: the run's part of a contract.

    Whether the run was trained on these images stays unknown.
    """
    from poselab.evaluation.comparability import RUN, read_comparability
    from poselab.experiments.comparability import sample_comparability

    made = sample_comparability(samples, module)
    if arguments.detector:
        made["boxes"]["detector"] = arguments.detector
    left = read_comparability(arguments.run) if arguments.run.is_dir() else {}
    training = left.get(RUN, {}).get("training")
    return {**made, "training": training} if training else made


def _write(split: Split, predictions: Predictions, out: Path, made: dict[str, Any]) -> None:
    """The predictions, how they were made, and which image has which id."""
    from poselab.data.unlabelled import LIST, PREDICTIONS
    from poselab.evaluation.comparability import write_comparability
    from poselab.evaluation.predictions import write_predictions
    from poselab.io.files import write_json

    table = split.annotations
    write_predictions(out / PREDICTIONS, predictions)
    write_comparability(out / PREDICTIONS, made)
    names = [str(split.images / table.file_name(row)) for row in range(len(table))]
    listed = [
        {"id": image_id, "file_name": name}
        for image_id, name in zip(table.image_ids.tolist(), names, strict=True)
    ]
    write_json(out / LIST, listed)


def _expect_thresholds(arguments: argparse.Namespace) -> None:
    for name in ("threshold", "pose_threshold"):
        value = getattr(arguments, name)
        if not math.isfinite(value):
            raise InputError(
                f"expected --{name.replace('_', '-')} to be a number, got {value}; 0.2 is usual"
            )


def _refuse_boxes(module: PoseModule) -> None:
    if module.instances != "one":
        raise InputError(
            "expected a top-down run with --detector or --boxes, got one of "
            f"{type(module).__name__}, which finds people by itself; leave them out"
        )


def _detected(split: Split, arguments: argparse.Namespace) -> Path:
    """Let the detector find people; the detections file that it wrote.

    Raises:
        InputError: no such detector, or it finds nobody.
    """
    from poselab.detection.finding import write_detections
    from poselab.experiments import detectors

    found = detectors.find(arguments.detector, split, arguments.device)
    if not len(found.scores):
        raise InputError(
            f"expected people in the images, {arguments.detector} found none; lower its "
            f"threshold with {arguments.detector},rules.threshold=0.01, or give another"
        )
    file: Path = arguments.out / "boxes.json"
    write_detections(file, found)
    return file


def common_folder(images: list[Path]) -> Path:
    """The deepest folder that holds all the images."""
    import os

    return Path(os.path.commonpath([str(path.parent) for path in images]))


def _samples(split: Split, framing: Framing, boxes: Path | None) -> PoseDataset:
    """Inputs by boxes where there are some, else whole images."""
    from poselab.data import PersonCrop, PoseDataset
    from poselab.data.boxes import whole_images

    if isinstance(framing, PersonCrop):
        if boxes is not None:
            return PoseDataset(split, replace(framing, boxes=str(boxes)))
        framing = replace(framing, padding=1.0)
    return PoseDataset(split, framing, items=whole_images(split.annotations, inhabited=False))


def batches(
    module: PoseModule, samples: PoseDataset, batch_size: int, device: str
) -> Iterator[Predictions]:
    """What the module finds, batch by batch, behind a progress bar."""
    import torch
    from rich.console import Console
    from rich.progress import track
    from torch.utils.data import DataLoader

    from poselab.outputs import map_tensors

    module = module.to(device)
    loader: Any = DataLoader(samples, batch_size=batch_size)
    console = Console(stderr=True)
    bar = partial(track, transient=True, console=console, disable=not console.is_terminal)
    with torch.inference_mode():
        for n, batch in enumerate(bar(loader, "finding poses")):
            yield module.predict_step(map_tensors(lambda part: part.to(device), batch), n)


def drawn_name(folder: Path, image: Path) -> Path:
    """Where an image of that name is drawn to, always as JPEG."""
    return folder / (image if image.suffix == ".jpg" else f"{image}.jpg")


def _draw(split: Split, predictions: Predictions, folder: Path, threshold: float) -> None:
    import cv2
    import numpy as np

    from poselab.data.images import read_image
    from poselab.io.files import replacing
    from poselab.report.draw import draw_poses

    table = split.annotations
    for n in range(len(table)):
        instances = predictions.take(np.flatnonzero(predictions.image_ids == table.image_ids[n]))
        image = read_image(split.images / table.file_name(n))
        shown = instances.keypoint_scores > threshold
        drawn = draw_poses(image, instances.keypoints, shown, table.skeleton)
        with replacing(drawn_name(folder, Path(table.file_name(n)))) as temporary:
            cv2.imwrite(str(temporary), drawn[:, :, ::-1])
