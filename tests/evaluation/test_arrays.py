"""Arrays of poses, of well-known codes and of anybody, give each person the pose meant for them."""

from __future__ import annotations

import dataclasses
import json
from itertools import permutations
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from poselab.evaluation.formats.arrays.joints import SHORT_NAMES
from poselab.evaluation.formats.arrays.options import ArrayOptions
from poselab.evaluation.predictions import ABSENT
from poselab.evaluation.predictions_file import open_predictions
from poselab.evaluation.validation.checks import validate_predictions
from poselab.skeletons import COCO17, FLIC10, LSP14, MPII16, PARSE14
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from poselab.annotations import Annotations
    from poselab.evaluation.predictions import Predictions
    from poselab.evaluation.predictions_file import PredictionsFile
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


def people_in_sight(make_table: Make, skeleton: Skeleton = COCO17, count: int = 12) -> Annotations:
    """People of different sizes and places, in one image each, joints apart as in a body."""
    draw = np.random.default_rng(1)
    shape = draw.uniform(0, 1, (len(skeleton), 2))
    size, place = draw.uniform(60, 150, (count, 1, 1)), draw.uniform(0, 350, (count, 1, 2))
    points = np.full((count, len(skeleton), 3), 2.0)
    points[..., :2] = place + size * (shape + draw.normal(0, 0.02, (count, len(skeleton), 2)))
    return make_table(points, skeleton)


def predicted(table: Annotations) -> Any:
    """Poses (N, K, 2) near the labelled ones, 0-based."""
    noise = np.random.default_rng(2).normal(0, 1.0, table.keypoints.shape)
    return table.keypoints + noise - np.median(noise, axis=(0, 1))


def write(path: Path, array: Any, key: str = "prediction_all", **others: Any) -> Path:
    """A file of that ending with an array of that name."""
    match path.suffix:
        case ".mat":
            savemat(path, {key: array, **others})
        case ".h5":
            with h5py.File(path, "w") as file:
                for name, values in {key: array, **others}.items():
                    file[name] = values
        case ".npy":
            np.save(path, array)
        case ".npz":
            np.savez(path, **{key: array, **others})
        case ".csv":
            np.savetxt(path, array.reshape(len(array), -1), delimiter=",")
        case _:
            tree = {key: array.tolist(), **{n: np.asarray(v).tolist() for n, v in others.items()}}
            path.write_text(json.dumps(tree if path.stem == "named" else array.tolist()))
    return path


def assert_read(found: PredictionsFile, table: Annotations, *words: str) -> None:
    """The poses are those of :func:`predicted`, and the notes hold the words."""
    assert_answered_nearly(found.predictions, table)
    said = "\n".join(found.notes)
    assert all(word in said for word in words), said


def assert_answered_nearly(found: Predictions, table: Annotations) -> None:
    row = {number: n for n, number in enumerate(table.annotation_ids.tolist())}
    rows = [row[number] for number in found.annotation_ids.tolist()]
    assert np.allclose(found.keypoints, predicted(table)[rows], atol=1e-6)
    assert np.array_equal(found.image_ids, table.image_ids[table.image_of()[rows]])


@pytest.mark.parametrize(
    "name", ["a.mat", "a.h5", "a.npy", "a.npz", "a.csv", "a.json", "named.json"]
)
def test_an_array_of_any_name_in_any_file(make_table: Make, tmp_path: Path, name: str) -> None:
    table = people_in_sight(make_table)
    file = write(tmp_path / name, predicted(table))
    named = "array" if name in ("a.npy", "a.csv", "a.json") else "prediction_all"
    axes = "N,K2" if name == "a.csv" else "N,K,2"
    words = f"`{named}` is read with axes {axes}", "from 0", "12 people"
    assert_read(open_predictions(file, table), table, *words)


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("origin", [0, 1])
def test_axes_and_origin_are_suggested_by_the_fit(
    make_table: Make, order: tuple[int, ...], origin: int
) -> None:
    """Whatever the order of axes, also with scores, or flattened."""
    table = people_in_sight(make_table)
    poses = predicted(table) + origin
    axes = ",".join("NK2"[place] for place in order)
    assert_read(open_predictions(poses.transpose(order), table), table, axes, f"from {origin}")
    scored = np.dstack([poses, np.linspace(0, 1, 12)[:, None].repeat(17, axis=1)])
    found = open_predictions(scored.transpose(order), table)
    assert_read(found, table, axes.replace("2", "3"), "scores of joints are the third coordinates")
    assert np.allclose(found.predictions.scores, np.linspace(0, 1, 12))


@pytest.mark.parametrize(("axes", "order"), [("N,K2", (0, 1, 2)), ("N,2K", (0, 2, 1))])
def test_flattened_coordinates_are_told_apart(
    make_table: Make, axes: str, order: tuple[int, ...]
) -> None:
    table = people_in_sight(make_table)
    flat = predicted(table).transpose(order).reshape(12, -1)
    assert_read(open_predictions(flat, table), table, axes)
    turned = ",".join(reversed(axes.split(",")))
    assert_read(open_predictions(flat.T, table), table, turned)


def test_as_many_people_as_joints_and_coordinates(make_table: Make) -> None:
    """17 people of 17 joints, or two people: only the fit tells the axes."""
    many = people_in_sight(make_table, count=17)
    for order in permutations(range(3)):
        axes = ",".join("NK2"[place] for place in order)
        assert_read(open_predictions(predicted(many).transpose(order), many), many, axes)
    two = people_in_sight(make_table, count=2)
    assert_read(open_predictions(predicted(two).transpose(2, 1, 0), two), two, "2,K,N")


def test_joints_in_another_order_are_matched_and_said(make_table: Make) -> None:
    table = people_in_sight(make_table)
    order = np.random.default_rng(3).permutation(17)
    names = [COCO17.keypoints[k] for k in order]
    shuffled = predicted(table)[:, order]
    found = open_predictions(shuffled, table)
    assert_read(found, table, "the nearest ones, in the order " + ",".join(names))
    told = open_predictions(shuffled, table, ArrayOptions(joints=",".join(names)))
    assert_read(told, table)
    assert not any("nearest" in note for note in told.notes)
    wrong = open_predictions(shuffled, table, ArrayOptions(joints="same"))
    assert np.allclose(wrong.predictions.keypoints, shuffled)


def test_fewer_or_more_joints(make_table: Make) -> None:
    """Those that the array lacks count as wrong, and those that the ground truth lacks are left
    out; the size of a pose is that of the joints it has."""
    table = people_in_sight(make_table)
    poses = predicted(table)
    fewer = open_predictions(poses[:, 1:], table)
    assert "nose are not among its joints and count as wrong" in "\n".join(fewer.notes)
    assert (fewer.predictions.keypoints[:, 0] == ABSENT).all()
    assert np.allclose(fewer.predictions.keypoints[:, 1:], poses[:, 1:])
    sides = poses[:, 1:].max(axis=1) - poses[:, 1:].min(axis=1)
    assert np.allclose(fewer.predictions.areas(), sides.prod(axis=1))
    more = np.concatenate([poses[:, :1] + [90.0, -40.0], poses], axis=1)
    assert_read(open_predictions(more, table), table, "in the order -,nose,left_eye")
    names = ",".join(["-", *COCO17.keypoints])
    assert_read(open_predictions(more, table, ArrayOptions(joints=names)), table)


def test_joint_names_in_the_file_are_heeded(make_table: Make, tmp_path: Path) -> None:
    table = people_in_sight(make_table)
    order = np.random.default_rng(3).permutation(17)
    names = np.array([COCO17.keypoints[k].replace("_", " ").title() for k in order])
    file = write(tmp_path / "a.npz", predicted(table)[:, order], joint_names=names)
    found = open_predictions(file, table)
    assert_read(found, table)
    assert not any("nearest" in note for note in found.notes)


def test_titles_of_a_table_name_ids_and_joints(make_table: Make, tmp_path: Path) -> None:
    """Columns of ids, an index as pandas writes it, and nose_x, nose_y, ... in another order."""
    table = people_in_sight(make_table)
    order, rows = np.random.default_rng(3).permutation(17), [4, 2, 11, 0]
    poses = predicted(table)[rows][:, order]
    titles = ["", "annotation_id", *(f"{COCO17.keypoints[k]}_{c}" for k in order for c in "xy")]
    lines = [",".join(titles)]
    for n, (row, pose) in enumerate(zip(rows, poses, strict=True)):
        lines.append(",".join(map(str, [n, table.annotation_ids[row], *pose.ravel()])))
    (tmp_path / "a.csv").write_text("\n".join(lines))
    found = open_predictions(tmp_path / "a.csv", table)
    assert_read(found, table, "N,K2", "annotation id of annotation_id")
    assert not any("nearest" in note for note in found.notes)


def test_arrays_in_groups_structs_and_new_matlab_files(make_table: Make, tmp_path: Path) -> None:
    table = people_in_sight(make_table)
    poses = predicted(table)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["results/model/poses"] = poses
    found = open_predictions(tmp_path / "a.h5", table)
    assert_read(found, table, "`results/model/poses` is read with axes N,K,2")
    savemat(tmp_path / "a.mat", {"results": {"about": "a method", "poses": poses}})
    found = open_predictions(tmp_path / "a.mat", table)
    assert_read(found, table, "`results.poses` is read with axes N,K,2")
    with h5py.File(tmp_path / "new.mat", "w", userblock_size=512) as file:
        file["poses"] = poses.T  # MATLAB's v7.3 is HDF5 with axes reversed
    assert_read(open_predictions(tmp_path / "new.mat", table), table, "axes N,K,2")


def test_swapped_sides_are_a_question(make_table: Make) -> None:
    table = people_in_sight(make_table)
    flipped = predicted(table)[:, list(COCO17.flip_index)]
    with pytest.raises(InputError, match="differ in left and right alone.*--joints same"):
        open_predictions(flipped, table)
    nearest = open_predictions(flipped, table, ArrayOptions(joints="nearest"))
    assert_read(nearest, table, "nose,right_eye,left_eye")


def test_one_array_of_several_is_chosen_by_fit_or_asked_for(
    make_table: Make, tmp_path: Path
) -> None:
    """Another array of the shape is left out if it lies elsewhere or is the ground truth itself."""
    table = people_in_sight(make_table)
    poses = predicted(table)
    truth = write(tmp_path / "truth.npz", poses, gt=table.keypoints + 1, sizes=np.ones((12, 2)))
    assert_read(open_predictions(truth, table), table, "`prediction_all`")
    elsewhere = write(tmp_path / "input.npz", poses, input_pixels=poses / 4)
    assert_read(open_predictions(elsewhere, table), table, "`prediction_all`")
    both = write(tmp_path / "both.npz", poses, before_nms=poses + 1)
    with pytest.raises(InputError, match="prediction_all.* and .*before_nms.*choose with --key"):
        open_predictions(both, table)
    assert_read(open_predictions(both, table, ArrayOptions("prediction_all")), table)
    with pytest.raises(InputError, match="expected --key out of the arrays .* got 'poses'"):
        open_predictions(both, table, ArrayOptions("poses"))
    symmetric = np.zeros((17, 17, 2)) + 100
    with pytest.raises(InputError, match="N,K,2.* and .*K,N,2.*choose with --axes"):
        open_predictions(symmetric, people_in_sight(make_table, count=17))


def test_the_origin_of_the_annotations_is_taken_where_the_fit_does_not_tell(
    make_table: Make,
) -> None:
    """A method's own bias of some pixels hides it; the options decide."""
    table = people_in_sight(make_table)
    biased = predicted(table) + np.array([2.5, 1.0])
    for layout, origin in (("coco", 0), ("mpii_mat", 1)):
        told = dataclasses.replace(table, layout=layout)
        found = open_predictions(biased, told)
        assert np.allclose(found.predictions.keypoints, biased - origin)
        assert f"from {origin}, as in the annotations; the fit does not tell" in found.notes[1]
        chosen = open_predictions(biased, told, ArrayOptions(origin=1))
        assert np.allclose(chosen.predictions.keypoints, biased - 1)


def test_a_well_known_name_does_not_overrule_the_fit(make_table: Make, tmp_path: Path) -> None:
    """HRNet's `preds` count from 1; somebody else's of that name, which lie on the people, not."""
    table = people_in_sight(make_table)
    file = write(tmp_path / "a.mat", predicted(table), "preds")
    assert_read(open_predictions(file, table), table, "from 0")
    order = np.random.default_rng(3).permutation(17)
    shuffled = write(tmp_path / "c.mat", predicted(table)[:, order], "preds")
    assert_read(open_predictions(shuffled, table), table, "its joints are the nearest ones")
    biased = write(tmp_path / "b.mat", predicted(table) + np.array([2.5, 1.0]), "preds")
    found = open_predictions(biased, table)
    assert "from 1, as its authors write it; the fit does not tell" in found.notes[1]


def test_rows_are_what_their_ids_say(make_table: Make, tmp_path: Path) -> None:
    """Ids of annotations or of images, or names of images, in the file or beside it."""
    table = people_in_sight(make_table)
    names = np.array([f"folder/{n}.jpg".encode() for n in range(12)])
    table = dataclasses.replace(table, file_names=names)
    order = np.random.default_rng(4).permutation(12)[:9]
    poses = predicted(table)[order]
    ids = {"annotation": table.annotation_ids[order], "image": table.image_ids[order]}
    ids["name"] = names[order].astype(str)
    ids["stem"] = np.array([str(n) for n in order])
    for name, values in ids.items():
        file = write(tmp_path / "a.npz", poses, who=values)
        option = "image:who" if name in ("image", "stem") else "who"
        assert_read(open_predictions(file, table, ArrayOptions(ids=option)), table, "of who")
    (tmp_path / "ids.txt").write_text("\n".join(map(str, ids["annotation"])))
    beside = ArrayOptions(ids=str(tmp_path / "ids.txt"))
    assert_read(open_predictions(poses, table, beside), table)
    usual = write(tmp_path / "b.npz", poses, annotation_ids=ids["annotation"])
    assert_read(open_predictions(usual, table), table, "annotation id of annotation_ids")
    with pytest.raises(InputError, match="expected ids or names of .* in who"):
        open_predictions(
            write(tmp_path / "c.npz", poses, who=ids["annotation"] + 99),
            table,
            ArrayOptions(ids="who"),
        )


def test_ids_that_could_be_either_are_a_question(make_table: Make, tmp_path: Path) -> None:
    table = people_in_sight(make_table)
    table = dataclasses.replace(table, annotation_ids=table.image_ids[::-1].copy())
    file = write(tmp_path / "a.npz", predicted(table), who=table.annotation_ids)
    with pytest.raises(InputError, match="write --ids annotation:who or --ids image:who"):
        open_predictions(file, table, ArrayOptions(ids="who"))
    assert_read(open_predictions(file, table, ArrayOptions(ids="annotation:who")), table)


def test_rows_in_another_order_are_a_question(make_table: Make) -> None:
    table = people_in_sight(make_table, count=40)
    shuffled = np.random.default_rng(5).permutation(predicted(table))
    with pytest.raises(InputError, match="the poses fit other people about as well.*--ids"):
        open_predictions(shuffled, table)
    as_told = open_predictions(shuffled, table, ArrayOptions(ids="order"))
    assert np.allclose(as_told.predictions.keypoints, shuffled)


def test_rows_before_columns_are_left_to_the_warning(make_table: Make) -> None:
    """Swapped coordinates are not taken for rows in another order, and are not repaired."""
    table = people_in_sight(make_table, count=40)
    found = open_predictions(predicted(table)[..., ::-1], table)
    assert np.allclose(found.predictions.keypoints, predicted(table)[..., ::-1])
    warnings = validate_predictions(found.predictions, table, ranked_by_oks=False)
    assert any("x and y swapped" in warning for warning in warnings)


def test_nan_is_a_missing_joint_and_scores_have_names(make_table: Make, tmp_path: Path) -> None:
    table = people_in_sight(make_table)
    poses, scores = predicted(table), np.linspace(0, 1, 12)
    poses[3, 5] = np.nan
    file = write(tmp_path / "a.npz", poses, pose_scores=scores, joint_conf=np.full((12, 17), 0.5))
    found = open_predictions(file, table)
    assert found.predictions.keypoints[3, 5].tolist() == [ABSENT, ABSENT]
    assert found.predictions.scores.tolist() == scores.tolist()
    assert (found.predictions.keypoint_scores == 0.5).all()
    said = "\n".join(found.notes)
    assert "joints that are NaN count as wrong: 1" in said
    assert "scores of joints are `joint_conf`, scores of poses are `pose_scores`" in said


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (ArrayOptions(axes="N,K"), "expected --axes as N"),
        (ArrayOptions(axes="NKK2"), "expected --axes as N"),
        (ArrayOptions(axes="K,N,2"), "expected 12 poses of 17 keypoints"),
        (ArrayOptions(origin=2), "expected --origin 0 or 1, got 2"),
        (ArrayOptions(joints="nose,mouth"), "expected --joints of coco17 .* got 'mouth'"),
        (ArrayOptions(joints="nose,nose"), "expected each of --joints once"),
        (ArrayOptions(ids="who"), "expected --ids as the name of an array"),
    ],
)
def test_wrong_options_raise(make_table: Make, options: ArrayOptions, sentence: str) -> None:
    table = people_in_sight(make_table)
    with pytest.raises(InputError, match=sentence):
        open_predictions(predicted(table), table, options)
