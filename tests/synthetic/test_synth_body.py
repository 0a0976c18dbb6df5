"""Laws of the articulated body: rigid bones, joint limits, and no difference between the sides."""

from __future__ import annotations

import numpy as np
import pytest
from synth_bodies import TURNING, flipped, upright

from poselab.synthetic.body import (
    CENTRE_LIMITS,
    JOINT_INDEX,
    JOINTS,
    SIDE_LIMITS,
    pose,
    sample_shapes,
)
from poselab.synthetic.poses import sample_poses

BONES = (
    *(("pelvis", "waist"), ("waist", "thorax"), ("thorax", "upper_neck"), ("head", "head_top")),
    *(
        (f"{side}_{a}", f"{side}_{b}")
        for side in ("left", "right")
        for a, b in (
            *(("shoulder", "elbow"), ("elbow", "wrist"), ("wrist", "fingers")),
            *(("hip", "knee"), ("knee", "ankle"), ("ankle", "heel"), ("ankle", "toes")),
        )
    ),
    *(("thorax", "left_shoulder"), ("thorax", "right_shoulder"), ("left_hip", "right_hip")),
)
SWAPPED = [
    JOINT_INDEX[name.replace("left", "@").replace("right", "left").replace("@", "right")]
    for name in JOINTS
]


@pytest.fixture(scope="module")
def crowd():
    rng = np.random.default_rng(7)
    shape = sample_shapes(rng, 4000)
    angles, lift = sample_poses(rng, 4000, 180.0)
    return shape, angles, lift


def test_bones_keep_their_lengths_in_any_pose(crowd):
    shape, angles, _ = crowd
    rows = np.array([[JOINT_INDEX[a], JOINT_INDEX[b]] for a, b in BONES])

    def lengths(joints):
        return np.linalg.norm(joints[:, rows[:, 0]] - joints[:, rows[:, 1]], axis=-1)

    straight = lengths(pose(shape, upright(4000)).joints)
    np.testing.assert_allclose(lengths(pose(shape, angles).joints), straight, rtol=1e-9)
    assert straight.min() > 0.01


def test_sampled_angles_stay_within_the_joint_limits(crowd):
    _, angles, _ = crowd
    for row, limits in enumerate(CENTRE_LIMITS.values()):
        found = np.rad2deg(angles.centre[:, row])
        assert limits[0] - 1e-9 <= found.min() < found.max() <= limits[1] + 1e-9
    for row, limits in enumerate(SIDE_LIMITS.values()):
        found = np.rad2deg(angles.sides[..., row])
        assert limits[0] - 1e-9 <= found.min() < found.max() <= limits[1] + 1e-9


def test_elbows_and_knees_bend_one_way(crowd):
    shape, angles, _ = crowd
    bodies = pose(shape, angles._replace(yaw=np.zeros(4000)))
    for side in (0, 1):
        hip, knee, ankle = (
            bodies.joints[:, JOINT_INDEX[f"left_{j}"] + side] for j in ("hip", "knee", "ankle")
        )
        toes, heel = (bodies.joints[:, JOINT_INDEX[f"left_{j}"] + side] for j in ("toes", "heel"))
        bend = np.cross(knee - hip, ankle - knee)
        across = np.cross(toes - heel, ankle - heel)
        strong = np.linalg.norm(bend, axis=1) > 0.03
        assert (np.einsum("pc,pc->p", bend, across)[strong] < 0).all()


def test_yaw_covers_the_circle_and_an_unturned_person_has_the_left_hand_on_the_right(crowd):
    shape, angles, _ = crowd
    counts, _ = np.histogram(angles.yaw, bins=8, range=(-np.pi, np.pi))
    assert counts.min() > 400
    joints = pose(shape, upright(4000)).joints
    assert (
        joints[:, JOINT_INDEX["left_wrist"], 0] > joints[:, JOINT_INDEX["right_wrist"], 0]
    ).all()
    assert (joints[:, JOINT_INDEX["left_toes"], 2] > joints[:, JOINT_INDEX["left_ankle"], 2]).all()


def test_flipped_angles_give_the_flipped_body(crowd):
    shape, angles, _ = crowd
    body, flip = pose(shape, angles).joints, pose(shape, flipped(angles)).joints
    np.testing.assert_allclose(flip[:, SWAPPED] * [-1, 1, 1], body, atol=1e-9)


def test_left_and_right_are_drawn_alike(crowd):
    _, angles, _ = crowd
    left, right = angles.sides[:, 0], angles.sides[:, 1]
    spread = angles.sides.std(axis=(0, 1)) / np.sqrt(len(left))
    assert (np.abs(left.mean(axis=0) - right.mean(axis=0)) < 5 * spread).all()
    assert (np.abs(left.std(axis=0) / right.std(axis=0) - 1) < 0.1).all()
    turned = angles.centre[:, TURNING]
    assert (np.abs(turned.mean(axis=0)) < 5 * turned.std(axis=0) / np.sqrt(len(left))).all()


def test_people_differ_in_build(crowd):
    shape, _, _ = crowd
    assert shape.stature.min() < 1.2
    assert shape.stature.max() > 1.85
    assert np.corrcoef(shape.stature, shape.girth)[0, 1] < 0.1
