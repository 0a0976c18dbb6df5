"""Copies of images are found whatever was done to them; different images are not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from coco_labels import coco, images, person
from PIL import Image, ImageEnhance

from poselab.annotations import open_annotations
from poselab.cli import main
from poselab.datasets.leaks.image_hashes import ImageHashes, hash_images
from poselab.datasets.leaks.shared_images import (
    LEAK_KINDS,
    Leak,
    confirm,
    correlation,
    count_shared_images,
    near_hashes,
    same_keypoints,
    strongest,
)

Data = Callable[[str], Path]


def scanned(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, *words: Any
) -> tuple[int, Any, str]:
    """Exit status, the pairs written, everything printed."""
    out = tmp_path / "leaks.json"
    out.unlink(missing_ok=True)
    status = main(["data", "leaks", *map(str, words), "--json", str(out)])
    printed = capsys.readouterr()
    content = json.loads(out.read_text()) if out.exists() else None
    return status, content, " ".join((printed.out + printed.err).split())


def test_different_images_share_nothing(clean: Path, tmp_path: Path, capsys: Any) -> None:
    status, content, printed = scanned(capsys, tmp_path, clean, "--sheet", tmp_path / "sheet.png")
    assert (status, content["pairs"]) == (0, [])
    assert "nothing shared by 12 training and 8 evaluation images" in printed
    assert not (tmp_path / "sheet.png").exists()


def again(image: Image.Image) -> Image.Image:
    return image


def half(image: Image.Image) -> Image.Image:
    return image.resize((image.width // 2, image.height // 2))


def cropped(image: Image.Image) -> Image.Image:
    x, y = image.width // 40, image.height // 40
    return image.crop((x, y, image.width - x, image.height - y))


def brightened(image: Image.Image) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(1.25)


def flipped(image: Image.Image) -> Image.Image:
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


CHANGES = [again, half, cropped, brightened, flipped]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_changed_copy_is_found(
    root: Path, tmp_path: Path, capsys: Any, change: Callable[[Image.Image], Image.Image]
) -> None:
    train, val = images(root, "train"), images(root, "val")
    for n in (0, 3, 5):
        change(Image.open(train[n])).save(val[n], quality=60)
    status, content, printed = scanned(capsys, tmp_path, root, "--sheet", tmp_path / "sheet.png")
    kind = "flipped" if change is flipped else "near duplicate"
    found = {(pair["train"], pair["val"], pair["kind"]) for pair in content["pairs"]}
    assert found == {(train[n].name, val[n].name, kind) for n in (0, 3, 5)}
    assert status == 1
    assert f"3 evaluation images shared (3 {kind}), of 12 training and 8" in printed
    height, width = cv2.imread(str(tmp_path / "sheet.png")).shape[:2]
    assert height > 160
    assert width > 3 * 2 * 160


def test_the_same_file_is_reported_as_such(root: Path, tmp_path: Path, capsys: Any) -> None:
    shutil.copy(images(root, "train")[7], images(root, "val")[2])
    _, content, printed = scanned(capsys, tmp_path, root)
    (pair,) = content["pairs"]
    assert (pair["kind"], pair["distance"], pair["correlation"]) == ("same file", 0, 1.0)
    assert pair["train"] == images(root, "train")[7].name
    assert "shared (1 same file)" in printed


def test_missing_and_broken_images_are_counted_and_named(
    root: Path, tmp_path: Path, capsys: Any
) -> None:
    train = images(root, "train")
    train[0].unlink()
    train[1].write_bytes(train[1].read_bytes()[:-2000])
    train[2].write_text("hello")
    status, content, printed = scanned(capsys, tmp_path, root)
    assert status == 0
    assert "3 of 12 training images were not compared (1 missing, 2 broken)" in printed
    assert "evaluation images, 3 of which could not be compared" in printed
    unread = content["train"]["unread"]
    assert [Path(name) for name in unread] == train[:3]
    assert unread[str(train[0])] == "is missing"
    assert "truncated" in unread[str(train[1])]
    assert unread[str(train[2])] == "cannot be decoded (not an image)"


def test_annotations_alone_show_the_same_people(write: Any, tmp_path: Path, capsys: Any) -> None:
    first = write(coco([person(1, 10), person(2, 20)]), "train.json")
    second = write(coco([person(3, 10), person(2, 30, id=9)]), "val.json")
    leaks = list(same_keypoints(open_annotations(first), open_annotations(second)))
    assert leaks == [Leak(1, 2, "same keypoints")]
    status, content, printed = scanned(capsys, tmp_path, first, second)
    assert (status, content["compared"]) == (1, "annotations")
    assert "annotations alone were compared" in printed
    few = {"keypoints": [5.0, 5.0, 2] * 2 + [0.0] * 45, "num_keypoints": 2}
    tables = [
        open_annotations(write(coco([person(1, 10), person(2, 20, **few)]), f"{name}.json"))
        for name in ("c", "d")
    ]
    assert list(same_keypoints(*tables)) == [Leak(0, 0, "same keypoints")]


def test_files_with_images_elsewhere(root: Path, tmp_path: Path, capsys: Any) -> None:
    shutil.copy(images(root, "train")[1], images(root, "val")[1])
    labels = [root / f"annotations/person_keypoints_{split}2017.json" for split in ("train", "val")]
    for words in ([], ["--images", root / "train2017", root / "val2017"]):
        status, content, _ = scanned(capsys, tmp_path, *labels, *words)
        assert (status, len(content["pairs"])) == (1, 1)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["{root}/annotations/person_keypoints_val2017.json"],
            "expected VAL beside the annotation",
        ),
        (["{root}/train2017"], "expected annotations of a training and a validation split under"),
        (["{root}", "--images", "nowhere"], "expected a folder of images at nowhere"),
        (["{root}", "--images", "a", "b", "c"], "expected one or two folders"),
    ],
)
def test_wrong_arguments_are_one_sentence(
    clean: Path, tmp_path: Path, capsys: Any, words: list[str], sentence: str
) -> None:
    status, _, printed = scanned(capsys, tmp_path, *(word.format(root=clean) for word in words))
    assert status == 1
    assert sentence in printed


def test_distances_of_known_hashes() -> None:
    def known(*hashes: int) -> ImageHashes:
        words = np.array(hashes, dtype=np.uint64)
        rows = np.arange(len(words)) * 10
        return ImageHashes(rows, np.zeros((len(words), 2), np.uint64), words, ~words, {})

    full = 2**64 - 1
    train, val = known(0b0, 0b1111, 1 << 63), known(0b1, full)
    found = set(near_hashes(train, val, distance=3))
    assert found == {
        Leak(0, 0, "near duplicate", 1),
        Leak(10, 0, "near duplicate", 3),
        Leak(20, 0, "near duplicate", 2),
        Leak(0, 10, "flipped", 0),
        Leak(20, 10, "flipped", 1),
    }


def test_the_surest_kind_of_a_pair_stays() -> None:
    leaks = [Leak(0, 0, kind) for kind in reversed(LEAK_KINDS)] + [
        Leak(1, 0, "near duplicate", 2, 0.95)
    ]
    assert strongest(leaks) == [Leak(0, 0, "same file"), Leak(1, 0, "near duplicate", 2, 0.95)]


def test_images_without_contrast_correlate_with_none() -> None:
    flat, noise = np.full((64, 64), 9.0), np.random.default_rng(0).uniform(0, 255, (64, 64))
    assert correlation(flat, flat) == correlation(flat, noise) == 0
    assert correlation(noise, noise) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("few", [100, 0])
def test_shared_images_counted_at_the_start_of_a_training(
    root: Path, monkeypatch: Any, few: int
) -> None:
    """Small sets by content; others by name, confirm by content."""
    monkeypatch.setattr("poselab.datasets.leaks.shared_images._FEW", few)
    train, val = images(root, "train"), images(root, "val")
    shutil.copy(train[9], val[0])
    train[1].unlink()
    count, how = count_shared_images(train, val)
    assert (count, how) == (
        (1, "content of the files") if few else (0, "content of the files that share a name")
    )
    for n in (2, 3):
        shutil.copy(train[n], val[n].with_name(train[n].name))
    renamed = [val[n].with_name(train[n].name) for n in (2, 3)]
    assert count_shared_images(train, [*renamed, *val[4:]])[0] == 2
    assert count_shared_images(train, train[4:])[0] == 8  # one folder for both


def test_real_splits_share_nothing_until_copies_are_planted(
    shared_data: Data, tmp_path: Path, capsys: Any
) -> None:
    source = shared_data("coco/annotations").parent
    status, content, printed = scanned(capsys, tmp_path, source)
    assert (status, content["pairs"]) == (0, [])
    assert "90 training and 113 evaluation images" in printed
    root = tmp_path / "planted"
    root.mkdir()
    (root / "train2017").symlink_to(source / "train2017")
    (root / "annotations").symlink_to(source / "annotations")
    (root / "val2017").mkdir()
    train, val = images(source, "train"), images(source, "val")
    expected = set()
    for n, file in enumerate(val):
        target = root / "val2017" / file.name
        change = CHANGES[n % len(CHANGES)]
        if n < 40:
            change(Image.open(train[n]).convert("RGB")).save(target, quality=50)
            expected.add((train[n].name, file.name))
        else:
            target.symlink_to(file)
    _, content, _ = scanned(capsys, tmp_path, root)
    assert {(pair["train"], pair["val"]) for pair in content["pairs"]} == expected


def test_three_known_copies_in_leeds_sports_poses(shared_data: Data) -> None:
    """Images that the dataset holds twice, on either side of a split by number; seen by eye."""
    folder = shared_data("lspet/images")
    copies = [("im04433", "im09130"), ("im00457", "im09410"), ("im03249", "im09545")]
    train, val = ([f"{name}.jpg" for name in side] for side in zip(*copies, strict=True))
    names = sorted(file.name for file in folder.iterdir())
    train, val = train + names[:100], val + names[-100:]
    sides = []
    for side in (train, val):
        *_, taken = hash_images(folder, side, cached=False)
        assert isinstance(taken, ImageHashes)
        sides.append(taken)
    files = [[folder / name for name in side] for side in (train, val)]
    found = [leak for leak in confirm(near_hashes(*sides), *files) if leak is not None]
    assert {(leak.train, leak.val, leak.kind) for leak in found} == {
        (n, n, "near duplicate") for n in range(3)
    }
