"""What generated people look like and which of their points are visible."""

from __future__ import annotations

import numpy as np
import pytest
from synth_bodies import flipped, upright

from poselab.synthetic import scene as scene_module
from poselab.synthetic.appearance import sample_appearance
from poselab.synthetic.body import CENTRE, JOINT_INDEX, pose, sample_shapes
from poselab.synthetic.camera import tilted_camera
from poselab.synthetic.canvas import Canvas
from poselab.synthetic.labels import labels_of, run_lengths
from poselab.synthetic.poses import sample_poses
from poselab.synthetic.projection import BODY_PARTS, capsules, project_bodies
from poselab.synthetic.rendering import BodyRenderer
from poselab.synthetic.scene import ScenePeople, render_scenes, sample_scenes
from poselab.synthetic.visibility import POINT_NAMES

SIZE = (256, 256)


def generators(count, seed=3):
    return [np.random.default_rng([seed, number]) for number in range(count)]


def standing(places, yaw, seed=0, size=SIZE, **appearances):
    """One image of upright people at (x, away), turned by yaw, seen from 1 m up."""
    rng = np.random.default_rng(seed)
    instances = len(places)
    shape = sample_shapes(rng, instances)._replace(stature=np.full(instances, 1.7))
    angles = upright(instances)._replace(yaw=np.array(yaw, dtype=float))
    offset = [[x, 0.9, -away] for x, away in places]
    bodies = pose(shape, angles).moved(np.array(offset))
    wear = [
        sample_appearance(rng)._replace(hat=0, hair=1, skirt=0.0, **appearances) for _ in places
    ]
    people = ScenePeople(bodies, shape, wear, np.zeros(instances, int), np.zeros(instances, bool))
    canvas = Canvas(np.full((*size, 3), 128, np.uint8))
    return render_scenes(
        [rng], [canvas], people, tilted_camera(1.0, 0.0, 0.0, 1.2 * size[0], size)
    )[0]


@pytest.fixture
def no_props(monkeypatch):
    monkeypatch.setattr(scene_module, "PROP_SHARE", 0.0)


def seen(scene, person=0):
    return dict(zip(POINT_NAMES, scene.visibility[person].tolist(), strict=True))


def test_a_person_seen_from_the_front_shows_everything(no_props):
    assert set(seen(standing([(0, 3)], [0.0])).values()) == {2}


def test_a_person_seen_from_behind_hides_the_face(no_props):
    found = seen(standing([(0, 3)], [np.pi]))
    hidden = {name for name, value in found.items() if value == 1}
    assert {"nose", "left_eye", "right_eye"} == hidden & {"nose", "left_eye", "right_eye"}
    assert found["left_ear"] == found["right_shoulder"] == found["left_ankle"] == 2


@pytest.mark.parametrize(("yaw", "near", "far"), [(90, "right", "left"), (-90, "left", "right")])
def test_in_profile_the_far_side_is_hidden(no_props, yaw, near, far):
    # Turning anticlockwise as seen from above brings the face to the image's right.
    found = seen(standing([(0, 3)], [np.deg2rad(yaw)]))
    parts = ("eye", "ear", "shoulder", "elbow", "wrist")
    assert [found[f"{near}_{part}"] for part in parts] == [2] * 5
    assert [found[f"{far}_{part}"] for part in (*parts, "hip")] == [1] * 6


def test_a_person_right_before_another_hides_that_one(no_props):
    scene = standing([(0, 3), (0, 5)], [0.0, 0.0])
    assert set(seen(scene, 0).values()) == {2}
    covered = scene.owner[tuple(np.rint(scene.points[1, :, ::-1]).astype(int).T)] == 0
    assert covered.sum() > 12
    assert (scene.visibility[1][covered] == 1).all()


def test_a_keypoint_outside_the_image_is_not_labelled(no_props):
    scene = standing([(0, 1.0)], [0.0])
    points = labels_of(scene)["instances"][0]["points"]
    outside = (scene.points[0] < 0) | (scene.points[0] > 255)
    assert 4 < outside.any(axis=1).sum() < len(POINT_NAMES)
    for point, out in zip(points, outside.any(axis=1), strict=True):
        assert (point == [0.0, 0.0, 0]) == bool(out)


def test_keypoints_lie_on_their_person_or_on_who_stands_before(no_props):
    good = total = 0
    for scene in sample_scenes(generators(80), SIZE, (1, 4)):
        inside = scene.visibility > 0
        for person in range(len(scene.points)):
            where = np.rint(scene.points[person][inside[person]]).astype(int)
            owner = scene.owner[where[:, 1], where[:, 0]]
            good += int((owner >= 0).sum())
            total += len(owner)
            shown = scene.visibility[person][inside[person]] == 2
            assert (owner[shown] == person).all()
    assert total > 2000
    assert good / total > 0.99


def test_labels_are_a_sensible_mixture():
    scenes = sample_scenes(generators(200), SIZE, (1, 4))
    values = np.concatenate([s.visibility[~s.crowd].ravel() for s in scenes])
    shares = np.bincount(values, minlength=3) / len(values)
    assert shares[2] > 0.45
    assert shares[1] > 0.15
    assert 0.03 < shares[0] < 0.35


def test_a_flipped_person_renders_the_flipped_image():
    """So nothing but the body itself tells left from right."""
    rng = np.random.default_rng(5)
    shape = sample_shapes(rng, 24)
    angles, _ = sample_poses(rng, 24, 180.0)
    appearances = [sample_appearance(rng) for _ in range(24)]
    camera = tilted_camera(1.0, 0.1, 0.0, 300.0, SIZE).take(np.zeros(24, int))
    images = []
    for turned, light in ((angles, 0.6), (flipped(angles), -0.6)):
        bodies = pose(shape, turned).moved(np.tile([0.0, 0.9, -4.0], (24, 1)))
        renderer = BodyRenderer(
            project_bodies(bodies, shape, appearances, camera),
            appearances,
            np.tile([light, -0.8], (24, 1)),
        )
        canvases = [Canvas(np.full((*SIZE, 3), 128, np.uint8)) for _ in appearances]
        for person, canvas in enumerate(canvases):
            renderer.draw(canvas, person)
        images.append(np.stack([canvas.image for canvas in canvases]).astype(int))
    differs = np.abs(images[0] - images[1][:, :, ::-1]).max(axis=-1) > 60
    body = (images[0] != 128).any(axis=-1)
    assert body.mean() > 0.03
    assert (differs.sum(axis=(1, 2)) / body.sum(axis=(1, 2)) < 0.08).all()


def test_face_and_back_of_the_head_differ_and_so_do_chest_and_back(no_props):
    front = standing([(0, 3)], [0.0], neckline=3).image
    back = standing([(0, 3)], [np.pi], neckline=3).image
    assert np.abs(front.astype(int) - back).max(axis=-1)[:128].sum() > 5000


def test_projection_follows_the_pinhole_camera():
    camera = tilted_camera(1.5, 0.0, 0.0, 200.0, (100, 201))
    x, y, away = camera.project(np.array([[[0.5, 1.0, -4.0]]]))[0, 0]
    assert (x, y, away) == pytest.approx((100 + 200 * 0.5 / 4, 49.5 + 200 * 0.5 / 4, 4.0))
    far = camera.project(np.array([[[0.0, 1.5, -1e6]]]))[0, 0]
    assert camera.horizon(0, 201) == pytest.approx([far[1], far[1]], abs=1e-3)
    tilted = tilted_camera(1.5, 0.2, 0.1, 200.0, (100, 201))
    low, high = (tilted.project(np.array([[[v * 1e6, 1.5, -1e6]]]))[0, 0] for v in (-0.3, 0.3))
    slope = (high[1] - low[1]) / (high[0] - low[0])
    left, right = tilted.horizon(0, 201)
    assert (right - left) / 200 == pytest.approx(slope, abs=1e-3)


def test_a_capsule_contains_both_its_discs_and_no_more():
    ends = np.array([[10.0, 20.0], [40.0, 30.0]])
    outline = capsules(ends, np.array([8.0, 3.0]))
    distance = np.stack([np.linalg.norm(outline - e, axis=1) for e in ends], axis=1)
    assert np.isclose(distance, [8.0, 3.0]).any(axis=1).all()
    assert (distance >= np.array([8.0, 3.0]) - 1e-9).all()
    swallowed = capsules(ends, np.array([60.0, 3.0]))
    np.testing.assert_allclose(np.linalg.norm(swallowed - ends[0], axis=1), 60.0)


def test_run_lengths_are_what_pycocotools_reads():
    from pycocotools import mask as coco_mask

    rng = np.random.default_rng(0)
    for start in (0.0, 1.0):
        mask = rng.random((13, 9)) < 0.4
        mask[0, 0] = bool(start)
        rle = coco_mask.frPyObjects({"counts": run_lengths(mask), "size": [13, 9]}, 13, 9)
        np.testing.assert_array_equal(coco_mask.decode(rle).astype(bool), mask)


def test_far_parts_are_drawn_before_near_ones():
    rng = np.random.default_rng(2)
    shape = sample_shapes(rng, 50)
    angles, _ = sample_poses(rng, 50, 180.0)
    bodies = pose(shape, angles).moved(np.tile([0.0, 0.9, -4.0], (50, 1)))
    camera = tilted_camera(1.0, 0.1, 0.0, 300.0, SIZE).take(np.zeros(50, int))
    instances = project_bodies(bodies, shape, [sample_appearance(rng) for _ in range(50)], camera)
    order = BodyRenderer(
        instances, [sample_appearance(rng) for _ in range(50)], np.zeros((50, 2))
    ).order
    hands = [BODY_PARTS.index("left_hand"), BODY_PARTS.index("right_hand")]
    deep = instances.joints[:, [JOINT_INDEX["left_wrist"], JOINT_INDEX["right_wrist"]], 2]
    for row, depth in zip(order, deep, strict=True):
        if abs(depth[0] - depth[1]) > 0.3:
            first, second = (row.index(hand) for hand in hands)
            assert (first < second) == (depth[0] > depth[1])


def test_neck_twist_turns_the_head_alone():
    shape = sample_shapes(np.random.default_rng(0), 1)
    turned = upright(1)
    turned.centre[0, CENTRE["neck_twist"]] = 0.5
    straight = pose(shape, upright(1))
    twisted = pose(shape, turned)
    assert not np.allclose(twisted.head, straight.head)
    np.testing.assert_allclose(twisted.joints[:, 6:], straight.joints[:, 6:])
