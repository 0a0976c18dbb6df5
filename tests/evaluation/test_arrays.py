"""Files of other codes, made here in their shapes, give each person the pose meant for them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from poselab.evaluation.formats.arrays.joints import SHORT_NAMES
from poselab.evaluation.predictions import ABSENT
from poselab.evaluation.predictions_file import open_predictions
from poselab.skeletons import FLIC10, LSP14, MPII16, PARSE14
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from poselab.annotations import Annotations
    from poselab.structures import Skeleton

    Make = Callable[..., Annotations]


def labelled(
    make_table: Make, skeleton: Skeleton, instances: int = 4, **columns: Any
) -> Annotations:
    points = np.full((instances, len(skeleton), 3), 2.0)
    points[..., :2] = np.random.default_rng(0).uniform(10, 400, (instances, len(skeleton), 2))
    return make_table(points, skeleton, **columns)


def one_based(table: Annotations) -> Any:
    """The labelled positions as those codes write them, in the order of annotation ids."""
    return table.keypoints[np.argsort(table.annotation_ids)] + 1


def assert_answered(found: Any, table: Annotations) -> None:
    """Every pose lies where its person does, in the person's image."""
    row = {number: n for n, number in enumerate(table.annotation_ids.tolist())}
    rows = [row[number] for number in found.annotation_ids.tolist()]
    assert np.allclose(found.keypoints, table.keypoints[rows])
    assert np.array_equal(found.image_ids, table.image_ids[table.image_of()[rows]])


def test_hrnet_and_hourglass_results_follow_the_order_of_annotations(
    make_table: Make, tmp_path: Path
) -> None:
    """Two people of one image are not neighbours in the file, but are in the table."""
    table = labelled(make_table, MPII16, images=[1, 1, 2, 3], annotation_ids=[1, 3, 2, 4])
    poses = one_based(table)
    savemat(tmp_path / "pred.mat", {"preds": np.dstack([poses, np.ones((4, 16))])})
    assert_answered(open_predictions(tmp_path / "pred.mat", table).predictions, table)
    with h5py.File(tmp_path / "valid.h5", "w") as file:
        file["preds"] = poses
    assert_answered(open_predictions(tmp_path / "valid.h5", table).predictions, table)


def test_both_files_of_tompson_are_read(make_table: Make, tmp_path: Path) -> None:
    table = labelled(make_table, MPII16)
    poses = one_based(table)
    savemat(tmp_path / "ours.mat", {"pos_pred_src": poses.transpose(1, 2, 0)})
    assert_answered(open_predictions(tmp_path / "ours.mat", table).predictions, table)
    names = [name for name, joint in SHORT_NAMES.items() if joint not in ("pelvis", "thorax")]
    cells, instances = np.empty((1, 14), object), np.empty((1, 4), object)
    cells[0] = names
    order = [MPII16.index(SHORT_NAMES[name]) for name in names]
    for n, pose in enumerate(poses[:, order]):
        instances[0, n] = pose
    savemat(tmp_path / "raw.mat", {"keypointsAll": instances, "output_joints": cells})
    found = open_predictions(tmp_path / "raw.mat", table).predictions
    assert np.allclose(found.keypoints[:, order], table.keypoints[:, order])
    assert (found.keypoints[:, MPII16.index("pelvis")] <= ABSENT).all()


@pytest.mark.parametrize("skeleton", [LSP14, PARSE14, FLIC10])
def test_coordinates_first_files_are_read(
    make_table: Make, tmp_path: Path, skeleton: Skeleton
) -> None:
    """Results of all people, or only of those held out for testing."""
    table = labelled(make_table, skeleton)
    pred = one_based(table).transpose(2, 1, 0)
    savemat(tmp_path / "all.mat", {"pred": pred})
    assert_answered(open_predictions(tmp_path / "all.mat", table).predictions, table)
    half = dataclasses.replace(table, held_out=np.array([False, True, False, True]))
    savemat(tmp_path / "test.mat", {"pred": pred[:, :, [1, 3]]})
    found = open_predictions(tmp_path / "test.mat", half).predictions
    assert found.annotation_ids.tolist() == [11, 13]
    assert_answered(found, half)


def test_joints_are_means_of_segment_ends(make_table: Make, tmp_path: Path) -> None:
    """Ends that lie apart are averaged; by hand for the right knee and the wrist."""
    table = labelled(make_table, LSP14, instances=1)
    joints = one_based(table)[0]
    order = [0, 1, 1, 2, 3, 4, 4, 5, 6, 7, 7, 8, 9, 10, 10, 11, 12, 13]
    ends = np.concatenate([joints[order], np.zeros((2, 2))])
    ends[1] += 3.0  # the lower leg's end in the right knee
    savemat(tmp_path / "sticks.mat", {"pred": ends.T[:, :, None]})
    found = open_predictions(tmp_path / "sticks.mat", table).predictions.keypoints[0]
    expected = table.keypoints[0].copy()
    expected[LSP14.index("right_knee")] += 1.5
    assert np.allclose(found, expected)
    upper = labelled(make_table, FLIC10, instances=1)
    savemat(tmp_path / "flic.mat", {"pred": np.zeros((2, 12, 1))})
    with pytest.raises(InputError, match="which have no hips"):
        open_predictions(tmp_path / "flic.mat", upper)


def test_other_files_raise(make_table: Make, tmp_path: Path) -> None:
    table = labelled(make_table, MPII16)
    savemat(tmp_path / "few.mat", {"preds": np.ones((3, 16, 2))})
    with pytest.raises(InputError, match="4 poses of 16 keypoints .* got preds of 3 x 16 x 2"):
        open_predictions(tmp_path / "few.mat", table)
    savemat(tmp_path / "flat.mat", {"preds": np.ones((4, 16))})
    with pytest.raises(InputError, match="got preds of 4 x 16;"):
        open_predictions(tmp_path / "flat.mat", table)
    savemat(tmp_path / "other.mat", {"apples": np.ones(3)})
    with pytest.raises(InputError, match="expected 4 poses of 16 keypoints .* got apples of 1 x 3"):
        open_predictions(tmp_path / "other.mat", table)
    for name, wanted in (("broken.mat", "a MATLAB file"), ("broken.h5", "an HDF5 file")):
        (tmp_path / name).write_bytes(b"nothing of the kind")
        with pytest.raises(InputError, match=f"expected {wanted}"):
            open_predictions(tmp_path / name, table)
    with pytest.raises(InputError, match="found no such file"):
        open_predictions(tmp_path / "absent.mat", table)
