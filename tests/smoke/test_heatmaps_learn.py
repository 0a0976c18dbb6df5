"""Every method of heatmaps and bins memorises a few images, which a broken loss would not."""

from __future__ import annotations

from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from poselab.experiments import build
from poselab.experiments.config.compose import compose
from poselab.modules import PoseModule
from poselab.skeletons import COCO17
from poselab.structures import Sample

SIZE, BATCH, STEPS = (64, 64), 8, 120
LONGER = {"wing": 200, "focal": 300, "rtmcc": 200}  # flat starts
LOSSES = "method.loss._target_=poselab.losses"
METHODS: dict[str, list[str]] = {
    "squared": ["method=heatmap"],
    "unbiased-dark": ["method=heatmap", "method.codec.encoding=unbiased"],
    "hard-keypoints": [
        *("method=heatmap", "method.codec.sigma=2", f"{LOSSES}.heatmaps.HardKeypointLoss")
    ],
    "wing": ["method=heatmap_wing"],
    "focal": ["method=heatmap_focal"],
    "softmax": ["method=heatmap_softmax"],
    "one-hot": ["method=heatmap_one_hot"],
    "udp-offset": ["method=udp_offset", "neck@method.neck=deconv"],
    "simcc": ["method=simcc"],
    "simcc-gaussian": [
        *("method=simcc", "method.codec.smoothing=gaussian", "method.loss.mean_over_bins=true")
    ],
    "simcc-laplace": ["method=simcc", "method.codec.smoothing=laplace"],
    "rtmcc": ["method=rtmcc"],
}


def batch() -> Sample:
    """Images of noise, each with a pose of its own; some keypoints are not labelled."""
    random = torch.Generator().manual_seed(0)
    image = torch.randint(0, 256, (BATCH, 3, *SIZE), generator=random).to(torch.uint8)
    points = 6 + 52 * torch.rand(BATCH, 1, len(COCO17), 2, generator=random)
    visibility = torch.randint(0, 6, (BATCH, 1, len(COCO17)), generator=random).clamp(max=2)
    frame: Any = (None,) * 5
    loss_mask = torch.ones(BATCH, 1, 1, dtype=torch.uint8)
    return Sample(image, points, visibility.to(torch.uint8), loss_mask, frame)


def made(words: list[str]) -> PoseModule:
    """A method on a network of milliseconds, with a feature of the finest stride it reads."""
    pl.seed_everything(0, verbose=False)
    widths = "[8,16,32]" if "method=rtmcc" in words else "[16,32,32,64]"
    neck = [] if "method=rtmcc" in words else ["method.neck.channels=32"]
    shared = [f"framing.size=[{SIZE[0]},{SIZE[1]}]", f"++backbone.widths={widths}", *neck]
    config, _ = compose("train", [*words, *shared, "flip_test=false", "module=single_person"])
    return build.module(config, COCO17)


def error(module: PoseModule, sample: Sample) -> float:
    """Mean distance of labelled keypoints in input pixels, as decoded."""
    with torch.no_grad():
        found = module.codec.decode(module(sample.image)).keypoints
    return (found - sample.keypoints).norm(dim=-1)[sample.visibility > 0].mean().item()


def learn(module: PoseModule, sample: Sample, steps: int, sign: float = 1.0) -> None:
    """Minimise the loss, or with sign -1 maximise it."""
    optimizer = torch.optim.Adam(module.parameters(), lr=5e-3)
    for _ in range(steps):
        total = torch.stack(
            list(module.losses(module(sample.image), module.target(sample)).values())
        ).sum()
        optimizer.zero_grad()
        (sign * total).backward()
        optimizer.step()


@pytest.mark.parametrize("method", METHODS)
def test_memorises_a_few_images(method: str) -> None:
    module, sample = made(METHODS[method]), batch()
    assert error(module, sample) > 20
    learn(module, sample, LONGER.get(method, STEPS))
    assert error(module, sample) < 5


def test_a_maximised_loss_memorises_nothing() -> None:
    module, sample = made(METHODS["simcc"]), batch()
    learn(module, sample, 30, sign=-1.0)
    assert error(module, sample) > 20
