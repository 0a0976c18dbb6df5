"""Every experiment takes an optimiser step that moves every parameter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from poselab.experiments import build
from poselab.experiments.config.compose import compose
from poselab.experiments.config.names import experiment_names

EXPERIMENTS = experiment_names()
SMALL_REGIONS = (
    *("framing=whole_image", "method.neck.channels=16", "method.head.keypoint_widths=[16]"),
    *("method.head.box_width=32", "method.head.samples=64"),
)


class Watch(pl.Callback):
    """Looks at the gradients of every step, before any clipping."""

    def __init__(self) -> None:
        self.steps, self.idle = 0, set[str]()

    def on_before_optimizer_step(self, trainer: Any, module: Any, optimizer: Any) -> None:
        self.steps += 1
        self.idle |= {
            name
            for name, parameter in module.named_parameters()
            if parameter.grad is None or not parameter.grad.any()
        }


def tiny(name: str, root: Path) -> list[str]:
    """The experiment's head, codec, loss and module on a backbone of milliseconds."""
    config, _ = compose("train", [f"experiment={name}"])
    neck, head = (config.method[k]["_target_"].rpartition(".")[2] for k in ("neck", "head"))
    layout = "mpii" if name.split("/")[0] in ("mpii", "lsp") else "coco"
    widths = "[8]" if neck == "HighestResolution" else "[8,16,16,16]"
    small = ["backbone=tiny", f"++backbone.widths={widths}"]
    return [
        f"experiment={name}",
        f"data={layout}",
        *([] if name.startswith("bench/") else small),  # a bench's networks are small already
        *(SMALL_REGIONS if head == "RegionHead" else []),
        "framing.size=[64,64]",
        *(["++method.neck.channels=16"] if neck in ("DeconvNeck", "FuseNeck") else []),
        *("trainer=default", "++trainer.max_steps=1", "++trainer.limit_val_batches=0"),
        *("trainer.accelerator=cpu", "trainer.enable_progress_bar=false"),
        *(["data.sources.val=val2017"] if layout == "coco" else []),
        *(f"data.sources.root={root}", "data.workers=0", "data.batch_size=8", "logger=none"),
    ]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_takes_a_step(name: str, instances: Path, mpii_people: Path) -> None:
    root = mpii_people if name.split("/")[0] in ("mpii", "lsp") else instances
    config, _ = compose("train", tiny(name, root))
    data = build.data(config)
    module = build.module(config, data.skeleton)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    watch = Watch()
    trainer = build.trainer(config, None, [watch])
    trainer.fit(module, datamodule=data)
    assert watch.steps == 1
    assert watch.idle == set()
    assert torch.isfinite(trainer.callback_metrics["train/loss"])
    assert any(not torch.equal(before[key], value) for key, value in module.state_dict().items())
