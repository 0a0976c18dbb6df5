"""A pose as the bones of a tree: a joint is the sum of the bones on its path from the root."""

from __future__ import annotations

from collections import deque
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from poselab.codecs.coordinate import CoordinateCodec
from poselab.outputs import Coordinates
from poselab.structures import InputError, Poses, Size, Skeleton


class BoneTarget(NamedTuple):
    """xy and weight of joints as in CoordinateTarget, and the tree of bones.

    parents (K,): the joint at which each joint's bone starts, -1 for the centre of the input;
    paths (K, K): one where bone b (column) lies on the path to joint k (row), else zero.
    """

    xy: Tensor
    weight: Tensor
    parents: Tensor
    paths: Tensor


class BoneCodec(CoordinateCodec):
    """Outputs are bones: bone k leads to joint k from its parent in the skeleton's tree.

    The tree spans the limbs breadth first from ``root``, whose bone starts at the centre of the
    input; a part that no limb connects to it has a root of its own there. root: a keypoint's name;
    null: the pelvis, or else the keypoint on the body's axis that is nearest to all others.
    Source: compositional pose regression, Sun et al. 2017, section 3.

    Raises:
        InputError: the skeleton has no such keypoint.
    """

    def __init__(
        self,
        *,
        skeleton: Skeleton,
        input_size: Size,
        stride: int = 1,
        learn_outside: bool = True,
        root: str | None = None,
    ) -> None:
        super().__init__(
            skeleton=skeleton, input_size=input_size, stride=stride, learn_outside=learn_outside
        )
        if root is not None and root not in skeleton.keypoints:
            raise InputError(
                f"expected a root among the keypoints of {skeleton.name}, got {root!r}; choose "
                f"one of {', '.join(skeleton.keypoints)}"
            )
        start = best_root(skeleton) if root is None else skeleton.index(root)
        self.parents = tree(skeleton, start)
        self.resolution *= 2  # sums of several float32

    def encode(  # type: ignore[override]  # the target also holds the tree
        self, keypoints: Tensor, visibility: Tensor, loss_mask: Tensor
    ) -> BoneTarget:
        """Joints as the coordinate codec encodes them, and the tree."""
        xy, weight = super().encode(keypoints, visibility, loss_mask)
        parents, paths = _tensors(self.parents, xy.device)
        return BoneTarget(xy, weight, parents, paths)

    def decode(self, output: Coordinates) -> Poses:
        """Poses of the joints that the bones lead to."""
        return super().decode(self._joints(output))

    def unflip(self, output: Coordinates) -> Coordinates:
        """The bones of the flipped joints, also where the tree is not symmetric."""
        joints = super().unflip(self._joints(output))
        parents, _ = _tensors(self.parents, joints.xy.device)
        return Coordinates(bones(joints.xy, parents), joints.confidence)

    def _joints(self, output: Coordinates) -> Coordinates:
        xy = output.xy.float()
        return Coordinates(sum_bones(xy, _tensors(self.parents, xy.device)[1]), output.confidence)


def sum_bones(xy: Tensor, paths: Tensor) -> Tensor:
    """Joints (B, K, 2) of bones (B, K, 2), without a matrix product, which TF32 would round."""
    return (paths[..., None] * xy[:, None]).sum(2)


def bones(xy: Tensor, parents: Tensor) -> Tensor:
    """Bones (B, K, 2) of joints (B, K, 2)."""
    start = xy[:, parents.clamp(min=0)] * (parents >= 0)[:, None]
    return xy - start


@lru_cache(maxsize=64)
def _tensors(parents: tuple[int, ...], device: torch.device) -> tuple[Tensor, Tensor]:
    """Parents (K,) and paths (K, K), sent to each device once."""
    # Cached tensors outlive this call, and a later caller may need gradients through them.
    with torch.inference_mode(False):
        paths = torch.zeros(len(parents), len(parents))
        for joint in range(len(parents)):
            bone = joint
            while bone >= 0:
                paths[joint, bone] = 1
                bone = parents[bone]
        return torch.tensor(parents, device=device), paths.to(device)


def tree(skeleton: Skeleton, root: int) -> tuple[int, ...]:
    """The parent of every keypoint, breadth first along the limbs from ``root``; -1 for roots."""
    parents: dict[int, int] = {}
    for start in (root, *range(len(skeleton))):
        if start not in parents:
            _grow(skeleton, start, parents)
    return tuple(parents[k] for k in range(len(skeleton)))


def _grow(skeleton: Skeleton, start: int, parents: dict[int, int]) -> int:
    """Add all joints connected to ``start``; returns how many limbs away the farthest is."""
    parents[start] = -1
    waiting, depth = deque([(start, 0)]), 0
    while waiting:
        joint, depth = waiting.popleft()
        for limb in skeleton.limb_index:
            if joint in limb:
                other = limb[1] if limb[0] == joint else limb[0]
                if other not in parents:
                    parents[other] = joint
                    waiting.append((other, depth + 1))
    return depth


def best_root(skeleton: Skeleton) -> int:
    """The pelvis, or else the keypoint on the body's axis nearest to all others along limbs."""
    if "pelvis" in skeleton.keypoints:
        return skeleton.index("pelvis")
    middle = [k for k in range(len(skeleton)) if skeleton.flip_index[k] == k]

    def reach(joint: int) -> tuple[int, int]:
        connected: dict[int, int] = {}
        depth = _grow(skeleton, joint, connected)
        return -len(connected), depth

    return min(middle or range(len(skeleton)), key=reach)
