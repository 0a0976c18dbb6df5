"""poselab detect train: a small detector of people, in minutes."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from poselab.experiments.device import add_device, usable_device

if TYPE_CHECKING:
    from poselab.data import Split

_DESCRIPTION = """Train a small detector of people (CenterNet-like, 0.5 M parameters) from nothing.

DATA is a folder in COCO's layout, such as `poselab data synth` makes; without it the generated
people of conf/data/generated.yaml are used, and made first where they are not there yet. Writes
OUT/detector.ckpt, which `--detector OUT` reads, and OUT/metrics.json with its person AP."""


def parser() -> argparse.ArgumentParser:
    """The command's words."""
    words = argparse.ArgumentParser(
        description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words.add_argument("data", type=Path, nargs="?", help="folder of a dataset in COCO's layout")
    words.add_argument("--out", type=Path, required=True, help="folder to write to")
    words.add_argument("--epochs", type=int, default=8)
    words.add_argument("--batch-size", type=int, default=16)
    words.add_argument("--size", type=int, default=128, help="side of the input in pixels (128)")
    words.add_argument("--seed", type=int, default=0)
    add_device(words)
    return words


def run(arguments: argparse.Namespace) -> int:
    """Train, write, score."""
    import pytorch_lightning as pl

    from poselab.detection.tiny_detector import TinyDetector, save
    from poselab.detection.training import fit

    train, val = _splits(arguments.data)
    device = usable_device(arguments.device)
    pl.seed_everything(arguments.seed, verbose=False)
    detector = TinyDetector((arguments.size, arguments.size))
    started = time.monotonic()
    fit(
        detector,
        train,
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        seed=arguments.seed,
        accelerator=device.partition(":")[0],
    )
    seconds = time.monotonic() - started
    save(detector, arguments.out / "detector.ckpt")
    _score(arguments.out, val, seconds, device)
    print(f"detector: {arguments.out}")
    return 0


def _splits(data: Path | None) -> tuple[Split, Split]:
    """What to train on, and what to score on."""
    from poselab.datasets import sources as layouts
    from poselab.experiments import build
    from poselab.experiments.compose import compose

    if data is not None:
        sources = layouts.coco(str(data))
        return sources.train.open(), sources.val.open()
    made = build.node(compose("train", ["data=generated"])[0], "data")
    return made.train, made.val


def _score(out: Path, val: Split, seconds: float, device: str) -> None:
    """Print and write the person AP on the validation images."""
    from poselab.cli.detect import figures
    from poselab.evaluation.metrics.person_boxes import person_precisions
    from poselab.experiments import detectors
    from poselab.io.files import write_json

    found = detectors.find(str(out), val, device)
    values = person_precisions(*found, val.annotations)
    record = {f"person_{key}": value for key, value in values.items()}
    write_json(out / "metrics.json", {**record, "seconds": seconds})
    print(f"{figures(found, val)}  on {len(val.annotations)} images, trained in {seconds:.0f} s")
