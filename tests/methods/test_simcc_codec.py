"""What the laws do not say about classified coordinates."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from poselab.methods.simcc.codec import SimccCodec
from poselab.outputs import AxisLogits
from poselab.skeletons import COCO17
from poselab.structures import InputError

SEEN, ALL = torch.full((1, 1, 17), 2, dtype=torch.uint8), torch.ones(1, 1, 1, dtype=torch.uint8)


def codec(**settings: Any) -> SimccCodec:
    """A codec of 16 rows and 12 columns of pixels."""
    return SimccCodec(skeleton=COCO17, input_size=(16, 12), stride=4, **settings)


def at(x: float, y: float) -> torch.Tensor:
    """All keypoints of one person at one place."""
    return torch.tensor([x, y]).expand(1, 1, 17, 2)


@pytest.mark.parametrize(("pixels", "bin_"), [("centre", 7), ("hrnet", 6)])
def test_bins_by_hand(pixels: str, bin_: int) -> None:
    """Pixel 3 with two bins each: (3 + 0.5)·2 - 0.5 = 6.5, nearest 7; or the textbook's 6."""
    target = codec(pixels=pixels, share=0.23).encode(at(3.0, 3.0), SEEN, ALL)
    assert target.x.shape == (1, 17, 24)
    assert target.y.shape == (1, 17, 32)
    assert target.x[0, 0].argmax().item() == target.y[0, 0].argmax().item() == bin_
    assert target.x[0, 0, bin_].item() == pytest.approx(0.77)
    assert target.x[0, 0, 0].item() == pytest.approx(0.01)  # 0.23 over 23 other bins
    torch.testing.assert_close(target.y.sum(-1), torch.ones(1, 17))


def test_smoothed_targets_by_hand() -> None:
    """Pixel 5.25 is bin 11 exactly."""
    gaussian = codec(smoothing="gaussian", sigma=2.0).encode(at(5.25, 5.25), SEEN, ALL).x[0, 0]
    assert gaussian[11].item() == pytest.approx(1 / (2 * math.sqrt(2 * math.pi)))
    assert (gaussian[13] / gaussian[11]).item() == pytest.approx(math.exp(-0.5))
    laplace = codec(smoothing="laplace", sigma=2.0).encode(at(5.25, 5.25), SEEN, ALL).x[0, 0]
    assert laplace[11].item() == pytest.approx(0.25)
    assert (laplace[15] / laplace[11]).item() == pytest.approx(math.exp(-2))
    both = codec(smoothing="gaussian", sigma=[2.0, 3.0], peak=1.0).encode(at(5.25, 5.25), SEEN, ALL)
    assert both.x[0, 0, 13].item() == pytest.approx(math.exp(-0.5))
    assert both.y[0, 0, 14].item() == pytest.approx(math.exp(-0.5))
    tall = codec(smoothing="gaussian", peak=1.0).encode(at(5.25, 5.25), SEEN, ALL).x[0, 0]
    assert tall[11].item() == pytest.approx(1.0)


def test_hrnets_bins_unflip_by_split_minus_one() -> None:
    """Flipped bins lie one to the right with two a pixel, which the authors' code shifts too."""
    this = codec(pixels="hrnet", share=0.0)
    x = torch.tensor([0.0, 3.0, 7.5, 10.5])
    points = torch.stack([x, x], -1).repeat(5, 1)[:17][None, None]
    flipped = points[:, :, list(COCO17.flip_index)] * torch.tensor([-1.0, 1.0])
    flipped = flipped + torch.tensor([11.0, 0.0])
    straight, other = (this.encode(p, SEEN, ALL) for p in (points, flipped))
    back = this.unflip(AxisLogits(other.x, other.y))
    torch.testing.assert_close(back.x[..., :-1], straight.x[..., :-1])
    torch.testing.assert_close(back.y, straight.y)


def test_scores_are_relative_to_an_ideal_output() -> None:
    for settings in ({"share": 0.1}, {"smoothing": "gaussian", "sigma": 2.0}):
        this = codec(**settings)
        target = this.encode(at(5.25, 5.25), SEEN, ALL)
        ideal = AxisLogits(target.x.clamp(min=1e-9).log(), target.y.clamp(min=1e-9).log())
        torch.testing.assert_close(
            this.decode(ideal).scores, torch.ones(1, 1, 17), rtol=0.01, atol=0
        )
        flat = AxisLogits(torch.zeros_like(target.x), torch.zeros_like(target.y))
        assert this.decode(flat).scores.max() < 0.25


def test_raw_scores_are_the_smaller_logit() -> None:
    x, y = torch.zeros(1, 17, 24), torch.zeros(1, 17, 32)
    x[..., 3], y[..., 4] = 0.8, 0.6
    poses = codec(score="logit").decode(AxisLogits(x, y))
    assert poses.scores[0, 0].tolist() == pytest.approx([0.6] * 17)
    assert poses.keypoints[0, 0, 0].tolist() == [1.25, 1.75]


def test_equal_smoothing_takes_the_surer_axis_the_others_the_less_sure_one() -> None:
    """validate_simdr and validate_sa_simdr of the authors, on probabilities 0.8 and 0.4."""
    x, y = torch.full((1, 17, 24), 0.2 / 23), torch.full((1, 17, 32), 0.6 / 31)
    x[..., 3], y[..., 4] = 0.8, 0.4
    output = AxisLogits(x.log(), y.log())
    surer = codec(share=0.1).decode(output).scores[0, 0, 0].item()
    assert surer == pytest.approx(0.8 / 0.9)
    less_sure = codec(smoothing="gaussian", sigma=2.0).decode(output).scores[0, 0, 0].item()
    assert less_sure == pytest.approx(0.4 * 2 * math.sqrt(2 * math.pi))  # above one, as theirs


@pytest.mark.parametrize("smoothing", ["gaussian", "laplace"])
def test_flip_test_of_smoothed_bins_takes_the_mean_logit(smoothing: str) -> None:
    """validate_sa_simdr: softmax((output + flipped) / 2)."""
    first, second = (AxisLogits(*torch.randn(2, 1, 17, 24)) for _ in range(2))
    merged = codec(smoothing=smoothing).merge(first, second)
    torch.testing.assert_close(merged.x, (first.x + second.x) / 2)


def test_flip_test_of_equal_smoothing_takes_the_mean_probability() -> None:
    first = AxisLogits(torch.randn(1, 17, 24), torch.randn(1, 17, 32))
    second = AxisLogits(torch.randn(1, 17, 24), torch.randn(1, 17, 32))
    merged = codec().merge(first, second)
    mean = (first.x.softmax(-1) + second.x.softmax(-1)) / 2
    torch.testing.assert_close(merged.x.exp(), mean)


def test_the_head_learns_its_sizes() -> None:
    assert codec(split=1.5).head_sizes == {"bins": (24, 18), "cells": (4, 3)}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"split": 0.7}, "whole numbers of bins"),
        ({"split": 0.0}, "above 0"),
        ({"share": 1.0}, "smoothing share"),
        ({"sigma": [1.0, 2.0, 3.0]}, "one number or two"),
        ({"smoothing": "none"}, "expected smoothing"),
        ({"score": "best"}, "expected score"),
    ],
)
def test_bad_settings_raise(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        codec(**settings)
