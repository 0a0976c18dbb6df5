"""Feeding a GPU: training fed from disk, against the same training on tensors on the device.

    python scripts/benchmarks/gpu_feed.py [--images COCO_ROOT] [--batch 128] [--workers 8]
    python scripts/benchmarks/gpu_feed.py --device cpu --backbone tiny --steps 3 --batch 8

SimpleBaseline ResNet-50 at 256×192 in bf16 by the recipe `coco/heatmap_r50_256x192`: its data
module, module and trainer on one GPU. The peer is the same trainer and module on one batch that is
on the device already, so only the path of the data differs: reading, decoding, warping, collating,
copying. Rounds alternate. Prints images a second of either, the ratio, and the share of time in
which the device is without work: from the end of a step's work to the start of the next step's, by
the device's own clock, so that what the host does while the device is busy costs nothing. What the
peer shows there is Lightning's share; what the fed run shows beyond it is waiting for data. The
limit of the ratio is 0.95. Without a GPU it says so and measures nothing, unless asked for
`--device cpu` (float32, no limit), where network and loader share the cores: a trial.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np
import pytorch_lightning as pl
import torch
from lightning_fabric.utilities import move_data_to_device
from torch.utils.data import DataLoader, Dataset

from poselab.data import PoseDataset
from poselab.data.boxes import Items
from poselab.experiments import build
from poselab.experiments.config.compose import compose
from poselab.experiments.library_messages import hide_library_messages
from poselab.skeletons import COCO17
from poselab.structures import InputError
from poselab.synthetic import Settings, generate

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from poselab.data import PoseData

LIMIT, ROUNDS, WARM_UP = 0.95, 3, 10
NO_GPU = (
    "expected a CUDA GPU, found none, so nothing was measured; try it with "
    "`--device cpu --steps 3 --backbone tiny --batch 8`"
)


class Pace(NamedTuple):
    """Images a second, and the share of time (0 to 1) in which the device had no work."""

    rate: float
    waiting: float


class Stopwatch(pl.Callback):
    """Marks where steps start and end in the device's own order of work."""

    def __init__(self, device: str) -> None:
        self.on_gpu = device == "cuda"
        self.starts: list[Any] = []
        self.ends: list[Any] = []

    def on_train_batch_start(self, *unused: Any) -> None:
        self.starts.append(self._mark())

    def on_train_batch_end(self, *unused: Any) -> None:
        self.ends.append(self._mark())

    def pace(self, warm_up: int, batch: int) -> Pace:
        """Of all steps after the first ``warm_up`` ones."""
        if self.on_gpu:
            torch.cuda.synchronize()
        starts, ends = self.starts[warm_up:], self.ends[warm_up - 1 :]
        total = self._seconds(ends[0], ends[-1])
        idle = sum(self._seconds(*gap) for gap in zip(ends[:-1], starts, strict=True))
        return Pace(batch * len(starts) / total, idle / total)

    def _mark(self) -> Any:
        if not self.on_gpu:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record()
        return event

    def _seconds(self, start: Any, end: Any) -> float:
        return float(start.elapsed_time(end) / 1000 if self.on_gpu else end - start)


def main() -> int:
    arguments = parse_arguments()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        print(NO_GPU, file=sys.stderr)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        root = arguments.images or generated_images(Path(folder))
        config = benchmark_config(arguments, root)
        data = build.data(config)
        repeat(data, arguments.batch * steps_of(arguments))
        batch = move_data_to_device(next(iter(data.train_dataloader())), arguments.device)
        resident = DataLoader(Repeated(batch, steps_of(arguments)), batch_size=None)
        rounds = [
            [measure(config, feed, arguments) for feed in (data, resident)] for _ in range(ROUNDS)
        ]
    return report(rounds, arguments)


def parse_arguments() -> argparse.Namespace:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--images", metavar="ROOT", help="COCO in its official layout; default: generated images")
    add("--batch", type=int, default=128, help="images a step (default: %(default)s)")
    add(
        "--workers", type=int, default=cores, help="loading processes (default: %(default)s, cores)"
    )
    add("--steps", type=int, default=100, help="measured steps a round (default: %(default)s)")
    add("--backbone", default="resnet50", help="one of conf/backbone (default: %(default)s)")
    add("--device", choices=("cuda", "cpu"), default="cuda", help="default: %(default)s")
    return parser.parse_args()


class Repeated(Dataset[Any]):
    """One batch many times."""

    def __init__(self, item: Any, times: int) -> None:
        self.item, self.times = item, times

    def __len__(self) -> int:
        return self.times

    def __getitem__(self, index: int) -> Any:
        return self.item


def warm_up_steps(arguments: argparse.Namespace) -> int:
    """Steps before measuring: cuDNN chooses its kernels, and prefetched batches are used up."""
    chosen = WARM_UP if arguments.device == "cuda" else 1
    return chosen + 2 * int(arguments.workers)


def steps_of(arguments: argparse.Namespace) -> int:
    return warm_up_steps(arguments) + int(arguments.steps)


def generated_images(folder: Path) -> str:
    return str(generate(folder / "instances", Settings(64, val=1, size=(480, 640)), workers=1))


def benchmark_config(arguments: argparse.Namespace, root: str) -> DictConfig:
    precision = "bf16-mixed" if arguments.device == "cuda" else "32-true"
    words = [
        *("experiment=coco/heatmap_r50_256x192", f"backbone={arguments.backbone}"),
        *(f"data.sources.root={root}", f"data.workers={arguments.workers}"),
        *(
            f"data.batch_size={arguments.batch}",
            "trainer.devices=1",
            "trainer.num_sanity_val_steps=0",
        ),
        *(f"trainer.accelerator={arguments.device}", f"trainer.precision={precision}"),
        *(f"+trainer.max_steps={steps_of(arguments)}", "+trainer.limit_val_batches=0"),
        "trainer.enable_progress_bar=false",
    ]
    config, _ = compose("train", words)
    if "pretrained" in config.backbone:
        config.backbone.pretrained = False
    return config


def repeat(data: PoseData, count: int) -> None:
    """Repeat the people, so that no epoch ends during the measurement."""
    samples = data.train_samples
    rows = np.resize(np.arange(len(samples)), max(count, len(samples)))
    image, person, boxes, scores = samples.items
    items = Items(image[rows], person[rows], boxes[rows], scores[rows])
    data.train_samples = PoseDataset(
        samples.split, samples.framing, samples.augment, samples.seed, items
    )


def measure(config: DictConfig, feed: Any, arguments: argparse.Namespace) -> Pace:
    """One round of training a new network by the datamodule or the loader ``feed``."""
    torch.manual_seed(0)
    watch = Stopwatch(arguments.device)
    build.trainer(config, None, [watch]).fit(build.module(config, COCO17), feed)
    return watch.pace(warm_up_steps(arguments), arguments.batch)


def report(rounds: list[list[Pace]], arguments: argparse.Namespace) -> int:
    on_gpu = arguments.device == "cuda"
    device = torch.cuda.get_device_name() if on_gpu else "CPU"
    for name, paces in zip(("fed", "resident"), zip(*rounds, strict=True), strict=True):
        rate, waiting = (statistics.median(column) for column in zip(*paces, strict=True))
        print(f"{name:9} {rate:8.1f} images/s, {device} without work {waiting:6.1%} of the time")
    ratios = sorted(fed.rate / resident.rate for fed, resident in rounds)
    ratio = statistics.median(ratios)
    print(
        f"ratio     {ratio:8.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f} in {ROUNDS} rounds", end="; "
    )
    print(f"limit {LIMIT})" if on_gpu else "no limit: a trial)")
    return int(on_gpu and ratio < LIMIT)


if __name__ == "__main__":
    hide_library_messages()
    warnings.filterwarnings("ignore", message=".*but have no `val_dataloader`")
    cv2.setNumThreads(0)
    try:
        sys.exit(main())
    except InputError as error:
        sys.exit(str(error))
