"""Random changes of crops: distributions and choices as in the authors' code."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

from poselab.data import Augment
from poselab.experiments import build
from poselab.experiments.config.compose import compose
from poselab.skeletons import COCO17, MPII16
from poselab.structures import InputError, Skeleton

DRAWS = 4000
QUANTILES = np.array([0.1, 0.25, 0.5, 0.75, 0.9])


def shipped(name: str) -> Augment:
    """The augmentation of conf/augment/NAME.yaml."""
    config, _ = compose("train", [f"augment={name}"])
    augment: Augment = build.instantiate_section(config, "augment")
    return augment


def clipped_normal(limit: float) -> np.ndarray:
    """Quantiles of a standard normal that is clipped at ``limit``: numpy.clip(randn())."""
    normal = np.array([NormalDist().inv_cdf(q) for q in QUANTILES])
    return normal.clip(-limit, limit)


def uniform() -> np.ndarray:
    """Quantiles between -1 and 1: random.uniform."""
    return 2 * QUANTILES - 1


def truncated_normal() -> np.ndarray:
    """Quantiles of scipy.stats.truncnorm(-1, 1)."""
    low, high = NormalDist().cdf(-1), NormalDist().cdf(1)
    return np.array([NormalDist().inv_cdf(low + q * (high - low)) for q in QUANTILES])


@pytest.mark.parametrize(
    ("name", "scales", "rotations", "rotated", "shifts", "shifted"),
    [
        # JointsDataset.__getitem__ of HRNet and SimpleBaseline
        pytest.param(
            "person_crop",
            1 + 0.35 * clipped_normal(1),
            45 * clipped_normal(2),
            0.6,
            0 * QUANTILES,
            0.0,
            id="HRNet",
        ),
        pytest.param(
            "person_crop_simple_baseline",
            1 + 0.3 * clipped_normal(1),
            40 * clipped_normal(2),
            0.6,
            0 * QUANTILES,
            0.0,
            id="SimpleBaseline",
        ),
        pytest.param(
            "person_crop_mpii",
            1 + 0.25 * clipped_normal(1),
            30 * clipped_normal(2),
            0.6,
            0 * QUANTILES,
            0.0,
            id="MPII",
        ),
        # SimpleTransform.__call__ of RLE
        pytest.param(
            "person_crop_rle",
            1 + 0.25 * uniform(),
            45 * uniform(),
            0.5,
            0 * QUANTILES,
            0.0,
            id="RLE",
        ),
        # RandomBBoxTransform of mmpose
        pytest.param(
            "person_crop_mmpose",
            1 + 0.5 * truncated_normal(),
            80 * truncated_normal(),
            0.6,
            0.16 * truncated_normal(),
            0.3,
            id="mmpose",
        ),
        pytest.param(
            "person_crop_rtmpose",
            1 + 0.4 * truncated_normal(),
            80 * truncated_normal(),
            0.6,
            0.16 * truncated_normal(),
            0.3,
            id="RTMPose",
        ),
        # data_augmentation of CPN, without the crops that are cut
        pytest.param(
            "person_crop_cpn",
            0.975 + 0.275 * uniform(),
            45 * uniform(),
            0.5,
            0 * QUANTILES,
            0.0,
            id="CPN",
        ),
        # RandomAffineTransform of HigherHRNet
        pytest.param(
            "whole_image",
            1.125 + 0.375 * uniform(),
            30 * uniform(),
            1.0,
            0.2 * uniform(),
            1.0,
            id="HigherHRNet",
        ),
    ],
)
def test_affine_changes_have_the_authors_distributions(
    name: str, scales: Any, rotations: Any, rotated: float, shifts: Any, shifted: float
) -> None:
    augment, rng = shipped(name), np.random.default_rng(0)
    drawn = [augment.sample_affine(rng) for _ in range(DRAWS)]
    scale, degrees = (
        np.array([getattr(each, key) for each in drawn]) for key in ("scale", "degrees")
    )
    shift = np.array([each.shift for each in drawn])
    turned, moved = degrees != 0, (shift != 0).any(axis=1)
    assert turned.mean() == pytest.approx(rotated, abs=0.03)
    assert moved.mean() == pytest.approx(shifted, abs=0.03)
    flipped = 0.25 if name == "person_crop_cpn" else 0.5
    assert np.mean([each.flipped for each in drawn]) == pytest.approx(flipped, abs=0.03)
    np.testing.assert_allclose(np.quantile(scale, QUANTILES), scales, atol=0.03)
    np.testing.assert_allclose(np.quantile(degrees[turned], QUANTILES), rotations, atol=4.0)
    for axis in range(2 if shifted else 0):
        np.testing.assert_allclose(np.quantile(shift[moved, axis], QUANTILES), shifts, atol=0.02)


def half_of(skeleton: Skeleton, upper: int, lower: int, augment: Augment, draws: int) -> list[str]:
    """Which half is framed of a person with so many joints at x = 0 (upper) and x = 100 (lower)."""
    is_upper = np.array(skeleton.is_upper)
    keypoints, visibility = np.zeros((len(skeleton), 2)), np.zeros(len(skeleton), dtype=np.uint8)
    keypoints[~is_upper, 0] = 100.0
    keypoints[:, 1] = np.arange(len(skeleton))
    visibility[np.flatnonzero(is_upper)[:upper]] = 2
    visibility[np.flatnonzero(~is_upper)[:lower]] = 1
    rng, halves = np.random.default_rng(0), []
    for _ in range(draws):
        box = augment.half_body_box(keypoints, visibility, skeleton, rng)
        centre = None if box is None else box[0] + box[2] / 2
        halves.append("whole" if centre is None else "upper" if centre == 0.0 else "lower")
    return halves


@pytest.mark.parametrize("skeleton", [COCO17, MPII16], ids=["coco", "mpii"])
@pytest.mark.parametrize(
    ("upper", "lower", "if_upper_preferred", "if_not"),
    [
        # half_body_transform of HRNet: more than two joints, else the other half, of two or more
        (9, 6, "upper", "lower"),
        (3, 3, "upper", "lower"),
        (2, 3, "lower", "lower"),
        (0, 3, "lower", "lower"),
        (3, 2, "upper", "upper"),
        (2, 2, "upper", "upper"),
        (1, 2, "whole", "whole"),
        (0, 2, "whole", "whole"),
        (0, 0, "whole", "whole"),
    ],
)
def test_the_half_of_a_body_is_chosen_as_in_hrnets_code(
    skeleton: Skeleton, upper: int, lower: int, if_upper_preferred: str, if_not: str
) -> None:
    for preference, expected in ((1.0, if_upper_preferred), (0.0, if_not)):
        augment = Augment(half_body=1.0, half_body_joints=-1, half_body_upper=preference)
        assert set(half_of(skeleton, upper, lower, augment, 3)) == {expected}


def test_the_upper_half_is_preferred_where_a_standard_normal_is_below_one_half() -> None:
    halves = half_of(COCO17, 9, 6, Augment(half_body=1.0), DRAWS)
    assert halves.count("upper") / DRAWS == pytest.approx(NormalDist().cdf(0.5), abs=0.02)


@pytest.mark.parametrize(("name", "fewest"), [("person_crop", 9), ("person_crop_rle", 4)])
def test_half_bodies_are_of_people_with_enough_joints(name: str, fewest: int) -> None:
    augment = shipped(name)
    assert set(half_of(COCO17, fewest - 1, 0, augment, 50)) == {"whole"}
    halves = half_of(COCO17, fewest, 0, augment, DRAWS)
    assert halves.count("upper") / DRAWS == pytest.approx(0.3, abs=0.02)


def test_a_half_is_framed_by_one_and_a_half_times_its_extent_about_its_mean() -> None:
    keypoints = np.zeros((17, 2))
    keypoints[:5] = [[0, 0], [10, 0], [10, 20], [0, 20], [5, 30]]
    visibility = np.array([2] * 5 + [0] * 12)
    box = Augment(half_body=1.0, half_body_joints=4).half_body_box(
        keypoints, visibility, COCO17, np.random.default_rng(0)
    )
    np.testing.assert_allclose(box, [5 - 7.5, 14 - 22.5, 15, 45])


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"scale": [0.75]}, r"augment.scale to be a number from 0 to 0.99, got \[0.75\]"),
        ({"scale": [1.5, 0.75]}, r"augment.scale\[1\] to be a number from 1.5 up, got 0.75"),
        ({"scale": "wide"}, "augment.scale to be a number from 0 to 0.99"),
        ({"distribution": "normal"}, "augment.distribution out of .*uniform.*, got 'normal'"),
        ({"shift_probability": 2}, "augment.shift_probability to be a number from 0 to 1, got 2"),
    ],
)
def test_values_out_of_range_are_errors(values: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Augment(**values)
