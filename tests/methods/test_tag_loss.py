"""The associative embedding loss against a naive double loop, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from poselab.methods.associative_embedding.loss import TagLoss, tag_terms
from poselab.outputs import TaggedHeatmaps, TagTarget
from poselab.structures import InputError


def naive_tag_terms(tags: np.ndarray, cell: np.ndarray, present: np.ndarray) -> tuple[float, float]:
    """Newell et al. 2017, section 3.2, person by person and pair by pair, for one image."""
    means, pull = [], 0.0
    for person in range(len(cell)):
        own = [tags[k].ravel()[cell[person, k]] for k in range(len(tags)) if present[person, k]]
        if own:
            means.append(np.mean(own))
            pull += np.mean([(tag - means[-1]) ** 2 for tag in own])
    instances = len(means)
    push = sum(
        np.exp(-((means[a] - means[b]) ** 2))
        for a in range(instances)
        for b in range(instances)
        if a != b
    )
    return pull / max(instances, 1), 0.5 * push / max(instances * (instances - 1), 1)


def tag_case() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Images with four, one and no people among five slots of six joints."""
    random = torch.Generator().manual_seed(1)
    tags = torch.randn(3, 1, 6, 7, 8, generator=random)
    cell = torch.randint(0, 56, (3, 5, 6), generator=random)
    present = torch.rand(3, 5, 6, generator=random) > 0.4
    present[0, 2], present[1, 1:], present[2] = False, False, False
    return tags, cell, present


def test_tag_terms_are_the_naive_double_loop() -> None:
    tags, cell, present = tag_case()
    pull, push = tag_terms(tags, cell, present)
    expected = [
        naive_tag_terms(tags[b, 0].numpy(), cell[b].numpy(), present[b].numpy()) for b in range(3)
    ]
    assert expected[1][1] == expected[2][0] == 0.0
    assert pull.item() == pytest.approx(np.mean([p for p, _ in expected]), rel=1e-5)
    assert push.item() == pytest.approx(np.mean([p for _, p in expected]), rel=1e-5)


def test_several_tag_heatmaps_are_averaged() -> None:
    tags, cell, present = tag_case()
    both = torch.cat([tags, tags.flip(-1)], dim=1)
    one, other = tag_terms(tags, cell, present), tag_terms(tags.flip(-1), cell, present)
    for together, first, second in zip(tag_terms(both, cell, present), one, other, strict=True):
        assert together.item() == pytest.approx((first + second).item() / 2, rel=1e-5)


def test_tags_by_hand() -> None:
    """Person A has tags 1 and 3, person B a 2: pull 1/2 of 1, push exp(0)/2."""
    tags = torch.tensor([[1.0, 2.0], [3.0, 7.0]]).reshape(1, 1, 2, 1, 2)
    cell = torch.tensor([[[0, 0], [1, 1]]])
    present = torch.tensor([[[True, True], [True, False]]])
    pull, push = tag_terms(tags, cell, present)
    assert pull.item() == pytest.approx(0.5)
    assert push.item() == pytest.approx(0.5)


def test_tag_gradient() -> None:
    tags, cell, present = tag_case()
    tags = tags.float()
    leaf = tags.clone().requires_grad_()
    sum(tag_terms(leaf, cell, present)).backward()  # type: ignore[arg-type, union-attr]
    assert leaf.grad is not None
    step = torch.randn(tags.shape, generator=torch.Generator().manual_seed(2))
    ends = [sum(tag_terms(tags + s * 1e-2 * step, cell, present)) for s in (1, -1)]
    slope = (ends[0] - ends[1]).item() / 2e-2
    assert (leaf.grad * step).sum().item() == pytest.approx(slope, rel=2e-2)


def tag_output() -> tuple[TaggedHeatmaps, TagTarget]:
    """A random output and target."""
    tags, cell, present = tag_case()
    heatmaps = torch.rand(3, 6, 7, 8, generator=torch.Generator().manual_seed(3))
    weight = torch.ones(3, 1, 7, 8)
    weight[:, :, :3] = 0
    return TaggedHeatmaps(heatmaps, tags), TagTarget(
        torch.zeros_like(heatmaps), weight, cell, present
    )


def test_tag_loss_weighs_and_leaves_out_terms() -> None:
    output, target = tag_output()
    plain = TagLoss(1.0, 1.0, 1.0)(output, target)
    default = TagLoss()(output, target)
    assert default["pull"].item() == pytest.approx(1e-3 * plain["pull"].item())
    assert default["push"].item() == pytest.approx(1e-3 * plain["push"].item())
    assert set(TagLoss(pull=0.0)(output, target)) == {"heatmaps", "push"}


def test_tag_loss_ignores_masked_cells() -> None:
    output, target = tag_output()
    other = output.heatmaps.clone()
    other[:, :, :3] += 100
    changed = TagLoss()(TaggedHeatmaps(other, output.tags), target)
    assert changed["heatmaps"].item() == TagLoss()(output, target)["heatmaps"].item()
    masked = (output.heatmaps[:, :, 3:] ** 2).sum() / output.heatmaps.numel()
    assert changed["heatmaps"].item() == pytest.approx(masked.item())


def test_negative_weights_raise() -> None:
    with pytest.raises(InputError, match="expected loss weights"):
        TagLoss(push=-1.0)
