"""Part affinity fields: drawn, integrated and flipped as by hand; heads, losses and odd inputs."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from poselab.grouping.limbs import LimbGrouping
from poselab.methods.part_affinity.codec import (
    PartAffinityCodec,
    flippable_limbs,
    flipped_limbs,
)
from poselab.methods.part_affinity.fields import PartFields, draw_fields, limb_scores
from poselab.methods.part_affinity.head import PartAffinityHead, StagedPartAffinityHead
from poselab.methods.part_affinity.loss import PartAffinityLoss
from poselab.methods.part_affinity.neck import NarrowingNeck
from poselab.models.feature_info import FeatureInfo
from poselab.outputs import Stages, stages
from poselab.skeletons import COCO17, MPII16
from poselab.structures import InputError, Skeleton

RULES = LimbGrouping()


def ends(*points: tuple[float, float]) -> torch.Tensor:
    """Cells (1, P, 1, 2)."""
    return torch.tensor(points, dtype=torch.float32)[None, :, None]


def test_a_limb_by_hand() -> None:
    """From (1, 1) to (4, 5), so along (0.6, 0.8); a cell is covered up to one cell beside it."""
    drawn = torch.ones(1, 1, 1, dtype=torch.bool)
    field = draw_fields(ends((1, 1)), ends((4, 5)), drawn, (8, 8), 1.0)[0, 0]
    vector = torch.tensor([0.6, 0.8])
    for cell in ((1, 1), (4, 5), (2, 3), (3, 3)):
        torch.testing.assert_close(field[:, cell[1], cell[0]], vector)
    for cell in ((4, 3), (1, 4), (7, 7)):  # 1.2 and 1.8 beside it, and past its end
        assert (field[:, cell[1], cell[0]] == 0).all()


def test_where_limbs_of_two_people_meet_vectors_are_averaged() -> None:
    drawn = torch.ones(1, 3, 1, dtype=torch.bool)
    drawn[0, 2] = False
    start, end = ends((0, 3), (3, 0), (0, 0)), ends((6, 3), (3, 6), (6, 6))
    field = draw_fields(start, end, drawn, (7, 7), 0.5)[0, 0]
    torch.testing.assert_close(field[:, 3, 3], torch.tensor([0.5, 0.5]))
    torch.testing.assert_close(field[:, 3, 1], torch.tensor([1.0, 0.0]))
    assert (field[:, 5, 5] == 0).all(), "a limb that is not drawn"


def test_line_integrals_by_hand() -> None:
    """Along x the field is 0.5 in the first three of five cells and 0.02 in the others."""
    field = torch.zeros(1, 2, 20, 5)
    field[0, 0, :, :3], field[0, 0, :, 3:] = 0.5, 0.02
    rules = LimbGrouping(samples=5)
    start = torch.tensor([[[0.0, 2.0], [2.0, 2.0]]])
    end = torch.tensor([[[2.0, 2.0], [4.0, 2.0], [0.0, 4.0]]])
    found = limb_scores(field, start, end, rules)[0]
    assert found[0, 0] == pytest.approx(0.5)
    assert found[0, 1] == -math.inf, "three of five points"
    assert found[0, 2] == -math.inf, "across the field"
    assert found[1, 0] == pytest.approx(rules.limb_threshold), "the same cell"
    assert found[1, 2] == -math.inf, "against the field"


def test_limbs_beyond_half_the_height_score_less() -> None:
    field = torch.zeros(1, 2, 10, 10)
    field[0, 1] = 1.0
    start, end = torch.tensor([[[4.0, 0.0]]]), torch.tensor([[[4.0, 8.0]]])
    assert limb_scores(field, start, end, RULES).item() == pytest.approx(1 + 5 / 8 - 1)
    free = LimbGrouping(long_limb=None)
    assert limb_scores(field, start, end, free).item() == pytest.approx(1)


def codec(skeleton: Skeleton = COCO17, **settings: Any) -> PartAffinityCodec:
    return PartAffinityCodec(skeleton=skeleton, input_size=(128, 128), stride=4, **settings)


def standing(x: float, y: float, height: float) -> torch.Tensor:
    """A person (17, 2) that stands upright."""
    side = torch.tensor(
        [
            *([0.03, 0.08], [0.06, 0.1], [0.12, 0.22], [0.2, 0.36]),
            *([0.22, 0.5], [0.08, 0.52], [0.09, 0.75], [0.1, 0.97]),
        ]
    )
    both = torch.stack([side, side * torch.tensor([-1.0, 1.0])], dim=1).flatten(0, 1)
    shape = torch.cat([torch.tensor([[0.0, 0.1]]), both])
    return torch.tensor([x, y]) + height * shape


def encoded(made: PartAffinityCodec, people: torch.Tensor, visibility: int = 2) -> Any:
    """The target of people (P, K, 2) in one input."""
    seen = torch.full((1, *people.shape[:2]), visibility, dtype=torch.uint8)
    return made.encode(people[None], seen, torch.ones(1, 1, 1, dtype=torch.uint8))


@pytest.mark.parametrize("assembly", ["greedy", "bipartite", "tree"])
def test_two_people_side_by_side_come_apart(assembly: str) -> None:
    people = torch.stack([standing(40, 8, 100), standing(72, 12, 100)])
    made = codec(grouping=LimbGrouping(assembly))
    target = encoded(made, people)
    poses = made.decode(PartFields(target.heatmaps, target.fields))
    assert poses.valid.sum() == 2
    order = poses.keypoints[0, :2, 0, 0].argsort()
    assert (poses.keypoints[0, order] - people).abs().max() < 3.0


def test_a_flipped_input_has_flipped_fields() -> None:
    """Of a limb from side to side, x stays and y is turned; of others, x is turned."""
    made = codec(pixels="centre")
    people = standing(50, 8, 100)[None]
    people[..., 1] += 0.2 * people[..., 0]  # tilted, so that no limb is level
    mirrored = people[:, list(COCO17.flip_index)].clone()
    mirrored[..., 0] = 127 - mirrored[..., 0]
    straight, other = encoded(made, people), encoded(made, mirrored)
    back = made.unflip(PartFields(other.heatmaps, other.fields))
    assert back.fields is not None
    differing = (back.fields - straight.fields).abs().amax(2) > 1e-4
    assert differing.float().mean() < 2e-3, "but for cells at the very edge of a limb"


def test_limbs_of_one_side_are_completed() -> None:
    skeleton = Skeleton("half", ("nose", "left_ear", "right_ear"), (("nose", "left_ear"),))
    assert flippable_limbs(skeleton) == ((0, 1), (0, 2))
    assert flipped_limbs(((0, 1), (0, 2), (1, 2)), skeleton) == ([1, 0, 2], [1, 1, -1])
    for each in (COCO17, MPII16):
        assert flippable_limbs(each) == each.limb_index


def test_masked_cells_and_unlabelled_people_cost_nothing() -> None:
    made, loss = codec(), PartAffinityLoss()
    nobody = encoded(made, standing(40, 8, 100)[None], visibility=0)
    assert nobody.heatmaps.max() == 0
    assert nobody.fields.abs().max() == 0
    random = torch.Generator().manual_seed(0)
    output = PartFields(
        torch.randn(nobody.heatmaps.shape, generator=random),
        torch.randn(nobody.fields.shape, generator=random),
    )
    mask = torch.zeros(1, 128, 128, dtype=torch.uint8)
    mask[:, :, 64:] = 1
    people = standing(96, 8, 100)[None, None]
    target = made.encode(people, torch.full((1, 1, 17), 2), mask)
    changed = PartFields(output.heatmaps.clone(), output.fields.clone())
    changed.heatmaps[..., :16] += 5.0
    changed.fields[..., :16] += 5.0
    for name, value in loss(output, target).items():
        torch.testing.assert_close(value, loss(changed, target)[name])


def test_a_hundred_people_on_one_another_are_at_most_as_many_poses() -> None:
    made = codec(grouping=LimbGrouping(max_instances=100))
    people = standing(60, 10, 100) + 8 * torch.randn(
        100, 17, 2, generator=torch.Generator().manual_seed(0)
    )
    target = encoded(made, people)
    poses = made.decode(PartFields(target.heatmaps, target.fields))
    assert 0 < poses.valid.sum() <= 100
    assert torch.isfinite(poses.keypoints).all()


def test_skeletons_of_one_keypoint_and_without_limbs() -> None:
    made = codec(Skeleton("one", ("nose",), ()))
    target = encoded(made, torch.tensor([[[40.0, 40.0]], [[90.0, 60.0]]]))
    poses = made.decode(PartFields(target.heatmaps, target.fields))
    assert poses.valid.sum() == 2
    with pytest.raises(InputError, match="expected limbs between the keypoints of two, got none"):
        codec(Skeleton("two", ("nose", "tail"), ()))
    with pytest.raises(InputError, match="limb_width above 0"):
        codec(limb_width=0.0)


def test_a_head_of_one_layer() -> None:
    info = (FeatureInfo(8, 4),)
    output = PartAffinityHead(feature_info=info, channels=17, limbs=19)([torch.rand(2, 8, 6, 5)])
    assert output.heatmaps is not None
    assert output.fields is not None
    assert output.heatmaps.shape == (2, 17, 6, 5)
    assert output.fields.shape == (2, 19, 2, 6, 5)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (["fields"] * 2 + ["heatmaps"], ["fields", "both"]),
        (["fields", "heatmaps", "heatmaps"], ["heatmaps", "both"]),
        (["both", "both"], ["heatmaps", "fields", "both"]),
        (["both"], ["both"]),
    ],
)
def test_every_stage_is_supervised_once(order: list[str], expected: list[str]) -> None:
    info = (FeatureInfo(8, 8),)
    head = StagedPartAffinityHead(
        feature_info=info, channels=17, limbs=19, stages=order, blocks=1, width=4, first_width=4
    )
    output = head([torch.rand(1, 8, 16, 16)])
    kinds = {(True, True): "both", (True, False): "heatmaps", (False, True): "fields"}
    found = [kinds[s.heatmaps is not None, s.fields is not None] for s in stages(output)]
    assert found == expected
    target = encoded(
        PartAffinityCodec(skeleton=COCO17, input_size=(128, 128), stride=8),
        standing(60, 10, 100)[None],
    )
    sum(PartAffinityLoss()(output, target).values()).backward()  # type: ignore[union-attr]
    assert all(p.grad is not None for p in head.parameters())


def test_the_stages_of_2019_have_the_authors_widths() -> None:
    """3 x 96 channels in the first stage of fields and of heatmaps, 3 x 128 in the others."""
    head = StagedPartAffinityHead(feature_info=(FeatureInfo(128, 8),), channels=26, limbs=26)
    inputs = [branch[0].layers[0][0].in_channels for branch in head.branches]  # type: ignore[index, union-attr]
    widths = [branch[0].layers[0][0].out_channels for branch in head.branches]  # type: ignore[index, union-attr]
    assert inputs == [128, 180, 180, 180, 180, 206]
    assert widths == [96, 128, 128, 128, 96, 128]


def test_a_neck_narrows_the_last_feature() -> None:
    neck = NarrowingNeck(feature_info=(FeatureInfo(4, 4), FeatureInfo(16, 8)), widths=(8, 6))
    (found,) = neck([torch.rand(1, 4, 8, 8), torch.rand(1, 16, 4, 4)])
    assert found.shape == (1, 6, 4, 4)
    assert neck.feature_info == (FeatureInfo(6, 8),)


def test_heads_and_losses_that_cannot_be() -> None:
    for order in (["fields"], ["fields", "maps"], []):
        with pytest.raises(InputError, match="expected head.stages to be fields, heatmaps or both"):
            StagedPartAffinityHead(
                feature_info=(FeatureInfo(8, 8),), channels=17, limbs=19, stages=order
            )
    with pytest.raises(InputError, match="loss weights of 0 or more"):
        PartAffinityLoss(fields=-1.0)
    with pytest.raises(ValueError, match="of the stage that is decoded"):
        codec().decode(Stages((PartFields(None, None),)).each[0])
