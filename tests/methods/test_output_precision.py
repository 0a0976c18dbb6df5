"""Under half precision every method's output keeps the digits that keypoints are read from."""

from __future__ import annotations

import importlib
import re
from typing import Any

import pytest
import torch
from torch import Tensor

from poselab.codecs.heatmap import HeatmapCodec
from poselab.experiments.config.names import conf_folder
from poselab.models.blocks import PreciseConv2d
from poselab.models.feature_info import FeatureInfo
from poselab.outputs import map_tensors, stages
from poselab.skeletons import COCO17

LEVELS = [FeatureInfo(16, reduction) for reduction in (32, 16, 8, 4)]
SIDE = 64
BINS = {"bins": (128, 128), "cells": (16, 16)}
# Keyword arguments that heads need besides, or that keep them small.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "CpmHead": {"stages": 2, "width": 16, "first": 16},
    "HourglassHead": {"stacks": 2, "width": 16},
    "PartAffinityHead": {"limbs": 3},
    "PartContextHead": {"blocks": 1},
    "RtmccHead": BINS,
    "SimccHead": BINS,
    "StagedPartAffinityHead": {"limbs": 3, "blocks": 1, "width": 16, "first_width": 16},
}
IN_FLOAT32 = "poselab.methods.keypoint_rcnn.network.RegionHead"  # its module leaves autocast
HEADS = {
    target
    for method in conf_folder().glob("method/*.yaml")
    for target in re.findall(r"^head:\s*\{?_target_: ([\w.]+)", method.read_text(), re.MULTILINE)
} - {IN_FLOAT32}


@pytest.mark.parametrize("target", sorted(HEADS))
def test_outputs_are_not_rounded_to_half_precision(target: str) -> None:
    module, _, name = target.rpartition(".")
    head = getattr(importlib.import_module(module), name)
    torch.manual_seed(0)
    made = head(feature_info=LEVELS, channels=5, **ARGUMENTS.get(name, {}))
    features = [torch.randn(2, c, SIDE // r, SIDE // r).bfloat16() for c, r in LEVELS]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = made(features)
    found: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    for stage in stages(output):
        map_tensors(keep, stage)
    assert found
    for tensor in found:
        assert tensor.dtype == torch.float32
        constant = tensor.min() == tensor.max()  # such as the confidence of direct regression
        assert constant or not torch.equal(tensor, tensor.bfloat16().float())


def test_rounding_would_tie_neighbours_and_lose_the_quarter_offset() -> None:
    """A peak of one whose right neighbour is higher than its left one by 2⁻¹⁰."""
    layer = PreciseConv2d(1, 17, 1)
    torch.nn.init.ones_(layer.weight)
    codec = HeatmapCodec(skeleton=COCO17, input_size=(32, 32), stride=4)
    heatmap = torch.zeros(1, 1, 8, 8)
    heatmap[0, 0, 4, 3:6] = torch.tensor([0.875, 1.0, 0.875])
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        layer.bias.zero_()  # type: ignore[union-attr]
        exact = layer(heatmap + (torch.arange(8) == 5) * 2**-10)
    moved, tied = (codec.decode(maps).keypoints[0, 0, 0, 0] for maps in (exact, exact.bfloat16()))
    assert (moved - tied).item() == pytest.approx(1.0)  # a quarter of a cell of four pixels
