"""Every stage is supervised, and nothing else changes."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from poselab.losses.heatmaps import HeatmapLoss
from poselab.losses.stages import EveryStage
from poselab.methods.associative_embedding.loss import TagLoss
from poselab.outputs import (
    HeatmapTarget,
    Stages,
    TaggedHeatmaps,
    TagTarget,
    final,
    map_tensors,
    stages,
)
from poselab.structures import InputError

TARGET = HeatmapTarget(torch.tensor([[[[1.0, 0.0]]]]), torch.tensor([[[[1.0]]]]))
FIRST, SECOND = torch.tensor([[[[0.0, 0.0]]]]), torch.tensor([[[[1.0, 2.0]]]])
BOTH = Stages((FIRST, SECOND))


class Doubled(nn.Module):
    """Twice the mean squared error, so that one sees which loss was used."""

    def forward(self, output: Tensor, target: HeatmapTarget) -> dict[str, Tensor]:
        return {"hard": 2 * (output - target.heatmaps).square().mean()}


def values(loss: nn.Module, output: object) -> dict[str, float]:
    return {name: part.item() for name, part in loss(output, TARGET).items()}


def test_each_stage_has_its_loss_and_the_sum_is_theirs() -> None:
    # Half the mean squared error: (1² + 0²) / 2 / 2 and (0² + 2²) / 2 / 2, worked out by hand.
    assert values(EveryStage(HeatmapLoss), BOTH) == {"heatmaps_1": 0.25, "heatmaps_2": 1.0}


def test_the_last_stage_may_have_a_loss_of_its_own() -> None:
    assert values(EveryStage(HeatmapLoss, last=Doubled), BOTH) == {
        "heatmaps_1": 0.25,
        "hard_2": 4.0,
    }


def test_stages_are_weighted_and_those_of_weight_zero_left_out() -> None:
    assert values(EveryStage(HeatmapLoss, weights=[4, 0.5]), BOTH) == {
        "heatmaps_1": 1.0,
        "heatmaps_2": 0.5,
    }
    assert values(EveryStage(HeatmapLoss, weights=[0, 1]), BOTH) == {"heatmaps_2": 1.0}


@pytest.mark.parametrize("weights", [[1.0], [1.0, 1.0, 1.0]])
def test_weights_for_other_stages_raise(weights: list[float]) -> None:
    with pytest.raises(InputError, match=f"as stages, 2, got {len(weights)}; give one per stage"):
        EveryStage(HeatmapLoss, weights=weights)(BOTH, TARGET)


@pytest.mark.parametrize("weights", [[-1.0, 1.0], []])
def test_senseless_weights_raise(weights: list[float]) -> None:
    with pytest.raises(InputError, match="0 or more"):
        EveryStage(HeatmapLoss, weights=weights)


def test_a_loss_of_many_parts_keeps_them_apart() -> None:
    output = TaggedHeatmaps(torch.rand(1, 2, 4, 4), torch.rand(1, 1, 2, 4, 4))
    target = TagTarget(
        torch.rand(1, 2, 4, 4), torch.ones(1), torch.tensor([[[1, 2]]]), torch.ones(1, 1, 2) > 0
    )
    single = TagLoss(pull=0.5)(output, target)
    found = EveryStage(partial(TagLoss, pull=0.5))(Stages((output, output)), target)
    assert found == {f"{name}_{i}": part for i in (1, 2) for name, part in single.items()}


def test_a_network_without_stages_is_one_stage() -> None:
    assert values(EveryStage(HeatmapLoss), SECOND) == {"heatmaps_1": 1.0}
    assert final(SECOND) is SECOND
    assert stages(SECOND) == (SECOND,)


def test_gradients_reach_every_stage_by_its_weight() -> None:
    outputs = [x.clone().requires_grad_() for x in (FIRST, SECOND)]
    parts = EveryStage(HeatmapLoss, weights=[1, 3])(Stages(tuple(outputs)), TARGET)
    torch.stack(list(parts.values())).sum().backward()
    assert outputs[0].grad is not None
    assert outputs[1].grad is not None
    torch.testing.assert_close(outputs[0].grad, (FIRST - TARGET.heatmaps) / 2)
    torch.testing.assert_close(outputs[1].grad, 3 * (SECOND - TARGET.heatmaps) / 2)


def test_tensors_of_stages_are_mapped() -> None:
    output = Stages((FIRST, TaggedHeatmaps(SECOND, FIRST)))
    found = map_tensors(lambda x: x + 1, output)
    assert isinstance(found, Stages)
    assert isinstance(found.each[1], TaggedHeatmaps)
    assert torch.equal(found.each[0], FIRST + 1)
    assert torch.equal(final(found).heatmaps, SECOND + 1)
