"""``poselab data check`` names what is broken, says how to get it, and exits accordingly."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from coco_labels import coco, person
from image_kinds import photo, pixel_bomb
from scipy.io import savemat

from poselab.annotations import check, open_annotations
from poselab.cli import main


def good(number, image_id):
    """A person without anything to complain about in a 100 × 120 image."""
    return person(number, image_id)


@pytest.fixture
def root(tmp_path):
    """A whole dataset in the official COCO layout."""
    folder = tmp_path / "coco"
    (folder / "annotations").mkdir(parents=True)
    for split in ("train", "val"):
        (folder / f"{split}2017").mkdir()
        content = coco([good(1, 10), good(2, 20)])
        (folder / f"annotations/person_keypoints_{split}2017.json").write_text(json.dumps(content))
        for image in content["images"]:
            noise = np.random.default_rng(image["id"]).integers(0, 255, (100, 120, 3), np.uint8)
            cv2.imwrite(str(folder / f"{split}2017" / image["file_name"]), noise)
    return folder


def checked(capsys, *words):
    status = main(["data", "check", *map(str, words)])
    printed = capsys.readouterr()
    return status, " ".join((printed.out + printed.err).split())


def test_a_whole_data_set_is_clean(root, capsys):
    status, printed = checked(capsys, root)
    assert status == 0
    assert "nothing is missing or broken" in printed
    assert "COCO train2017" in printed
    assert "person_keypoints_val2017.json" in printed


def break_truncated(root):
    file = root / "train2017/002.jpg"
    file.write_bytes(file.read_bytes()[:-3000])


def break_nonimage(root):
    (root / "train2017/002.jpg").write_text("hello")


def break_missing(root):
    (root / "train2017/002.jpg").unlink()


def break_size(root):
    cv2.imwrite(str(root / "train2017/002.jpg"), np.zeros((90, 120, 3), np.uint8))


def break_annotations(root):
    file = root / "annotations/person_keypoints_train2017.json"
    file.write_text(file.read_text()[:100])


def break_split(root):
    (root / "annotations/person_keypoints_val2017.json").unlink()


def break_folder(root):
    (root / "val2017").rename(root / "elsewhere")


@pytest.mark.parametrize(
    ("breaking", "sentence"),
    [
        (
            break_truncated,
            "002.jpg, found a file that cannot be decoded to its end (image file is truncated",
        ),
        (
            break_nonimage,
            "002.jpg, found a file that cannot be decoded to its end (it is not one); fetch it",
        ),
        (
            break_missing,
            "train2017/002.jpg is missing ('002.jpg' of the annotations joined to the folder",
        ),
        (break_size, "002.jpg is 120 × 90 pixels, annotated as 120 × 100"),
        (break_annotations, "expected JSON in"),
        (break_split, "val2017.json is missing; get it from http://images.cocodataset.org/annot"),
        (break_folder, "val2017 is missing; unpack http://images.cocodataset.org/zips/val2017.zip"),
    ],
)
def test_what_breaks_training_exits_1_and_says_what_to_do(root, capsys, breaking, sentence):
    breaking(root)
    status, printed = checked(capsys, root)
    assert status == 1
    assert printed.count("error: ") == 1
    assert sentence in printed


def test_quick_does_not_decode_but_finds_the_missing(root, capsys):
    break_truncated(root)
    assert checked(capsys, root, "--quick")[0] == 0
    break_missing(root)
    assert checked(capsys, root, "--quick")[0] == 1


def test_a_folder_of_nothing_and_no_folder_say_where_to_get_data(tmp_path, capsys):
    for folder in (tmp_path, tmp_path / "none"):
        status, printed = checked(capsys, folder)
        assert status == 1
        assert "http://images.cocodataset.org/zips/train2017.zip" in printed
        assert "mpii_human_pose_v1.tar.gz" in printed


def test_mpii_is_recognised_and_its_missing_half_named(tmp_path, capsys):
    (tmp_path / "images").mkdir()
    (tmp_path / "annotations").mkdir()
    entry = {"image": "1.png", "joints": [[5, 6]] * 16, "joints_vis": [1] * 16}
    entries = [entry | {"center": [50, 50], "scale": 1.0}]
    (tmp_path / "annotations/valid.json").write_text(json.dumps(entries))
    cv2.imwrite(str(tmp_path / "images/1.png"), np.zeros((100, 100, 3), np.uint8))
    status, printed = checked(capsys, tmp_path)
    assert status == 1
    assert "train.json is missing; get it from https://datasets.d2.mpi-inf.mpg.de" in printed
    (tmp_path / "annotations/train.json").write_text(json.dumps(entries))
    assert checked(capsys, tmp_path)[0] == 0


@pytest.fixture
def lsp(tmp_path):
    """LSP Extended: the joints of 12 people, the images of two of them."""
    (tmp_path / "images").mkdir()
    joints = np.random.default_rng(0).uniform(1, 90, (14, 3, 12))
    joints[:, 2] = 1
    savemat(tmp_path / "joints.mat", {"joints": joints})
    for number in (3, 5):
        cv2.imwrite(str(tmp_path / f"images/im{number:05d}.jpg"), np.zeros((100, 100, 3), np.uint8))
    return tmp_path


def test_lsp_is_recognised_by_its_joints_and_checked_as_it_is_trained(lsp, capsys):
    status, printed = checked(capsys, lsp)
    assert status == 0
    assert "MPII" not in printed
    assert "lsp14" in printed
    assert "images lacks 10 of 12 annotated images, which training leaves out" in printed
    (lsp / "images/im00003.jpg").write_bytes(b"no image")
    status, printed = checked(capsys, lsp)
    assert status == 1
    assert "im00003.jpg, found a file that cannot be decoded" in printed


def test_lsp_without_any_image_is_an_error(lsp, capsys):
    for file in (lsp / "images").iterdir():
        file.unlink()
    status, printed = checked(capsys, lsp)
    assert status == 1
    assert "lacks 12 of 12 annotated images; fetch those" in printed
    (lsp / "images").rmdir()
    status, printed = checked(capsys, lsp)
    assert status == 1
    assert "images is missing; unpack http://sam.johnson.io/research/lspet.html" in printed


def test_a_matlab_file_of_nothing_known_leaves_the_folder_to_the_others(tmp_path, capsys):
    (tmp_path / "images").mkdir()
    savemat(tmp_path / "joints.mat", {"other": np.zeros(3)})
    status, printed = checked(capsys, tmp_path)
    assert status == 1
    assert "train.json is missing" in printed


def test_a_single_file_with_images_elsewhere(root, capsys):
    file = root / "annotations/person_keypoints_train2017.json"
    assert checked(capsys, file)[0] == 0
    assert checked(capsys, file, "--images", root / "val2017")[0] == 0
    assert checked(capsys, file, "--images", root / "annotations")[0] == 1
    assert checked(capsys, file, "--images", root / "nowhere")[0] == 1


def test_an_unknown_dataset_is_an_error(root, capsys):
    status, printed = checked(capsys, root, "--layout", "mpi")
    assert status == 1
    assert (
        "expected a dataset out of coco, cvat, flic, lsp, mpii, parse, roboflow, got 'mpi'"
        in printed
    )


ODD = {
    "its box has no area": {"bbox": [10, 20, 0, 30]},
    "lies outside the image": {"keypoints": [119.6, 50, 2] * 17, "num_keypoints": 17},
    "num_keypoints is not the number": {"num_keypoints": 1},
}


@pytest.mark.parametrize("sentence", ODD)
def test_oddities_are_warnings_about_the_guilty_alone(write, capsys, sentence):
    path = write(coco([good(1, 10), person(2, 20, **ODD[sentence])]))
    (problem,) = check.annotation_problems(open_annotations(path))
    assert (problem.file, problem.row, problem.severity) == (str(path), 1, "warning")
    assert problem.sentence.startswith("annotation 2: ")
    assert sentence in problem.sentence
    status, printed = checked(capsys, path)
    assert status == 0
    assert f"warning: {path} annotation 2" in printed


def test_a_keypoint_on_the_last_pixel_is_inside(write):
    edge = person(1, 10, keypoints=[119.5, 99.5, 2] * 17, num_keypoints=17)
    assert check.annotation_problems(open_annotations(write(coco([edge])))) == []


def test_images_listed_again_are_reported(write):
    content = coco([good(1, 10)])
    content["images"] *= 2
    (problem,) = check.annotation_problems(open_annotations(write(content)))
    assert problem.sentence.startswith("3 entries list an image again")


def renamed(root, rename):
    """Give every image of the training split another name in its annotations."""
    file = root / "annotations/person_keypoints_train2017.json"
    content = json.loads(file.read_text())
    for image in content["images"]:
        image["file_name"] = rename(image["file_name"])
    file.write_text(json.dumps(content))


def test_one_name_that_leaves_the_folder_is_one_finding(root, capsys):
    renamed(root, lambda name: "../val2017/002.jpg" if name == "002.jpg" else name)
    (root / "train2017/003.jpg").unlink()
    status, printed = checked(capsys, root)
    assert status == 1
    assert printed.count("error: ") == 2
    assert "which leaves it" in printed
    assert "003.jpg is missing" in printed


def test_absolute_names_are_used_where_the_user_permits_them(root, capsys):
    renamed(root, lambda name: str(root / "train2017" / name))
    status, printed = checked(capsys, root)
    assert status == 1
    assert "of the annotations joined to the folder of images" in printed
    assert "--outside-images" in printed
    assert checked(capsys, root, "--outside-images")[0] == 0


def test_windows_folders_are_folders(root, capsys):
    (root / "train2017" / "sub").mkdir()
    for file in list((root / "train2017").glob("*.jpg")):
        file.rename(file.parent / "sub" / file.name)
    renamed(root, lambda name: f"sub\\{name}")
    assert checked(capsys, root)[0] == 0
    renamed(root, lambda name: f"..\\train2017\\{name}")
    status, printed = checked(capsys, root)
    assert status == 1
    assert "which leaves it" in printed


def test_one_of_several_categories_is_checked(root, capsys):
    file = root / "annotations/person_keypoints_train2017.json"
    content = json.loads(file.read_text())
    content["categories"].append({"id": 2, "name": "card", "keypoints": ["a", "b"]})
    card = {"id": 9, "image_id": 30, "category_id": 2, "keypoints": [1, 2, 2, 3, 4, 2]}
    content["annotations"].append(card | {"bbox": [1, 2, 3, 4], "area": 9})
    file.write_text(json.dumps(content))
    status, printed = checked(capsys, file)
    assert status == 1
    assert "card" in printed
    status, printed = checked(capsys, file, "--category", "card")
    assert status == 0
    assert "custom2" in printed


def test_photos_with_an_orientation_tag_are_counted(root, capsys):
    upright = np.random.default_rng(0).integers(0, 255, (100, 120, 3), np.uint8)
    folder = root / "train2017"
    (folder / "001.jpg").write_bytes(photo(6, upright))
    (folder / "002.jpg").write_bytes(photo(8, np.rot90(upright)))  # stored as annotated
    (folder / "003.jpg").write_bytes(photo(3, upright))
    status, printed = checked(capsys, root)
    assert status == 0
    assert (
        "COCO train2017: 3 of 3 images carry an orientation tag: 2 are turned upright, 1 kept as "
        "stored, which their annotated size fits; the size of 1 turned ones is the same" in printed
    )
    assert "COCO val2017: " not in printed
    (folder / "001.jpg").write_bytes(photo(6, upright[:90]))
    status, printed = checked(capsys, root)
    assert status == 1
    assert "001.jpg is 120 × 90 pixels, annotated as 120 × 100" in printed


def test_each_impossible_image_is_one_finding(root, capsys):
    folder = root / "train2017"
    (folder / "001.jpg").write_bytes(pixel_bomb())
    (folder / "002.jpg").unlink()
    (folder / "002.jpg").mkdir()
    (folder / "003.jpg").write_bytes(b"\xff\xd8\xff\xd9")
    status, printed = checked(capsys, root)
    assert status == 1
    assert printed.count("error: ") == 3
    assert "found a folder" in printed
    assert "million pixels" in printed
