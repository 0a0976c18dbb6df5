"""One set of people in MPII's three forms is one table."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
import scipy.io

from poselab.annotations import open_annotations
from poselab.structures import InputError

NAMES = ["000000007.jpg", "000000005.jpg", "000000007.jpg"]


class People:
    """Three labelled people in two images, 1-based, the last without its first two joints."""

    def __init__(self) -> None:
        draw = np.random.default_rng(0)
        self.joints = draw.integers(2, 900, (3, 16, 2)).astype(float)
        self.labelled = np.ones((3, 16), int)
        self.labelled[2, :2] = 0
        self.joints[self.labelled == 0] = 0
        self.centre = draw.integers(200, 600, (3, 2)).astype(float)
        self.scale = np.array([1.5, 2.25, 4.0])
        low = draw.integers(1, 400, (3, 2)).astype(float)
        self.heads = np.concatenate([low, low + np.array([30, 40])], axis=1)


@pytest.fixture
def instances() -> People:
    return People()


def write_json(folder, instances):
    entries = [
        {
            "image": NAMES[n],
            "joints": instances.joints[n].tolist(),
            "joints_vis": instances.labelled[n].tolist(),
            "center": instances.centre[n].tolist(),
            "scale": float(instances.scale[n]),
        }
        for n in range(3)
    ]
    path = folder / "valid.json"
    path.write_text(json.dumps(entries))
    return path


def write_heads(folder, instances):
    corners = instances.heads.reshape(3, 2, 2).transpose(1, 2, 0)
    scipy.io.savemat(folder / "gt_valid.mat", {"headboxes_src": corners})


def structs(fields, rows):
    """A MATLAB struct array of one row."""
    array = np.empty((1, len(rows)), dtype=[(name, object) for name in fields])
    for n, row in enumerate(rows):
        array[0, n] = row
    return array


def rectangle(instances, n, with_points=True):
    rows = [
        (x, y, k, [np.empty((0, 0)), "1", 1][k % 3])
        for k, (x, y) in enumerate(instances.joints[n])
        if instances.labelled[n, k]
    ]
    points = structs(("x", "y", "id", "is_visible"), rows)
    annopoints = structs(("point",), [(points,)]) if with_points else np.empty((0, 0))
    place = structs(("x", "y"), [tuple(instances.centre[n])])
    return (*instances.heads[n], annopoints, instances.scale[n], place)


def write_mat(folder, instances):
    """The official nesting, with a test image, an empty one and a person without joints."""
    fields = ("x1", "y1", "x2", "y2", "annopoints", "scale", "objpos")
    both = structs(
        fields,
        [
            rectangle(instances, 0),
            rectangle(instances, 1, with_points=False),
            rectangle(instances, 2),
        ],
    )
    one, none = structs(fields, [rectangle(instances, 1)]), np.empty((0, 0))
    named = [
        (structs(("name",), [(name,)]), rectangles)
        for name, rectangles in (
            ("000000001.jpg", one),
            (NAMES[0], both),
            ("000000002.jpg", none),
            (NAMES[1], one),
        )
    ]
    release = structs(
        ("annolist", "img_train"), [(structs(("image", "annorect"), named), [[0, 1, 1, 1]])]
    )
    path = folder / "mpii_human_pose_v1_u12_1.mat"
    scipy.io.savemat(path, {"RELEASE": release})
    return path


def write_h5(folder, instances):
    path = folder / "valid.h5"
    heads = instances.heads[:, 2:] - instances.heads[:, :2]
    with h5py.File(path, "w") as file:
        file["part"] = instances.joints
        file["visible"] = instances.labelled.astype(float)
        file["center"] = instances.centre + np.stack(
            [0 * instances.scale, 15 * instances.scale], axis=1
        )
        file["scale"] = instances.scale * 1.25
        file["normalize"] = 0.6 * np.linalg.norm(heads, axis=1)
    (folder / "valid_images.txt").write_text("\n".join(NAMES) + "\n")
    return path


def test_json_has_zero_based_joints_boxes_of_simplebaseline_and_heads_from_beside(
    tmp_path, instances
):
    write_heads(tmp_path, instances)
    table = open_annotations(write_json(tmp_path, instances))
    assert table.image_ids.tolist() == [7, 5]
    assert table.annotation_ids.tolist() == [1, 3, 2]
    labelled = instances.labelled[[0, 2, 1]] > 0
    assert np.array_equal(table.visibility, np.where(labelled, 2, 0))
    assert np.array_equal(table.keypoints[labelled], instances.joints[[0, 2, 1]][labelled] - 1)
    assert not table.keypoints[~labelled].any()
    # the HRNet code crops 200·1.25·scale around (x, y + 15·scale), 1-based
    middle = table.boxes[:, :2] + table.boxes[:, 2:] / 2
    scale = instances.scale[[0, 2, 1]]
    assert np.allclose(
        middle, instances.centre[[0, 2, 1]] + np.stack([0 * scale, 15 * scale], 1) - 1
    )
    assert np.allclose(table.boxes[:, 2:], 200 * scale[:, None])
    heads = instances.heads[[0, 2, 1]]
    assert np.allclose(table.head_boxes, np.c_[heads[:, :2] - 1, heads[:, 2:] - heads[:, :2]])
    assert (table.area_rule, table.box_rule) == (
        "0.53 box around keypoints",
        "centre and scale",
    )


def test_the_official_nesting_is_the_same_table(tmp_path, instances):
    write_heads(tmp_path, instances)
    json_table = open_annotations(write_json(tmp_path, instances))
    table = open_annotations(write_mat(tmp_path, instances))
    for name in ("image_ids", "file_names", "first_person", "keypoints", "visibility", "boxes"):
        assert np.array_equal(getattr(table, name), getattr(json_table, name)), name
    assert np.array_equal(table.areas, json_table.areas)
    assert np.array_equal(table.head_boxes, json_table.head_boxes)
    assert table.annotation_ids.tolist() == [1, 2, 3]  # its own order of people


def test_occluded_joints_of_the_official_file_are_distinguished(tmp_path, instances):
    path = write_mat(tmp_path, instances)
    content = scipy.io.loadmat(path)
    point = content["RELEASE"]["annolist"][0, 0]["annorect"][0, 1]["annopoints"][0, 0]["point"][
        0, 0
    ]
    point["is_visible"][0, 4], point["is_visible"][0, 5] = "0", 0
    scipy.io.savemat(path, {"RELEASE": content["RELEASE"]})
    assert open_annotations(path).visibility[0].tolist() == [2] * 4 + [1] * 2 + [2] * 10


def test_h5_is_the_same_but_for_square_heads_of_the_same_length(tmp_path, instances):
    write_heads(tmp_path, instances)
    json_table = open_annotations(write_json(tmp_path, instances))
    table = open_annotations(write_h5(tmp_path, instances))
    for name in ("image_ids", "file_names", "annotation_ids", "keypoints", "visibility"):
        assert np.array_equal(getattr(table, name), getattr(json_table, name)), name
    assert np.allclose(table.boxes, json_table.boxes)
    assert np.allclose(
        np.linalg.norm(table.head_boxes[:, 2:], axis=1),
        np.linalg.norm(json_table.head_boxes[:, 2:], axis=1),
    )


def test_changed_head_boxes_beside_the_file_are_read(tmp_path, instances):
    path = write_json(tmp_path, instances)
    assert not open_annotations(path).head_boxes.any()
    write_heads(tmp_path, instances)
    before = open_annotations(path).head_boxes[0, 2:].tolist()
    instances.heads[:, 2:] += 7
    write_heads(tmp_path, instances)
    after = open_annotations(path).head_boxes[0, 2:].tolist()
    assert (before, after) == ([30, 40], [37, 47])


def spoil(path, **changes):
    entries = json.loads(path.read_text())
    entries[1] |= changes
    path.write_text(json.dumps(entries))
    return path


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"joints": [[1, 2]] * 15}, r"expected `joints` of shape \(16, 2\) in annotation 2"),
        ({"joints": [[float("nan"), 2]] * 16}, "NaN or infinity in the keypoints of annotation 2"),
        ({"center": "here"}, "expected `center` of shape .* in annotation 2 .* got 'here'"),
        ({"scale": float("inf")}, "NaN or infinity in the box of annotation 2"),
    ],
)
def test_bad_json_entries_are_errors(tmp_path, instances, changes, sentence):
    path = spoil(write_json(tmp_path, instances), **changes)
    with pytest.raises(InputError, match=sentence):
        open_annotations(path)


def test_other_files_are_errors(tmp_path, instances):
    path = tmp_path / "some.mat"
    scipy.io.savemat(path, {"apples": np.ones(3)})
    with pytest.raises(InputError, match=r"expected one of RELEASE, .* found apples"):
        open_annotations(path)
    scipy.io.savemat(path, {"RELEASE": np.ones(3)})
    with pytest.raises(InputError, match="expected MPII's nesting"):
        open_annotations(path)
    scipy.io.savemat(path, {"joints": np.ones((14, 2, 9))})
    with pytest.raises(InputError, match=r"shape \(14, 3, people\) .* got \(14, 2, 9\)"):
        open_annotations(path)
    path.write_bytes(b"cut off")
    with pytest.raises(InputError, match="expected a MATLAB file"):
        open_annotations(path)
    h5 = write_h5(tmp_path, instances)
    (tmp_path / "valid_images.txt").write_text("one.jpg\n")
    with pytest.raises(InputError, match=r"expected 3 names in valid_images.txt"):
        open_annotations(h5)
    (tmp_path / "valid_images.txt").unlink()
    with pytest.raises(InputError, match=r"expected valid_images.txt beside"):
        open_annotations(h5)
    h5.write_bytes(h5.read_bytes()[:900])
    with pytest.raises(InputError, match="expected an HDF5 file"):
        open_annotations(h5)
