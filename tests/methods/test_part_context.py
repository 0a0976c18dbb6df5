"""Part and context heatmaps: how positions are decoded, and what the next block gets."""

from __future__ import annotations

import math

import pytest
import torch

from poselab.methods.part_context.loss import ElasticNetLoss
from poselab.methods.part_context.network import PartContextHead, ReceptionStem
from poselab.models.feature_info import FeatureInfo
from poselab.outputs import Coordinates, CoordinateTarget
from poselab.structures import InputError


def head(**settings: object) -> PartContextHead:
    torch.manual_seed(0)
    return PartContextHead(feature_info=(FeatureInfo(8, 4),), channels=3, **settings).eval()  # type: ignore[arg-type]


def mean(shown: torch.Tensor) -> torch.Tensor:
    """The mean position under exp(map), cell by cell."""
    h, w = shown.shape
    total, place = 0.0, torch.zeros(2)
    for y in range(h):
        for x in range(w):
            weight = math.exp(shown[y, x])
            place += weight * torch.tensor([(x + 0.5) / w - 0.5, (y + 0.5) / h - 0.5])
            total += weight
    return place / total


def test_position_is_the_parts_mean_and_the_weighted_mean_of_its_contexts() -> None:
    made = head(blocks=1, contexts=2, share=0.7)
    heatmaps = torch.randn(1, 9, 4, 8, generator=torch.Generator().manual_seed(1)) * 2
    output = made._coordinates(heatmaps)
    for k in range(3):
        around = [3 + 2 * k, 3 + 2 * k + 1]
        weights = [1 / (1 + math.exp(-heatmaps[0, m].max())) for m in around]
        context = sum(w * mean(heatmaps[0, m]) for w, m in zip(weights, around, strict=True))
        expected = 0.7 * mean(heatmaps[0, k]) + 0.3 * context / sum(weights)
        torch.testing.assert_close(output.xy[0, k], expected)
        highest = 1 / (1 + math.exp(-heatmaps[0, k].max()))
        assert output.confidence[0, k].item() == pytest.approx(highest)


def test_without_context_the_position_is_that_of_the_part() -> None:
    made = head(blocks=1, contexts=0, share=0.7)
    heatmaps = torch.randn(1, 3, 4, 8, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(made._coordinates(heatmaps).xy[0, 1], mean(heatmaps[0, 1]))


def test_each_block_reads_the_heatmaps_of_the_previous_one() -> None:
    made, feature_info = head(blocks=2), torch.randn(2, 8, 8, 12)
    first, second = made([feature_info]).each
    with torch.no_grad():
        made.heatmap_layers[0][1].weight.mul_(3)
    again, changed = made([feature_info]).each
    assert first.xy.shape == (2, 3, 2)
    assert (first.xy - again.xy).abs().max() > 1e-4
    assert (second.xy - changed.xy).abs().max() > 1e-5


def test_stem_gives_576_channels_at_stride_8() -> None:
    stem = ReceptionStem(input_size=(64, 96)).eval()
    (out,) = stem(torch.randn(1, 3, 64, 96))
    assert out.shape == (1, 576, 8, 12)
    assert stem.feature_info == (FeatureInfo(576, 8),)


def test_elastic_net_by_hand() -> None:
    output = Coordinates(torch.tensor([[[0.1, -0.2], [9.0, 9.0]]]), torch.tensor([[0.8, 0.4]]))
    target = CoordinateTarget(torch.zeros(1, 2, 2), torch.tensor([[1.0, 0.0]]))
    parts = ElasticNetLoss(presence=0.5)(output, target)
    assert parts["coordinates"].item() == pytest.approx(0.1 + 0.2 + 0.01 + 0.04)
    missed = -(math.log(0.8) + math.log(0.6)) / 2
    assert parts["presence"].item() == pytest.approx(0.5 * missed)
    assert set(ElasticNetLoss(presence=0.0)(output, target)) == {"coordinates"}


def test_bad_settings_raise() -> None:
    for wrong in ({"blocks": 0}, {"contexts": -1}, {"share": 0.0}, {"kernel": 4}):
        with pytest.raises(InputError, match="expected head"):
            head(**wrong)
    with pytest.raises(InputError, match="multiples of 4"):
        head(blocks=1)([torch.zeros(1, 8, 6, 8)])
    with pytest.raises(InputError, match="presence"):
        ElasticNetLoss(presence=-1.0)
