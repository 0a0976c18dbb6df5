"""Training step: PoseLab under Lightning, against a bare PyTorch loop over the same tensors.

    python scripts/benchmarks/training_step.py [--steps 6] [--batch-size 8] [--device cpu]

SimpleBaseline ResNet-50 at 256×192, Adam, heatmap loss. The bare loop gets normalised images and
finished targets and does forward, loss, backward and step; PoseLab's step also normalises, encodes
the targets, watches for a loss that is not finite and logs. Rounds alternate; prints the ratio of
the medians of all steps but each round's first. The limit is 1.05.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from itertools import pairwise
from typing import Any

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from poselab.experiments import build
from poselab.experiments.config.compose import compose
from poselab.experiments.library_messages import hide_library_messages
from poselab.skeletons import COCO17
from poselab.structures import Frame, Sample

LIMIT, ROUNDS = 1.05, 3


class Stopwatch(pl.Callback):
    """Seconds between the starts of consecutive steps."""

    def __init__(self) -> None:
        self.starts: list[float] = []

    def on_train_batch_start(self, *unused: Any) -> None:
        self.starts.append(time.perf_counter())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    words = ["experiment=coco/heatmap_r50_256x192", "backbone.pretrained=false"]
    config, _ = compose("train", words)
    batch = synthetic_batch(arguments.batch_size)
    ours, bare = [], []
    for _ in range(ROUNDS):
        ours += lightning_steps(build.module(config, COCO17), batch, arguments)
        bare += bare_steps(build.module(config, COCO17), batch, arguments)
    ratio = statistics.median(ours) / statistics.median(bare)
    print(f"PoseLab  {statistics.median(ours):8.3f} s a step")
    print(f"bare     {statistics.median(bare):8.3f} s a step")
    print(f"ratio    {ratio:8.3f} (limit {LIMIT}, batch {arguments.batch_size}, {len(bare)} steps)")
    return int(ratio > LIMIT)


def synthetic_batch(size: int) -> Sample:
    generator = torch.Generator().manual_seed(0)
    return Sample(
        image=torch.randint(0, 256, (size, 3, 256, 192), dtype=torch.uint8, generator=generator),
        keypoints=torch.rand(size, 1, 17, 2, generator=generator) * 190,
        visibility=torch.full((size, 1, 17), 2, dtype=torch.uint8),
        loss_mask=torch.ones(size, 1, 1, dtype=torch.uint8),
        frame=Frame(*(torch.zeros(size) for _ in range(5))),
    )


def lightning_steps(module: Any, batch: Sample, arguments: argparse.Namespace) -> list[float]:
    watch = Stopwatch()
    trainer = pl.Trainer(
        max_steps=arguments.steps + 1,
        max_epochs=-1,
        accelerator="cpu" if arguments.device == "cpu" else "gpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[watch],
    )
    module.schedule = lambda steps, epochs: lambda step: 1.0
    batches = DataLoader([batch] * (arguments.steps + 2), batch_size=None)
    trainer.fit(module, train_dataloaders=batches)
    gaps = [b - a for a, b in pairwise(watch.starts)]
    return gaps[1:]


def bare_steps(module: Any, batch: Sample, arguments: argparse.Namespace) -> list[float]:
    device = torch.device(arguments.device)
    module = module.to(device).train()
    net, optimizer = module.net, torch.optim.Adam(module.parameters(), lr=1e-3)
    image = ((batch.image.to(device).float() - module.mean) / module.std).contiguous()
    target = module.codec.encode(*(part.to(device) for part in batch[1:4]))
    starts = []
    for _ in range(arguments.steps + 1):
        starts.append(time.perf_counter())
        optimizer.zero_grad()
        loss = 0.5 * ((net(image) - target.heatmaps).square() * target.weight).mean()
        loss.backward()
        optimizer.step()
        loss.item()
    gaps = [b - a for a, b in pairwise(starts)]
    return gaps[1:]


if __name__ == "__main__":
    hide_library_messages()
    sys.exit(main())
