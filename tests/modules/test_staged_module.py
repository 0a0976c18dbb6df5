"""A network with stages goes through the one training step and the one flip test."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import BlockMeans, codec, frames, heatmap_regression, top_down
from torch import Tensor, nn

from poselab.losses.heatmaps import HeatmapLoss
from poselab.losses.stages import EveryStage
from poselab.modules import HeatmapRegression, TopDown
from poselab.outputs import Stages
from poselab.structures import Sample

IMAGES = torch.randint(0, 256, (3, 3, 32, 24), generator=torch.Generator().manual_seed(0)).byte()


class TwoStages(nn.Module):
    """An output that must not be decoded, then the heatmaps of a network without stages."""

    def __init__(self) -> None:
        super().__init__()
        self.last = BlockMeans()

    def forward(self, images: Tensor) -> Stages:
        maps = self.last(images)
        return Stages((maps.roll(3, dims=-1) * 7, maps))


def staged(flip_test: bool = True) -> HeatmapRegression:
    loss = EveryStage(HeatmapLoss)
    return HeatmapRegression(TwoStages(), codec(), loss, flip_test=flip_test).eval()


def sample() -> Sample[Tensor]:
    return Sample(
        image=IMAGES,
        keypoints=torch.rand(3, 1, 17, 2) * 20,
        visibility=torch.full((3, 1, 17), 2),
        loss_mask=torch.ones(3, 1, 1),
        frame=frames([1.0, 0.5, 0.2]),
    )


@pytest.mark.parametrize("flip_test", [True, False])
@torch.no_grad()
def test_predictions_are_those_of_the_last_stage_alone(flip_test: bool) -> None:
    batch = sample()
    many = TopDown(TwoStages(), codec(), EveryStage(HeatmapLoss), flip_test=flip_test).eval()
    one = top_down(flip_test).predict_step(batch, 0)
    predictions = many.predict_step(batch, 0)
    for name, expected in vars(one).items():
        np.testing.assert_array_equal(getattr(predictions, name), expected)


def test_the_flip_test_merges_last_stages() -> None:
    module, plain = staged(), heatmap_regression()
    merged = module.flip_tested(module(IMAGES), IMAGES)
    assert torch.equal(merged, plain.flip_tested(plain(IMAGES), IMAGES))
    last = staged(flip_test=False).flip_tested(module(IMAGES), IMAGES)
    assert torch.equal(last, plain(IMAGES))


def test_the_loss_is_of_all_stages() -> None:
    batch, module, plain = sample(), staged(), heatmap_regression()
    output = module(IMAGES)
    target = module.target(batch)
    parts = module.losses(output, target)
    assert list(parts) == ["heatmaps_1", "heatmaps_2"]
    for part, stage in zip(parts.values(), output.each, strict=True):
        assert torch.equal(part, plain.losses(stage, target)["heatmaps"])


@torch.no_grad()
def test_a_loss_that_is_not_finite_names_its_image() -> None:
    batch, module = sample(), staged()
    output = module(batch.image)
    output.each[0][1] = torch.nan
    assert "image 1 (1)" in module._not_finite_message(output, batch)
    assert "image 0" not in module._not_finite_message(output, batch)
