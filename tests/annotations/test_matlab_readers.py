"""LSP, PARSE and FLIC in the shapes that their publishers give them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy.io import savemat

from poselab.annotations import open_annotations
from poselab.skeletons import FLIC10, FLIC11, LSP14, PARSE14
from poselab.structures import InputError

if TYPE_CHECKING:
    from pathlib import Path


def positions(joints: int, instances: int) -> Any:
    """(people, joints, 2), every value another."""
    return np.random.default_rng(0).uniform(1, 200, (instances, joints, 2))


@pytest.mark.parametrize("joints_first", [True, False])
def test_lsp_in_either_orientation(tmp_path: Path, joints_first: bool) -> None:
    """In the 2,000, the third row marks the occluded, and all joints are labelled."""
    points, occluded = positions(14, 2000), np.zeros((2000, 14, 1))
    occluded[7, 3] = 1
    cube = np.concatenate([points, occluded], axis=2)
    path = tmp_path / "joints.mat"
    savemat(path, {"joints": cube.transpose((1, 2, 0) if joints_first else (2, 1, 0))})
    table = open_annotations(path)
    assert (table.layout, table.skeleton) == ("lsp", LSP14)
    assert np.allclose(table.keypoints, points - 1)
    assert np.argwhere(table.visibility != 2).tolist() == [[7, 3]]
    assert table.visibility[7, 3] == 1
    assert table.file_name(1999) == "im2000.jpg"
    assert table.held_out is not None
    assert np.flatnonzero(table.held_out).tolist() == list(range(1000, 2000))


def test_lsp_extended_marks_the_labelled(tmp_path: Path) -> None:
    points, flags = positions(14, 3), np.ones((3, 14, 1))
    flags[1, 5] = 0
    cube = np.concatenate([points, flags], axis=2).transpose(1, 2, 0)
    savemat(tmp_path / "joints.mat", {"joints": cube})
    table = open_annotations(tmp_path / "joints.mat")
    assert np.argwhere(table.visibility == 0).tolist() == [[1, 5]]
    assert table.file_name(2) == "im00003.jpg"
    assert table.held_out is None


def test_parse_in_both_forms(tmp_path: Path) -> None:
    points = positions(14, 305)
    savemat(tmp_path / "a.mat", {"joints": points.transpose(2, 1, 0)})
    savemat(tmp_path / "b.mat", {"ptsAll": points.transpose(1, 2, 0), "segmentTypes": "x"})
    for name in ("a.mat", "b.mat"):
        table = open_annotations(tmp_path / name)
        assert (table.layout, table.skeleton) == ("parse", PARSE14)
        assert np.allclose(table.keypoints, points - 1)
        assert table.held_out is not None
        assert np.flatnonzero(table.held_out).tolist() == list(range(100, 305))


def test_flic_of_ten_joints(tmp_path: Path) -> None:
    points = positions(10, 5)
    savemat(tmp_path / "flic.mat", {"joints": points.transpose(2, 1, 0)})
    table = open_annotations(tmp_path / "flic.mat")
    assert (table.layout, table.skeleton) == ("flic", FLIC10)
    assert np.allclose(table.keypoints, points - 1)


def test_flic_as_published(tmp_path: Path) -> None:
    """People by their joints' places among 29; two of one image, one of whom is tested."""
    coords = np.full((3, 2, 29), np.nan)
    places = [0, 1, 2, 3, 4, 5, 6, 9, 12, 13, 16]
    coords[:, :, places] = positions(11, 3).transpose(0, 2, 1)
    coords[0, :, 16] = np.nan
    kinds = [("coords", object), ("filepath", object), ("istest", object)]
    records = np.empty((1, 3), kinds)
    for n, (name, tested) in enumerate([("a.jpg", 1), ("b.jpg", 1), ("a.jpg", 0)]):
        records[0, n] = (coords[n], name, tested)
    savemat(tmp_path / "examples.mat", {"examples": records})
    table = open_annotations(tmp_path / "examples.mat")
    assert (table.layout, table.skeleton) == ("flic", FLIC11)
    assert table.annotation_ids.tolist() == [1, 3, 2]
    assert table.held_out is not None
    assert table.held_out.tolist() == [True, False, True]
    order = {"left_hip": 6, "right_hip": 9, "right_eye": 13, "left_wrist": 2}
    for joint, place in order.items():
        assert np.allclose(table.keypoints[1, FLIC11.index(joint)], coords[2, :, place] - 1)
    assert table.visibility[0, FLIC11.index("nose")] == 0


def test_the_held_out_survive_the_cache_and_selection(tmp_path: Path) -> None:
    savemat(tmp_path / "parse.mat", {"joints": positions(14, 305).transpose(2, 1, 0)})
    first = open_annotations(tmp_path / "parse.mat")
    again = open_annotations(tmp_path / "parse.mat")
    assert again.cache_file
    assert np.array_equal(first.held_out, again.held_out)
    part = again.select([99, 100])
    assert part.held_out is not None
    assert part.held_out.tolist() == [False, True]


def test_other_shapes_raise(tmp_path: Path) -> None:
    savemat(tmp_path / "cooking.mat", {"joints": np.ones((2, 12, 7))})
    with pytest.raises(InputError, match=r"expected joints of shape .* got \(2, 12, 7\)"):
        open_annotations(tmp_path / "cooking.mat")
    with pytest.raises(InputError, match="is it PARSE's file"):
        open_annotations(tmp_path / "cooking.mat", layout="parse")
    with pytest.raises(InputError, match="is it a FLIC file"):
        open_annotations(tmp_path / "cooking.mat", layout="flic")
    savemat(tmp_path / "bare.mat", {"examples": np.zeros((1, 1), [("coords", object)])})
    with pytest.raises(InputError, match="expected FLIC's fields"):
        open_annotations(tmp_path / "bare.mat")
