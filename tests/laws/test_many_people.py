"""Codecs of many people give finite poses, or none, whatever the network outputs."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from poselab.experiments.round_trip import perfect_output
from poselab.methods.associative_embedding.codec import TagCodec
from poselab.methods.higher_hrnet.codec import HigherHrnetCodec
from poselab.methods.part_affinity.codec import PartAffinityCodec
from poselab.outputs import map_tensors
from poselab.skeletons import COCO17

CODECS = [
    kind(skeleton=COCO17, input_size=(128, 96), stride=4)
    for kind in (TagCodec, HigherHrnetCodec, PartAffinityCodec)
]
codecs = pytest.mark.parametrize("codec", CODECS, ids=lambda codec: type(codec).__name__)


def encoded(codec: Any, keypoints: torch.Tensor) -> Any:
    """The perfect output for people (P, 17, 2) in one input."""
    seen = torch.full((1, *keypoints.shape[:2]), 2, dtype=torch.uint8)
    return perfect_output(
        codec.encode(keypoints[None], seen, torch.ones(1, 1, 1, dtype=torch.uint8))
    )


def random_people(people: int) -> torch.Tensor:
    """Keypoints (P, 17, 2) anywhere in the input and a little outside."""
    random = torch.Generator().manual_seed(people)
    return 1.2 * torch.rand(people, 17, 2, generator=random) * torch.tensor([96.0, 128.0]) - 8


def check_finite(codec: Any, output: Any) -> None:
    """At most as many poses as the codec may give, all of finite numbers."""
    poses = codec.decode(output)
    assert poses.valid.shape == (1, codec.grouping.max_instances)
    assert torch.isfinite(poses.keypoints).all()
    assert torch.isfinite(poses.scores).all()


@codecs
@pytest.mark.parametrize("value", [0.0, 1.0, math.nan, math.inf, -math.inf])
def test_outputs_of_one_value(codec: Any, value: float) -> None:
    output = encoded(codec, random_people(1))
    check_finite(codec, map_tensors(lambda part: torch.full_like(part, value), output))


@codecs
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_cells_that_are_not_finite(codec: Any, value: float) -> None:
    """They spoil no other cell: most keypoints of a person are still found."""
    random = torch.Generator().manual_seed(0)
    person = random_people(1).clamp(min=12).minimum(torch.tensor([84.0, 116.0]))

    def spoiled(part: torch.Tensor) -> torch.Tensor:
        spots = torch.rand(part.shape, generator=random) < 1e-3
        return torch.where(spots, value, part)

    output = map_tensors(spoiled, encoded(codec, person))
    check_finite(codec, output)
    poses = codec.decode(output)
    distance = (poses.keypoints[0] - person).norm(dim=-1).min(0).values
    assert (distance < 6).sum() >= 12


@codecs
@pytest.mark.parametrize("people", [0, 1, 2, 100])
def test_people_on_one_another(codec: Any, people: int) -> None:
    check_finite(codec, encoded(codec, random_people(people)))


@codecs
def test_noise(codec: Any) -> None:
    random = torch.Generator().manual_seed(1)
    output = encoded(codec, random_people(1))
    for scale in (1e-3, 1.0, 1e30):
        noise = map_tensors(lambda p: scale * torch.randn(p.shape, generator=random), output)  # noqa: B023
        check_finite(codec, noise)
