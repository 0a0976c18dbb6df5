"""The ablations of SimpleBaseline (Xiao et al. 2018, table 2) are values of the config."""

from __future__ import annotations

import pytest
import torch

from poselab.experiments import build
from poselab.experiments.config.compose import compose
from poselab.modules import PoseModule
from poselab.skeletons import COCO17


def variant(*changes: str, experiment: str = "coco/heatmap_r50_256x192") -> PoseModule:
    words = [f"experiment={experiment}", "backbone.pretrained=false", *changes]
    config, _ = compose("train", words)
    with torch.device("meta"):
        return build.module(config, COCO17)


def parameters(module: PoseModule) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(("layers", "size"), [(1, (16, 12)), (2, (32, 24)), (3, (64, 48))])
def test_fewer_deconvolutions_make_coarser_heatmaps(layers: int, size: tuple[int, int]) -> None:
    module = variant(f"method.neck.layers={layers}")
    assert module.codec.grid.size == size  # type: ignore[attr-defined]
    output = module.net(torch.empty(1, 3, 256, 192, device="meta"))
    assert output.shape == (1, 17, *size)


def test_kernels_change_nothing_but_the_deconvolutions() -> None:
    sizes = {kernel: parameters(variant(f"method.neck.kernel={kernel}")) for kernel in (2, 3, 4)}
    pairs = 256 * (2048 + 256 + 256)
    assert sizes[3] - sizes[2] == pairs * (9 - 4)
    assert sizes[4] - sizes[3] == pairs * (16 - 9)


@pytest.mark.parametrize(("depth", "millions"), [(50, 34.0), (101, 53.0), (152, 68.6)])
def test_depths_are_the_published_ones(depth: int, millions: float) -> None:
    module = variant(f"backbone=resnet{depth}")
    assert parameters(module) / 1e6 == pytest.approx(millions, abs=0.05)
