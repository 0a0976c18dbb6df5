"""Samples depend on seed, epoch and index alone, and their labels follow the image."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from pycocotools import mask

from poselab import geometry
from poselab.annotations.formats.detections import read_detections
from poselab.data import Augment, PersonCrop, PoseData, PoseDataset, WholeImage
from poselab.data.boxes import detected_instances, labelled_instances
from poselab.data.datamodule import EpochSampler
from poselab.datasets import coco
from poselab.datasets.base import DatasetFiles, Split
from poselab.structures import InputError, Sample

CROP, WHOLE = PersonCrop((128, 96)), WholeImage((128, 128), max_instances=6)


def same(a: Sample, b: Sample) -> bool:
    flat_a, flat_b = (torch.utils._pytree.tree_leaves(x) for x in (a, b))
    return all(
        np.array_equal(np.asarray(x), np.asarray(y)) for x, y in zip(flat_a, flat_b, strict=True)
    )


@pytest.mark.parametrize("framing", [CROP, WHOLE], ids=["person", "whole"])
def test_a_sample_depends_on_seed_epoch_and_index_only(split: Split, framing: PersonCrop) -> None:
    samples = PoseDataset(split, framing, Augment(half_body=0.5), seed=1)
    first = samples[(2, 5)]
    assert same(first, PoseDataset(split, framing, Augment(half_body=0.5), seed=1)[(2, 5)])
    assert not same(first, samples[(3, 5)])
    assert not same(first, PoseDataset(split, framing, Augment(half_body=0.5), seed=2)[(2, 5)])


@pytest.mark.parametrize("framing", [CROP, WHOLE], ids=["person", "whole"])
def test_a_batch_is_its_samples(split: Split, framing: PersonCrop) -> None:
    import albumentations

    augment = Augment(half_body=0.5, pixels=(albumentations.ColorJitter(p=1.0),))
    samples = PoseDataset(split, framing, augment)
    keys = [(1, 3), (0, 7), (1, 3), (2, 0)]
    batch = samples.__getitems__(keys)
    assert all(same(a, samples[key]) for a, key in zip(batch, keys, strict=True))


def test_workers_change_nothing(root: Path) -> None:
    def epochs(workers: int) -> list[Sample]:
        data = PoseData(coco.files(root), batch_size=8, workers=workers)
        data.set_transforms(CROP, Augment(), seed=5)
        loader = data.train_dataloader()
        batches = []
        for epoch in range(2):
            loader.sampler.set_epoch(epoch)
            batches += list(loader)
        return batches

    alone, helped = epochs(0), epochs(2)
    assert len(alone) == len(helped) > 4
    assert all(same(a, b) for a, b in zip(alone, helped, strict=True))
    assert not torch.equal(alone[0].image, alone[len(alone) // 2].image)


def test_collating_keeps_the_type_and_adds_the_batch(root: Path) -> None:
    data = PoseData(coco.files(root), batch_size=4, workers=0)
    data.set_transforms(WHOLE, Augment(), seed=0)
    batch = next(iter(data.val_dataloader()))
    assert type(batch) is Sample
    assert batch.image.shape == (4, 3, 128, 128)
    assert batch.image.dtype == torch.uint8
    assert batch.keypoints.shape == (4, 6, 17, 2)
    assert batch.loss_mask.shape == (4, 128, 128)
    assert batch.frame.to_image.shape == (4, 2, 3)


def test_labels_go_back_to_the_image_through_the_frame(split: Split) -> None:
    samples, table = PoseDataset(split, CROP), split.annotations
    for index in range(len(samples)):
        sample, person = samples[index], samples.items.person[index]
        seen = sample.visibility[0] > 0
        back = geometry.apply(sample.frame.to_image.astype(float), sample.keypoints[0])
        np.testing.assert_allclose(back[seen], table.keypoints[person][seen], atol=1e-3)
        assert sample.frame.annotation_id == table.annotation_ids[person]


def test_flipped_samples_swap_left_and_right_by_name(split: Split) -> None:
    plain = PoseDataset(split, CROP)[0]
    only_flip = Augment(flip=1.0, scale=0.0, degrees=0.0)
    flipped = PoseDataset(split, CROP, only_flip)[(0, 0)]
    left, right = (split.annotations.skeleton.index(f"{s}_shoulder") for s in ("left", "right"))
    expected = plain.keypoints[0, left] * (-1, 1) + (CROP.size[1] - 1, 0)
    np.testing.assert_allclose(flipped.keypoints[0, right], expected, atol=1e-4)
    np.testing.assert_array_equal(flipped.image, plain.image[:, :, ::-1])


def test_keypoints_outside_the_input_keep_their_place_and_visibility(split: Split) -> None:
    samples, table = PoseDataset(split, replace(CROP, padding=0.5)), split.annotations
    outside = 0
    for index in range(len(samples)):
        sample, person = samples[index], samples.items.person[index]
        np.testing.assert_array_equal(sample.visibility[0], table.visibility[person])
        seen = sample.visibility[0] > 0
        back = geometry.apply(sample.frame.to_image.astype(float), sample.keypoints[0])
        np.testing.assert_allclose(back[seen], table.keypoints[person][seen], atol=1e-3)
        inside = ((sample.keypoints[0] >= -0.5) & (sample.keypoints[0] <= (95.5, 127.5))).all(-1)
        outside += int((seen & ~inside).sum())
    assert outside > 20


def test_the_loss_mask_leaves_out_crowds(split: Split) -> None:
    table = split.annotations
    crowds = np.flatnonzero(table.crowd)
    assert len(crowds), "the generated data must hold a crowd for this test to mean anything"
    image = int(table.image_of()[crowds[0]])
    samples = PoseDataset(split, WHOLE)
    loss_mask = samples[image].loss_mask
    size = [int(side) for side in table.sizes[image]]
    region = mask.decode({"size": size, "counts": table.mask(int(crowds[0]))})
    inside = np.argwhere(cv2.erode(region, np.ones((3, 3), np.uint8)))[::7, ::-1].astype(float)
    assert len(inside) > 10
    matrix = WHOLE.matrix(WHOLE.area(samples.items.boxes[image]))
    columns, rows = geometry.apply(matrix, inside).round().astype(int).T
    assert (loss_mask[rows, columns] == 0).all()
    assert 0 < (loss_mask == 0).mean() < 0.5


def test_pixel_augmentation_moves_nothing_and_is_seeded(split: Split) -> None:
    import albumentations

    pixels = (albumentations.ColorJitter(p=1.0),)
    still = Augment(flip=0, scale=0, degrees=0, pixels=pixels)
    samples = PoseDataset(split, CROP, still)
    painted, plain = samples[(0, 1)], PoseDataset(split, CROP)[1]
    assert not np.array_equal(painted.image, plain.image)
    np.testing.assert_array_equal(painted.keypoints, plain.keypoints)
    assert same(painted, samples[(0, 1)])


@pytest.mark.parametrize("world", [1, 2, 3])
def test_ranks_share_an_epoch(world: int) -> None:
    for shuffle in (True, False):
        ranks = [list(EpochSampler(10, shuffle, 0, rank, world)) for rank in range(world)]
        assert {index for keys in ranks for _, index in keys} == set(range(10))
        if shuffle:
            assert len({len(keys) for keys in ranks}) == 1
        else:
            assert sum(map(len, ranks)) == 10


def test_detected_boxes_frame_people(split: Split, tmp_path: Path) -> None:
    table = split.annotations
    ground_truth = labelled_instances(table)
    records = [
        {
            "image_id": int(table.image_ids[p]),
            "bbox": list(map(float, box)),
            "score": 0.25 + n % 2 / 2,
            "category_id": 1,
        }
        for n, (p, box) in enumerate(zip(ground_truth.image, ground_truth.boxes, strict=True))
    ]
    file = tmp_path / "detections.json"
    file.write_text(json.dumps(records))
    detections = read_detections(file)
    everybody = detected_instances(table, detections, threshold=0.0)
    np.testing.assert_array_equal(everybody.image, ground_truth.image)
    np.testing.assert_allclose(everybody.boxes, ground_truth.boxes)
    assert len(detected_instances(table, detections, threshold=0.5).scores) == len(records) // 2
    with pytest.raises(InputError, match="score >= 0.9"):
        detected_instances(table, detections, threshold=0.9)
    framing = PersonCrop((128, 96), boxes=str(file))
    assert PoseDataset(split, framing)[1].frame.box_score == 0.75
    assert PoseDataset(split, framing)[1].frame.annotation_id == -1


class TestBadImages:
    def broken(self, root: Path, tmp_path: Path, content: bytes | None) -> PoseDataset:
        copy = tmp_path / "instances"
        shutil.copytree(root, copy)
        split = coco.files(copy).train.open()
        file = split.images / split.annotations.file_name(
            int(PoseDataset(split, CROP).items.image[0])
        )
        file.unlink() if content is None else file.write_bytes(content)
        return PoseDataset(split, CROP)

    def test_a_missing_image_raises(self, root: Path, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="expected an image at .*data check"):
            self.broken(root, tmp_path, None)[0]

    def test_a_truncated_image_raises(self, root: Path, tmp_path: Path) -> None:
        whole = next((root / "train2017").glob("*.jpg")).read_bytes()
        with pytest.raises(InputError, match="truncated"):
            self.broken(root, tmp_path, whole[: len(whole) // 2])[0]

    def test_a_file_that_is_no_image_raises(self, root: Path, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="a file that cannot be decoded"):
            self.broken(root, tmp_path, b"hello")[0]


def test_missing_root_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected a folder of images at .*data\.sources\.root"):
        PoseData(coco.files(tmp_path / "nothing"))


def test_different_skeletons_are_an_error(root: Path, tmp_path: Path) -> None:
    train = coco.files(root).train
    content = json.loads(train.annotations[0].read_text())
    content["categories"][0]["keypoints"] = ["head", "tail"]
    content["categories"][0]["skeleton"] = [[1, 2]]
    for record in content["annotations"]:
        if record.get("keypoints"):
            record["keypoints"], record["num_keypoints"] = record["keypoints"][:6], 1
    other = tmp_path / "other.json"
    other.write_text(json.dumps(content))
    with pytest.raises(InputError, match="expected one skeleton"):
        PoseData(DatasetFiles(train, replace(train, annotations=(other,))))


def test_contact_sheet_of_training_samples(root: Path, tmp_path: Path) -> None:
    from poselab.cli import main

    out = tmp_path / "sheet.png"
    words = ["experiment=quickstart/bottom_up", f"data.sources.root={root}"]
    sizes = ["data.sources.images=24", "data.sources.val=8", "data.sources.seed=4"]
    sizes += ["data.sources.instances_per_image=[1,4]", "data.sources.turn=180"]
    assert main(["data", "browse", *words, *sizes, "--out", str(out), "--count", "7"]) == 0
    sheet = cv2.imread(str(out))
    assert sheet.shape[0] == 2 * 128 + 3 * 4  # two rows of inputs, and gaps
    assert sheet.std() > 20


def test_whole_images_need_known_sizes(split: Split) -> None:
    table = replace(split.annotations, sizes=np.zeros_like(split.annotations.sizes))
    with pytest.raises(InputError, match="sizes of images"):
        PoseDataset(replace(split, annotations=table), WHOLE)
