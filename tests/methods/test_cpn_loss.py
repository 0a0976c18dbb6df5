"""The loss of CPN against the formulas of its authors' code."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor

from poselab.codecs.heatmap import HeatmapCodec
from poselab.losses.heatmaps import HardKeypointLoss
from poselab.methods.cpn.loss import CpnLoss
from poselab.outputs import HeatmapTarget, Stages
from poselab.skeletons import COCO17
from poselab.structures import InputError

VISIBILITY = torch.tensor([[0, 1, 2], [2, 2, 1]])


def case() -> tuple[list[Tensor], HeatmapTarget]:
    """Two levels and RefineNet on two inputs, one keypoint not labelled, two occluded."""
    random = torch.Generator().manual_seed(0)
    levels = [torch.rand(2, 3, 4, 5, generator=random) for _ in range(3)]
    heatmaps = torch.rand(2, 3, 4, 5, generator=random) * (VISIBILITY > 0)[..., None, None]
    weight = (VISIBILITY > 0).float()[..., None, None]
    return levels, HeatmapTarget(heatmaps, weight, VISIBILITY == 2)


@pytest.mark.parametrize("hardest", [None, 2])
def test_is_the_authors_loss(hardest: int | None) -> None:
    """network.py: global_label is the label where valid > 1.1; refine_loss counts valid > 0.1."""
    (*levels, refined), target = case()
    label, valid = target.heatmaps, VISIBILITY.float()
    global_label = label * (valid > 1.1)[..., None, None]
    global_loss = sum(torch.mean((out - global_label) ** 2) / len(levels) for out in levels) / 2
    refine = torch.mean((refined - label) ** 2, dim=(2, 3)) * (valid > 0.1)
    refine_loss = refine.mean() if hardest is None else refine.topk(hardest, dim=1).values.mean()
    ours = CpnLoss() if hardest is None else CpnLoss(partial(HardKeypointLoss, hardest))
    parts = ours(Stages((*levels, refined)), target)
    assert len(parts) == 2
    torch.testing.assert_close(parts["global"], torch.as_tensor(global_loss))
    torch.testing.assert_close(sum(parts.values()), global_loss + refine_loss)


def test_the_codec_says_which_keypoints_are_visible() -> None:
    codec = HeatmapCodec(skeleton=COCO17, input_size=(32, 24), stride=4)
    visibility = torch.tensor([0, 1, 2, *[2] * 14])[None, None]
    mask = torch.ones(1, 1, 1, dtype=torch.uint8)
    visible = codec.encode(torch.full((1, 1, 17, 2), 9.0), visibility, mask).visible
    assert visible is not None
    assert visible.tolist() == [[False, False, *[True] * 15]]


def test_other_outputs_and_targets_raise() -> None:
    (first, second, _), target = case()
    with pytest.raises(InputError, match="got one stage"):
        CpnLoss()(first, target)
    with pytest.raises(InputError, match="got a target without visibility"):
        CpnLoss()(Stages((first, second)), target._replace(visible=None))
