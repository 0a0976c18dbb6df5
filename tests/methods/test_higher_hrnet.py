"""HigherHRNet: heatmaps of two resolutions aggregated as in its code, and its published sizes."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from poselab.experiments import build
from poselab.experiments.config.compose import compose
from poselab.methods.associative_embedding.loss import TagLoss
from poselab.methods.higher_hrnet.codec import HigherHrnetCodec, TwoResolutions
from poselab.methods.higher_hrnet.head import HigherHrnetHead
from poselab.methods.higher_hrnet.loss import HigherHrnetLoss
from poselab.models.feature_info import FeatureInfo
from poselab.outputs import TaggedHeatmaps
from poselab.skeletons import COCO17
from poselab.structures import InputError


def codec(**settings: object) -> HigherHrnetCodec:
    return HigherHrnetCodec(
        **({"skeleton": COCO17, "input_size": (64, 48), "stride": 4} | settings)  # type: ignore[arg-type]
    )


def output(seed: int = 0) -> TwoResolutions:
    random = torch.Generator().manual_seed(seed)
    heatmaps, tags = torch.rand(2, 2, 17, 16, 12, generator=random)
    low = TaggedHeatmaps(heatmaps, tags[:, None])
    return TwoResolutions(low, torch.rand(2, 17, 32, 24, generator=random))


def test_outputs_are_aggregated_as_the_authors_do() -> None:
    """Enlarged to the higher resolution, averaged, and both enlarged to the input; flips kept."""

    def larger(maps: torch.Tensor, *size: int) -> torch.Tensor:
        return functional.interpolate(maps, size, mode="bilinear", align_corners=False)

    made, first, second = codec(pixels="hrnet"), output(0), output(1)
    mean = [(larger(o.low.heatmaps, 32, 24) + o.high) / 2 for o in (first, second)]
    found = made.aggregated(made.merge(first, second))
    torch.testing.assert_close(found.heatmaps, larger((mean[0] + mean[1]) / 2, 64, 48))
    for n, each in enumerate((first, second)):
        tags = larger(larger(each.low.tags[:, 0], 32, 24), 64, 48)
        torch.testing.assert_close(found.tags[:, n], tags)
    half = codec(enlarge=False).aggregated(first)
    assert half.heatmaps.shape[-2:] == half.tags.shape[-2:] == (32, 24)


def test_the_loss_adds_the_higher_heatmaps() -> None:
    made, random = codec(), torch.Generator().manual_seed(2)
    keypoints = 40 * torch.rand(2, 3, 17, 2, generator=random)
    target = made.encode(keypoints, torch.full((2, 3, 17), 2), torch.ones(2, 1, 1))
    found, parts = output(), HigherHrnetLoss(heatmaps=2.0, pull=0.5, push=0.25)(output(), target)
    low = TagLoss(heatmaps=2.0, pull=0.5, push=0.25)(found.low, target.low)
    high = 2 * (found.high - target.high.heatmaps).square().mean()
    assert parts.keys() == {*low, "high_heatmaps"}
    torch.testing.assert_close(sum(parts.values()), sum(low.values()) + high)


def test_a_head_doubles_the_resolution() -> None:
    head = HigherHrnetHead(feature_info=(FeatureInfo(8, 4),), channels=17, blocks=1)
    found = head([torch.rand(1, 8, 16, 12)])
    assert found.low.tags.shape == (1, 1, 17, 16, 12)
    assert found.high.shape == (1, 17, 32, 24)


@pytest.mark.parametrize(("width", "millions"), [(32, 28.6), (48, 63.8)])
def test_networks_have_the_published_number_of_parameters(width: int, millions: float) -> None:
    words = ["method=higher_hrnet", "framing=whole_image", "module=bottom_up"]
    sizes = [f"backbone=hrnet_w{width}", "backbone.pretrained=false", "framing.size=[64,64]"]
    config, _ = compose("train", [*words, *sizes])
    module = build.module(config, COCO17)
    assert sum(p.numel() for p in module.parameters()) / 1e6 == pytest.approx(millions, abs=0.05)


def test_a_stride_that_cannot_be_halved() -> None:
    with pytest.raises(InputError, match="expected an even stride for two resolutions, got 1"):
        codec(stride=1)
