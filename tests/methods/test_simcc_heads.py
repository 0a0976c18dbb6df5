"""Heads that classify coordinates, against their formulas."""

from __future__ import annotations

import math

import pytest
import torch

from poselab.methods.simcc.heads import GatedAttention, RtmccHead, ScaleNorm, SimccHead
from poselab.models.feature_info import FeatureInfo

FEATURES = (FeatureInfo(8, 4),)
SIZES = {"channels": 5, "bins": (32, 24), "cells": (4, 3)}


@pytest.mark.parametrize("head", [SimccHead, RtmccHead])
def test_bins_and_gradients(head: type) -> None:
    made = head(feature_info=FEATURES, **SIZES)
    output = made([torch.randn(2, 8, 4, 3)])
    assert output.x.shape == (2, 5, 24)
    assert output.y.shape == (2, 5, 32)
    (output.x.square().sum() + output.y.square().sum()).backward()
    assert all(p.grad is not None and p.grad.any() for p in made.parameters())


def test_simcc_parameters_are_the_papers() -> None:
    """ResNet-50 256x192: 34.0 M with one map head; the two layers bring it to 36.8 M."""
    head = SimccHead(
        feature_info=(FeatureInfo(256, 4),), channels=17, bins=(512, 384), cells=(64, 48)
    )
    linear = sum(p.numel() for layer in (head.x, head.y) for p in layer.parameters())
    assert round(linear / 1e6, 1) == 2.8


def test_scale_norm_by_hand() -> None:
    """(3, 4) has length 5, which becomes √2."""
    scaled = ScaleNorm(2)(torch.tensor([3.0, 4.0]))
    torch.testing.assert_close(scaled, torch.tensor([0.6, 0.8]) * math.sqrt(2))


def test_gated_attention_token_by_token() -> None:
    torch.manual_seed(0)
    unit = GatedAttention(6, keys=4)
    tokens = torch.randn(2, 3, 6)
    expected = torch.empty_like(tokens)
    for b in range(2):
        normed = [t / t.norm() * math.sqrt(6) for t in tokens[b]]
        parts = [torch.nn.functional.silu(unit.split.weight @ t) for t in normed]
        for i in range(3):
            query = parts[i][24:] * unit.scale[0] + unit.shift[0]
            mixed = torch.zeros(12)
            for part in parts:
                key = part[24:] * unit.scale[1] + unit.shift[1]
                mixed = mixed + max((query @ key).item() / 2, 0.0) ** 2 * part[12:24]
            expected[b, i] = tokens[b, i] + unit.out.weight @ (parts[i][:12] * mixed)
    torch.testing.assert_close(unit(tokens), expected.detach(), rtol=1e-4, atol=1e-5)
