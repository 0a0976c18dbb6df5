"""Heads of coordinate methods."""

from __future__ import annotations

import torch

from poselab.models import Feature
from poselab.models.regression_heads import LikelihoodHead

FEATURES = (Feature(channels=6, reduction=4),)


def feature_maps(count: int = 2) -> list[torch.Tensor]:
    return [torch.randn(count, 6, 5, 4, generator=torch.Generator().manual_seed(0))]


def test_likelihood_head_reads_positions_off_the_features_direction() -> None:
    head = LikelihoodHead(features=FEATURES, channels=3)
    maps = feature_maps()
    once, louder = head(maps), head([7 * maps[0]])
    torch.testing.assert_close(once.xy, louder.xy)
    assert (once.sigma - louder.sigma).abs().max() > 1e-4
    assert once.xy.shape == once.sigma.shape == (2, 3, 2)
    pooled = maps[0].mean((-2, -1))
    plain = pooled @ head.coordinates.weight.T / pooled.norm(dim=1, keepdim=True)
    expected = (plain + head.coordinates.bias).reshape(2, 3, 2)
    torch.testing.assert_close(once.xy, expected)


def test_likelihood_heads_confidence_is_one_minus_the_mean_deviation() -> None:
    output = LikelihoodHead(features=FEATURES, channels=3, normalise=False)(feature_maps())
    assert ((output.sigma > 0) & (output.sigma < 1)).all()
    torch.testing.assert_close(output.confidence, 1 - output.sigma.sum(-1) / 2)
