"""Heads of coordinate methods."""

from __future__ import annotations

import pytest
import torch

from poselab.heatmaps import soft_argmax
from poselab.methods.integral.head import SoftArgmaxHead
from poselab.methods.rle.head import LikelihoodHead, SoftArgmaxLikelihoodHead
from poselab.models.feature_info import FeatureInfo
from poselab.structures import InputError

FEATURES = (FeatureInfo(channels=6, reduction=4),)


def feature_maps(count: int = 2) -> list[torch.Tensor]:
    return [torch.randn(count, 6, 5, 4, generator=torch.Generator().manual_seed(0))]


def test_likelihood_head_reads_positions_off_the_features_direction() -> None:
    head = LikelihoodHead(feature_info=FEATURES, channels=3)
    heatmaps = feature_maps()
    once, louder = head(heatmaps), head([7 * heatmaps[0]])
    torch.testing.assert_close(once.xy, louder.xy)
    assert (once.sigma - louder.sigma).abs().max() > 1e-4
    assert once.xy.shape == once.sigma.shape == (2, 3, 2)
    pooled = heatmaps[0].mean((-2, -1))
    plain = pooled @ head.coordinates.weight.T / pooled.norm(dim=1, keepdim=True)
    expected = (plain + head.coordinates.bias).reshape(2, 3, 2)
    torch.testing.assert_close(once.xy, expected)


def test_likelihood_heads_confidence_is_one_minus_the_mean_deviation() -> None:
    output = LikelihoodHead(feature_info=FEATURES, channels=3, normalise=False)(feature_maps())
    assert ((output.sigma > 0) & (output.sigma < 1)).all()
    torch.testing.assert_close(output.confidence, 1 - output.sigma.sum(-1) / 2)


def soft_argmax_head(shown: torch.Tensor, **settings: object) -> SoftArgmaxHead:
    """A head whose heatmaps are the features themselves."""
    channels = shown.shape[1]
    head = SoftArgmaxHead(feature_info=(FeatureInfo(channels, 4),), channels=channels, **settings)  # type: ignore[arg-type]
    with torch.no_grad():
        head.final_layer.weight.copy_(torch.eye(channels)[..., None, None])
    return head


def bump() -> torch.Tensor:
    """A symmetric peak around cell (3, 2) of 12 x 9 cells that are zero elsewhere."""
    heatmaps = torch.zeros(1, 1, 9, 12)
    heatmaps[0, 0, 1:4, 2:5] = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]])
    return heatmaps


def test_background_biases_the_mean_and_debiasing_removes_the_bias() -> None:
    peak = torch.tensor([[[3.5 / 12 - 0.5, 2.5 / 9 - 0.5]]])
    biased = soft_argmax_head(bump())([bump()]).xy
    assert (biased.abs() < peak.abs() - 0.02).all()
    free = soft_argmax_head(bump(), normalise="debiased")([bump()])
    torch.testing.assert_close(free.xy, peak, rtol=0, atol=1e-5)
    total = bump().exp().sum()  # the paper's correction, whose centre is our origin
    torch.testing.assert_close(free.xy, biased * total / (total - 9 * 12))


def test_the_plain_form_is_the_papers_mean_and_gradient() -> None:
    """Sun et al. 2018, equation 1: the mean m under p = softmax has dm/dx_i = p_i·(x_i - m)."""
    logits = bump().requires_grad_()
    output = soft_argmax_head(bump())([logits])
    output.xy[0, 0, 0].backward()
    share = bump()[0, 0].exp() / bump()[0, 0].exp().sum()
    place = ((torch.arange(12) + 0.5) / 12 - 0.5).expand(9, 12)
    mean = (share * place).sum()
    assert logits.grad is not None
    torch.testing.assert_close(output.xy[0, 0, 0], mean)
    torch.testing.assert_close(logits.grad[0, 0], share * (place - mean))
    torch.testing.assert_close(output.confidence[0, 0], share[1:4, 2:5].sum())
    assert not output.confidence.requires_grad


def test_soft_argmax_with_deviations_has_the_position_of_the_one_and_the_score_of_the_other() -> (
    None
):
    head = SoftArgmaxLikelihoodHead(feature_info=FEATURES, channels=3, temperature=0.1)
    heatmaps = feature_maps()
    output = head(heatmaps)
    torch.testing.assert_close(output.xy, soft_argmax(10 * head.position.final_layer(heatmaps[0])))
    sigma = torch.sigmoid(head.sigma(heatmaps[0].mean((-2, -1)))).reshape(2, 3, 2)
    torch.testing.assert_close(output.sigma, sigma)
    torch.testing.assert_close(output.confidence, 1 - sigma.mean(-1))


def test_debiased_empty_heatmaps_point_to_the_centre() -> None:
    nothing = torch.zeros(1, 1, 9, 12, requires_grad=True)
    xy = soft_argmax_head(nothing, normalise="debiased")([nothing]).xy
    assert xy.abs().max() < 1e-6
    xy.sum().backward()
    assert nothing.grad is not None
    assert torch.isfinite(nothing.grad).all()


def test_sigmoids_are_divided_by_their_sum() -> None:
    output = soft_argmax_head(bump(), normalise="sigmoid")([bump()])
    shares = bump().sigmoid() / bump().sigmoid().sum()
    x = (shares.sum(-2) * ((torch.arange(12) + 0.5) / 12 - 0.5)).sum(-1)
    torch.testing.assert_close(output.xy[..., 0], x)
    torch.testing.assert_close(output.confidence, torch.tensor([[4.0]]).sigmoid())


def test_temperature_sharpens_and_peak_reads_the_cell() -> None:
    sharp = soft_argmax_head(bump(), temperature=0.1)([bump()])
    torch.testing.assert_close(sharp.xy, soft_argmax(10 * bump()))
    torch.testing.assert_close(sharp.heatmaps, bump())
    peak = soft_argmax_head(bump(), position="argmax")([bump()])
    torch.testing.assert_close(peak.xy, torch.tensor([[[3.5 / 12 - 0.5, 2.5 / 9 - 0.5]]]))
    assert not peak.xy.requires_grad
    assert peak.heatmaps.requires_grad


def test_bad_settings_raise() -> None:
    for wrong in ({"normalise": "max"}, {"position": "mean"}, {"temperature": 0.0}):
        with pytest.raises(InputError, match="expected"):
            soft_argmax_head(bump(), **wrong)
