"""The tree of bones, and the loss between pairs of joints, by hand and by naive loops."""

from __future__ import annotations

import math

import pytest
import torch

from poselab.methods.compositional.codec import BoneCodec, BoneTarget
from poselab.methods.compositional.loss import CompositionalLoss
from poselab.outputs import Coordinates
from poselab.skeletons import COCO17, MPII16, skeleton
from poselab.structures import InputError, Skeleton

CHAIN = Skeleton(
    "chain", ("hand", "elbow", "pelvis", "hat"), (("hand", "elbow"), ("elbow", "pelvis"))
)


def codec(skeleton: Skeleton, root: str | None = None) -> BoneCodec:
    return BoneCodec(skeleton=skeleton, input_size=(64, 48), root=root)


def named(made: BoneCodec) -> dict[str, str | None]:
    names = made.skeleton.keypoints
    return {n: None if p < 0 else names[p] for n, p in zip(names, made.parents, strict=True)}


def test_trees_grow_from_the_pelvis_or_the_most_central_keypoint() -> None:
    mpii = named(codec(MPII16))
    assert mpii["pelvis"] is None
    assert (mpii["head_top"], mpii["upper_neck"], mpii["thorax"]) == (
        "upper_neck",
        "thorax",
        "pelvis",
    )
    assert (mpii["left_ankle"], mpii["right_wrist"]) == ("left_knee", "right_elbow")
    coco = named(codec(COCO17))
    assert [name for name, parent in coco.items() if parent is None] == ["nose"]
    assert (coco["left_hip"], coco["right_hip"]) == ("left_shoulder", "right_shoulder")
    assert named(codec(CHAIN)) == {"hand": "elbow", "elbow": "pelvis", "pelvis": None, "hat": None}
    assert named(codec(CHAIN, root="hand"))["pelvis"] == "elbow"


@pytest.mark.parametrize("name", ["lsp14", "crowdpose14", "aic14", "flic11"])
def test_every_skeleton_has_a_tree(name: str) -> None:
    made = codec(skeleton(name))
    for joint in range(len(made.skeleton)):
        seen = {joint}
        while made.parents[joint] >= 0:
            joint = made.parents[joint]
            assert joint not in seen
            seen.add(joint)


def test_joints_are_sums_of_bones() -> None:
    bones = torch.tensor([[[0.1, 0.0], [0.0, 0.2], [-0.1, 0.1], [0.3, 0.3]]])
    poses = codec(CHAIN).decode(Coordinates(bones, torch.ones(1, 4)))
    joints = torch.tensor([[0.0, 0.3], [-0.1, 0.3], [-0.1, 0.1], [0.3, 0.3]])
    expected = (joints + 0.5) * torch.tensor([48.0, 64.0]) - 0.5
    torch.testing.assert_close(poses.keypoints[0, 0], expected)


def case() -> tuple[Coordinates, BoneTarget]:
    """Five people of the chain, some keypoints not labelled, with bones that are wrong."""
    random = torch.Generator().manual_seed(0)
    keypoints = torch.rand(5, 1, 4, 2, generator=random) * 48
    visibility = torch.tensor(
        [[2, 2, 2, 2], [2, 0, 1, 2], [0, 0, 0, 0], [2, 2, 2, 0], [0, 2, 2, 2]]
    )
    target = codec(CHAIN).encode(keypoints, visibility[:, None], torch.ones(5, 1, 1))
    return Coordinates(torch.randn(5, 4, 2, generator=random) * 0.3, None), target


PAIRS = {
    "joint": [(-1, 0), (-1, 1), (-1, 2), (-1, 3)],
    "bone": [(1, 0), (2, 1), (-1, 2), (-1, 3)],
    "both": [(-1, 0), (-1, 1), (-1, 2), (-1, 3), (1, 0), (2, 1)],
    "all": [(-1, k) for k in range(4)] + [(a, b) for a in range(4) for b in range(a)],
}


def naive(
    bones: torch.Tensor, target: BoneTarget, pairs: list[tuple[int, int]], scale: bool
) -> float:
    """Pair by pair, a joint being the sum of bones from it to the root; -1 is the origin."""
    parents = (1, 2, -1, -1)

    def joint(person: int, k: int) -> torch.Tensor:
        return bones[person, k] + joint(person, parents[k]) if k >= 0 else torch.zeros(2)

    def true(person: int, k: int) -> torch.Tensor:
        return target.xy[person, k] if k >= 0 else torch.zeros(2)

    total, count = torch.zeros(2), 0
    for a, b in pairs:
        who = [p for p in range(5) if all(k < 0 or target.weight[p, k] > 0 for k in (a, b))]
        if not who:
            continue
        truths = torch.stack([true(p, b) - true(p, a) for p in who])
        deviation = truths.std(0, correction=0).clamp(min=0.02) if scale else torch.ones(2)
        for p, ground_truth in zip(who, truths, strict=True):
            total += (joint(p, b) - joint(p, a) - ground_truth).abs() / deviation
            count += 1
    return total.sum().item() / (2 * count)


@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("pairs", PAIRS)
def test_loss_is_the_naive_double_loop(pairs: str, scale: bool) -> None:
    output, target = case()
    loss = CompositionalLoss(pairs=pairs, normalise=scale)  # type: ignore[arg-type]
    expected = naive(output.xy, target, PAIRS[pairs], scale)
    assert loss(output, target)["pairs"].item() == pytest.approx(expected, rel=1e-5)
    assert math.isfinite(expected)
    assert expected > 0


def test_bad_settings_raise() -> None:
    with pytest.raises(InputError, match="expected a root"):
        codec(CHAIN, root="tail")
    with pytest.raises(InputError, match="expected pairs"):
        CompositionalLoss(pairs="some")  # type: ignore[arg-type]
