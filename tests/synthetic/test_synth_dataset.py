"""Datasets on disk: the same bytes whatever the workers, layouts that other readers understand."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from poselab.cli import main
from poselab.skeletons import COCO17, MPII16
from poselab.structures import InputError
from poselab.synthetic import Settings, dataset, generate, scene
from poselab.synthetic.visibility import POINT_NAMES


def digests(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


@pytest.fixture(scope="module")
def coco_root(tmp_path_factory):
    """A small dataset in which every image has a crowd besides."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scene, "CROWD_SHARE", 1.0)
        root = tmp_path_factory.mktemp("synth") / "coco"
        return generate(root, Settings(24, seed=5, val=6, size=(192, 256)), workers=1)


@pytest.fixture(scope="module")
def mpii_root(tmp_path_factory):
    root = tmp_path_factory.mktemp("synth") / "mpii"
    return generate(root, Settings(30, seed=5, layout="mpii", val=12), workers=1)


def test_any_number_of_workers_writes_the_same_bytes(tmp_path):
    one = generate(tmp_path / "one", Settings(70, seed=3, val=8, size=(128, 128)), workers=1)
    two = generate(tmp_path / "two", Settings(70, seed=3, val=8, size=(128, 128)), workers=2)
    assert digests(one) == digests(two)
    assert len(digests(one)) == 70 + 8 + 3


def test_an_image_depends_on_the_seed_and_its_number_alone():
    settings = Settings(100, 20, 9, "coco", (128, 128), (1, 4))
    together = dataset.render_images(settings, "train", range(6))
    alone = [dataset.render_images(settings, "train", range(n, n + 1))[0] for n in range(6)]
    assert together == alone
    other = dataset.render_images(settings, "val", range(6))
    assert not {jpeg for jpeg, _ in together} & {jpeg for jpeg, _ in other}
    reseeded = dataset.render_images(
        Settings(100, 20, 8, "coco", (128, 128), (1, 4)), "train", range(6)
    )
    assert not {jpeg for jpeg, _ in together} & {jpeg for jpeg, _ in reseeded}


def test_pycocotools_reads_the_coco_layout(coco_root):
    from pycocotools import mask as coco_mask
    from pycocotools.coco import COCO

    coco = COCO(str(coco_root / "annotations/person_keypoints_train2017.json"))
    assert coco.cats[1]["keypoints"] == list(COCO17.keypoints)
    assert coco.cats[1]["skeleton"][0] == [16, 14]
    assert len(coco.imgs) == 24
    crowds = 0
    for annotation in coco.anns.values():
        image = coco.imgs[annotation["image_id"]]
        pixels = cv2.imread(str(coco_root / "train2017" / image["file_name"]))
        assert pixels.shape == (image["height"], image["width"], 3) == (192, 256, 3)
        mask = coco.annToMask(annotation)
        x, y, w, h = annotation["bbox"]
        if annotation["iscrowd"]:
            crowds += 1
            rle = coco.annToRLE(annotation)
            assert coco_mask.toBbox(rle).tolist() == [x, y, w, h]
            assert coco_mask.area(rle) == annotation["area"]
            continue
        assert x >= 0
        assert y >= 0
        assert x + w <= 256
        assert y + h <= 192
        assert 0 < annotation["area"] <= w * h
        if annotation["area"] > 1500:
            assert 0.8 < mask.sum() / annotation["area"] < 1.2
        keypoints = np.reshape(annotation["keypoints"], (17, 3))
        assert (keypoints[keypoints[:, 2] == 0] == 0).all()
        assert (keypoints[:, 2] > 0).sum() == annotation["num_keypoints"]
        shown = keypoints[keypoints[:, 2] == 2]
        assert ((shown[:, :2] >= [x - 0.5, y - 0.5]) & (shown[:, :2] <= [x + w, y + h])).all()
    assert crowds > 10


def test_both_layouts_have_the_same_heads(tmp_path):
    """The same seed makes the same people; the COCO layout adds a key to what MPII always has."""
    from poselab.annotations import open_annotations

    settings = Settings(8, seed=2, size=(128, 128))
    made = {
        name: generate(tmp_path / name, replace(settings, layout=name), workers=1)
        for name in ("coco", "mpii")
    }
    coco = open_annotations(made["coco"] / "annotations/person_keypoints_train2017.json")
    mpii = open_annotations(made["mpii"] / "annotations/mpii_human_pose_v1_u12_1.mat")
    assert (coco.head_boxes[~coco.crowd, 2:] > 0).all()
    assert not coco.head_boxes[coco.crowd].any()
    wrist = [table.skeleton.index("left_wrist") for table in (coco, mpii)]
    known = [table.visibility[:, k] > 0 for table, k in zip((coco, mpii), wrist, strict=True)]
    places = [
        np.column_stack([table.keypoints[seen, k], table.head_boxes[seen]])
        for table, seen, k in zip((coco, mpii), known, wrist, strict=True)
    ]
    assert len(places[0]) > 8
    np.testing.assert_allclose(places[0], places[1], atol=1e-9)


def test_no_image_or_annotation_id_is_used_twice(coco_root):
    documents = [
        json.loads((coco_root / f"annotations/person_keypoints_{split}2017.json").read_bytes())
        for split in ("train", "val")
    ]
    for kind in ("images", "annotations"):
        ids = [record["id"] for document in documents for record in document[kind]]
        assert len(ids) == len(set(ids)) > 0
        assert min(ids) >= 1


def test_community_mpii_json_and_evaluation_ground_truth_agree(mpii_root):
    from scipy.io import loadmat

    instances = json.loads((mpii_root / "annotations/valid.json").read_bytes())
    ground_truth = loadmat(mpii_root / "annotations/gt_valid.mat")
    assert np.where(ground_truth["dataset_joints"] == "head")[1][0] == MPII16.index("head_top")
    assert ground_truth["pos_gt_src"].shape == (16, 2, len(instances))
    assert ground_truth["headboxes_src"].shape == (2, 2, len(instances))
    for row, person in enumerate(instances):
        labelled = np.array(person["joints_vis"]) == 1
        assert (ground_truth["jnt_missing"][:, row] == ~labelled).all()
        joints = np.array(person["joints"])
        assert (joints[~labelled] == -1).all()
        np.testing.assert_allclose(
            ground_truth["pos_gt_src"][labelled, :, row], joints[labelled], atol=0.006
        )
        assert (mpii_root / "images" / person["image"]).exists()
        first, last = ground_truth["headboxes_src"][..., row]
        assert (last > first).all()


def test_mpii_counts_pixels_from_one(mpii_root):
    settings = Settings(30, 12, 5, "mpii", (256, 256), (1, 4))
    labels = [row for _, row in dataset.render_images(settings, "train", range(30))]
    points = [person["points"] for row in labels for person in row["instances"]]
    instances = json.loads((mpii_root / "annotations/train.json").read_bytes())
    assert len(points) == len(instances) > 30
    knee = MPII16.index("left_knee")
    for named, person in zip(points, instances, strict=True):
        x, y, visibility = named[POINT_NAMES.index("left_knee")]
        if visibility:
            assert person["joints"][knee] == pytest.approx([x + 1, y + 1], abs=0.011)


def test_the_official_matlab_nesting_reads_back(mpii_root):
    from scipy.io import loadmat

    release = loadmat(mpii_root / "annotations/mpii_human_pose_v1_u12_1.mat")["RELEASE"][0, 0]
    assert release["annolist"].shape == release["img_train"].shape == (1, 42)
    instances = json.loads((mpii_root / "annotations/train.json").read_bytes())
    found = []
    for image in release["annolist"][0]:
        name = str(image["image"][0, 0]["name"][0])
        assert (mpii_root / "images" / name).exists()
        for person in image["annorect"][0] if image["annorect"].size else ():
            points = person["annopoints"][0, 0]["point"][0]
            joints = {int(p["id"].item()): (p["x"].item(), p["y"].item()) for p in points}
            centre = person["objpos"][0, 0]
            found.append((name, joints, person["scale"].item(), centre["x"].item()))
            assert person["x2"].item() > person["x1"].item()
    assert len(found) > len(instances)
    for person, (name, joints, scale, x) in zip(instances, found, strict=False):
        assert (person["image"], person["scale"], person["center"][0]) == (name, scale, x)
        labelled = [k for k, v in enumerate(person["joints_vis"]) if v]
        assert labelled == sorted(joints)
        for row in labelled:
            assert joints[row] == pytest.approx(person["joints"][row], abs=0.006)


def test_an_interrupted_call_is_resumed(tmp_path, monkeypatch):
    whole = generate(tmp_path / "whole", Settings(80, seed=1, size=(96, 96)), workers=1)
    draw, done = dataset.render_chunk, []

    def render_one(out, settings, chunk):
        if done:
            raise KeyboardInterrupt
        done.append(chunk)
        return draw(out, settings, chunk)

    monkeypatch.setattr(dataset, "render_chunk", render_one)
    with pytest.raises(KeyboardInterrupt):
        generate(tmp_path / "part", Settings(80, seed=1, size=(96, 96)), workers=1)
    assert not (tmp_path / "part/annotations").exists()
    again = []
    monkeypatch.setattr(dataset, "render_chunk", lambda *a: (again.append(a[2]), draw(*a))[1])
    part = generate(tmp_path / "part", Settings(80, seed=1, size=(96, 96)), workers=1)
    assert done[0] not in again
    assert digests(part) == digests(whole)


def test_a_finished_dataset_returns_at_once_and_a_lost_image_comes_back(tmp_path, monkeypatch):
    root = generate(tmp_path / "data", Settings(4, val=2, size=(96, 96)), workers=1)
    before = digests(root)
    (root / "train2017/000000000003.jpg").unlink()
    generate(root, Settings(4, val=2, size=(96, 96)), workers=1)
    assert digests(root) == before
    monkeypatch.setattr(dataset, "render_chunk", None)
    assert generate(root, Settings(4, val=2, size=(96, 96)), workers=1) == root


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": 0}, "1 or more images"),
        ({"val": -1}, "0 or more validation"),
        ({"seed": -1}, "a seed of 0"),
        ({"seed": 2**63}, r"below 2\^63"),
        ({"layout": "lsp"}, "a layout out of coco, mpii"),
        ({"size": (8, 256)}, "64 to 2048"),
        ({"instances_per_image": (3, 1)}, "the minimum first"),
        ({"workers": 0}, "1 or more workers"),
    ],
)
def test_bad_arguments_are_one_sentence(tmp_path, change, message):
    values = {"images": 2, **change}
    workers = values.pop("workers", 1)
    with pytest.raises(InputError, match=message) as caught:
        generate(tmp_path / "x", Settings(**values), workers)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "x").exists()


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="expected an empty folder"):
        generate(tmp_path, Settings(2))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_other_settings_are_an_error(tmp_path):
    generate(tmp_path / "a", Settings(2, size=(64, 64)), workers=1)
    with pytest.raises(InputError, match="found seed 0"):
        generate(tmp_path / "a", Settings(2, size=(64, 64), seed=1), workers=1)


def test_the_command_makes_a_dataset_and_says_where(tmp_path, capsys):
    words = [
        "data",
        "synth",
        str(tmp_path / "d"),
        "--images",
        "4",
        "--val",
        "0.5",
        "--size",
        "64x96",
    ]
    assert main([*words, "--instances-per-image", "1-2", "--format", "coco", "--workers", "1"]) == 0
    out, err = capsys.readouterr()
    assert out.strip() == f"data: {tmp_path / 'd'}"
    assert err.startswith("generating images of people: ")  # no terminal that a bar could move on
    assert err.split()[-1].endswith("/6")
    assert len(list((tmp_path / "d/val2017").iterdir())) == 2
    assert cv2.imread(str(tmp_path / "d/train2017/000000000001.jpg")).shape == (64, 96, 3)


@pytest.mark.parametrize(
    ("option", "word", "sentence"),
    [
        ("--size", "big", "expected --size to be a whole number from 0 up, got 'big'"),
        ("--size", "64x", "expected --size to be a whole number from 0 up, got ''"),
        ("--size", "10x10", "expected a height and a width of 64 to 2048 pixels, got (10, 10)"),
        ("--val", "much", "expected --val to be a number from 0 to 1, got 'much'"),
        ("--images", "0", "expected --images to be a whole number from 1 up, got 0"),
        ("--images", "9" * 12, "expected 1 or more images, below 100000001, got"),
        ("--turn", "181", "expected --turn to be a number from 0 to 180, got 181"),
        ("--instances-per-image", "4-1", "expected 0 to 30 people per image, the minimum first"),
        ("--format", "lsp", "invalid choice"),
    ],
)
def test_a_word_that_makes_no_dataset_is_one_sentence(tmp_path, capsys, option, word, sentence):
    assert main(["data", "synth", str(tmp_path / "e"), option, word]) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "e").exists()


def test_a_dataset_may_have_no_people(tmp_path):
    root = generate(
        tmp_path / "d", Settings(3, instances_per_image=(0, 0), size=(64, 64)), workers=1
    )
    document = json.loads((root / "annotations/person_keypoints_train2017.json").read_bytes())
    assert len(document["images"]) == 3
    mpii = generate(
        tmp_path / "m", Settings(3, layout="mpii", instances_per_image=(0, 0)), workers=1
    )
    assert json.loads((mpii / "annotations/train.json").read_bytes()) == []
