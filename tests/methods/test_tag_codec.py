"""Many people out of heatmaps and tags."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
import torch

from poselab.grouping.tags import TagGrouping
from poselab.methods.associative_embedding.codec import TagCodec
from poselab.outputs import TaggedHeatmaps, TagTarget
from poselab.skeletons import COCO17

if TYPE_CHECKING:
    from poselab.structures import Poses

SIZE = (192, 256)
PEOPLE = 4


def codec(pixels: str = "centre", **rules: object) -> TagCodec:
    """A codec of 48 x 64 heatmaps."""
    return TagCodec(
        skeleton=COCO17,
        input_size=SIZE,
        stride=4,
        pixels=pixels,
        grouping=TagGrouping(max_instances=6, **rules),  # type: ignore[arg-type]
    )


def crowd(seed: int, apart: float) -> torch.Tensor:
    """People (1, P, K, 2) whose same joints are at least ``apart`` pixels from one another."""
    random = torch.Generator().manual_seed(seed)
    low, room = torch.tensor([8.0, 8.0]), torch.tensor([SIZE[1] - 16.0, SIZE[0] - 16.0])
    joints = torch.empty(PEOPLE, 17, 2)
    for k in range(17):
        while True:
            spots = low + room * torch.rand(PEOPLE, 2, generator=random)
            if torch.pdist(spots, p=torch.inf).min() >= apart:
                break
        joints[:, k] = spots
    return joints[None]


def ideal(codec: TagCodec, target: TagTarget) -> TaggedHeatmaps:
    """Target heatmaps, and around every joint its person's number times three as its tag."""
    (h, w), joints = codec.grid.size, torch.arange(17)
    tags = torch.zeros(1, 17, h, w)
    rows, columns = torch.arange(h)[:, None], torch.arange(w)
    nearest = torch.full((17, h, w), float("inf"))
    for person, k in itertools.product(range(target.cell.shape[1]), joints.tolist()):
        if target.present[0, person, k]:
            y, x = divmod(int(target.cell[0, person, k]), w)
            away = ((rows - y) ** 2 + (columns - x) ** 2).float()
            mine = away < nearest[k]
            tags[0, k][mine] = 3.0 * person
            nearest[k] = torch.minimum(nearest[k], away)
    return TaggedHeatmaps(target.heatmaps, tags[:, None])


def encode(codec: TagCodec, keypoints: torch.Tensor, visibility: torch.Tensor) -> TagTarget:
    """Targets where every pixel counts."""
    return codec.encode(keypoints, visibility, torch.ones(1, *SIZE, dtype=torch.uint8))


def matched(poses: Poses, keypoints: torch.Tensor, visibility: torch.Tensor) -> list[int]:
    """For every true person, who was decoded with just its joints, within a cell."""
    found = []
    for person in range(keypoints.shape[1]):
        seen = visibility[0, person] > 0
        fits = [
            p
            for p in range(poses.valid.shape[1])
            if poses.valid[0, p]
            and torch.equal(poses.scores[0, p] > 0, seen)
            and (poses.keypoints[0, p] - keypoints[0, person])[seen].abs().max() <= 2.0
        ]
        found.extend(fits[:1])
    return found


@pytest.mark.parametrize("pixels", ["centre", "udp"])
@pytest.mark.parametrize("seed", range(3))
def test_an_ideal_output_decodes_to_its_people(pixels: str, seed: int) -> None:
    """Also where Gaussians of two people overlap (sigma is 8 pixels, they are 16 apart)."""
    this = codec(pixels, refine=False)
    keypoints = crowd(seed, apart=16)
    visibility = torch.full((1, PEOPLE, 17), 2, dtype=torch.uint8)
    poses = this.decode(ideal(this, encode(this, keypoints, visibility)))
    assert int(poses.valid.sum()) == PEOPLE
    assert sorted(matched(poses, keypoints, visibility)) == list(range(PEOPLE))
    assert (poses.scores[poses.valid] > 0.8).all()


def test_people_with_few_joints() -> None:
    """One person is all there, one has three joints, one a single one, one nothing."""
    this = codec(refine=False)
    keypoints = crowd(3, apart=16)
    visibility = torch.zeros(1, PEOPLE, 17, dtype=torch.uint8)
    visibility[0, 0], visibility[0, 1, 4:7], visibility[0, 2, 16] = 2, 1, 2
    poses = this.decode(ideal(this, encode(this, keypoints, visibility)))
    assert poses.valid[0].tolist() == [True] * 3 + [False] * 3
    assert sorted(matched(poses, keypoints[:, :3], visibility[:, :3])) == [0, 1, 2]
    assert (poses.scores[~poses.valid] == 0).all()


def test_missing_joints_lie_at_the_mean_of_the_detected_ones() -> None:
    this = codec(refine=False)
    keypoints = crowd(4, apart=16)[:, :1]
    visibility = torch.zeros(1, 1, 17, dtype=torch.uint8)
    visibility[0, 0, [5, 6]] = 2
    poses = this.decode(ideal(this, encode(this, keypoints, visibility)))
    middle = poses.keypoints[0, 0, [5, 6]].mean(0)
    torch.testing.assert_close(poses.keypoints[0, 0, 0], middle)


def test_the_order_of_people_does_not_matter() -> None:
    this = codec(refine=False)
    keypoints = crowd(5, apart=16)
    visibility = torch.randint(0, 3, (1, PEOPLE, 17), generator=torch.Generator().manual_seed(6))
    target = encode(this, keypoints, visibility)
    order = torch.tensor([2, 0, 3, 1])
    shuffled = encode(this, keypoints[:, order], visibility[:, order])
    assert torch.equal(target.heatmaps, shuffled.heatmaps)
    assert torch.equal(target.cell[:, order], shuffled.cell)
    first, second = this.decode(ideal(this, target)), this.decode(ideal(this, shuffled))
    torch.testing.assert_close(first.scores, second.scores)
    torch.testing.assert_close(first.keypoints, second.keypoints)


def test_refinement_finds_a_joint_below_the_threshold() -> None:
    """The left wrist scores low, and the wrist of another person scores higher."""
    this = codec(refine=True)
    keypoints = crowd(7, apart=24)[:, :2]
    visibility = torch.full((1, 2, 17), 2, dtype=torch.uint8)
    output = ideal(this, encode(this, keypoints, visibility))
    wrist = COCO17.index("left_wrist")
    faint = output.heatmaps.clone()
    faint[0, wrist][output.tags[0, 0, wrist] == 0] *= 0.06
    faint_output = TaggedHeatmaps(faint, output.tags)
    without = codec(refine=False).decode(faint_output)
    assert int((without.scores[0, :2] > 0).sum()) == 33
    poses = this.decode(faint_output)
    assert sorted(matched(poses, keypoints, visibility)) == [0, 1]
    assert poses.detected is not None
    filled = (~poses.detected & poses.valid[..., None]).nonzero().tolist()
    assert [place[2] for place in filled] == [wrist]


def test_adjusting_lowers_the_error() -> None:
    keypoints, visibility = crowd(8, apart=40), torch.full((1, PEOPLE, 17), 2, dtype=torch.uint8)
    errors = []
    for adjust in (False, True):
        this = codec(adjust=adjust, refine=False)
        poses = this.decode(ideal(this, encode(this, keypoints, visibility)))
        near = torch.cdist(poses.keypoints[0].transpose(0, 1), keypoints[0].transpose(0, 1))
        errors.append(near.amin(1).mean().item())
        assert (poses.keypoints[0, :PEOPLE, None] - keypoints[0]).abs().amax(
            (-1, -2)
        ).amin().item() <= this.resolution * 1.001
    assert errors[1] < 0.7 * errors[0]


def test_flip_test_keeps_both_tags_and_groups_as_well() -> None:
    this = codec(refine=False)
    keypoints, visibility = crowd(9, apart=16), torch.full((1, PEOPLE, 17), 2, dtype=torch.uint8)
    straight = ideal(this, encode(this, keypoints, visibility))
    names = list(COCO17.flip_index)
    flipped = keypoints[:, :, names].clone()
    flipped[..., 0] = SIZE[1] - 1 - flipped[..., 0]
    back = this.unflip(ideal(this, encode(this, flipped, visibility)))
    torch.testing.assert_close(back.heatmaps, straight.heatmaps, atol=1e-5, rtol=0)
    both = this.merge(straight, back)
    assert both.tags.shape[1] == 2
    assert sorted(matched(this.decode(both), keypoints, visibility)) == list(range(PEOPLE))


def test_encoding_masks_regions_without_annotations() -> None:
    """A cell counts where more than half of its pixels do."""
    this = codec()
    loss_mask = torch.ones(1, *SIZE, dtype=torch.uint8)
    loss_mask[:, :, :6] = 0
    visibility = torch.zeros(1, 1, 17, dtype=torch.uint8)
    weight = this.encode(torch.zeros(1, 1, 17, 2), visibility, loss_mask).weight
    assert weight.shape == (1, 1, 48, 64)
    assert weight[0, 0, 0, :3].tolist() == [0.0, 0.0, 1.0]


def test_cells_are_where_the_heatmaps_peak() -> None:
    this = codec()
    keypoints = crowd(10, apart=40)
    visibility = torch.full((1, PEOPLE, 17), 2, dtype=torch.uint8)
    target = encode(this, keypoints, visibility)
    values = target.heatmaps.flatten(-2).gather(-1, target.cell.transpose(1, 2))
    assert target.present.all()
    assert (values > 0.93).all()  # at most half a cell off on both axes: exp(-1/16)
