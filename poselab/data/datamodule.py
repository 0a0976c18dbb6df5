"""The datamodule: loaders of samples over the two splits of any dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Sampler

from poselab.annotations.conventions import check_units
from poselab.annotations.options import annotation_options
from poselab.data.dataset import Key, PoseDataset
from poselab.ranges import check_whole
from poselab.structures import InputError, Sample, Skeleton

if TYPE_CHECKING:
    from collections.abc import Iterator

    from poselab.data.augment import Augment
    from poselab.data.framing import Framing
    from poselab.datasets.base import DatasetFiles


class EpochSampler(Sampler[Key]):
    """Yields (epoch, index), so that a sample depends on no worker, rank or earlier epoch.

    Every rank gets each ``world``-th item of one order; when shuffling, the order is drawn from
    seed and epoch, and a few items are repeated so that all ranks get equally many.
    """

    def __init__(self, length: int, shuffle: bool, seed: int, rank: int, world: int) -> None:
        self.length, self.shuffle, self.seed = length, shuffle, seed
        self.rank, self.world, self.epoch = rank, world, 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    def _indices(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        if not self.shuffle:
            # Without padding: people who count twice would change the metrics.
            return np.arange(self.rank, self.length, self.world)
        order = np.random.default_rng((self.seed, self.epoch)).permutation(self.length)
        return np.resize(order, -(-self.length // self.world) * self.world)[self.rank :: self.world]

    def __len__(self) -> int:
        return len(self._indices())

    def __iter__(self) -> Iterator[Key]:
        return ((self.epoch, index) for index in self._indices().tolist())


class PoseData(pl.LightningDataModule):
    """Training and validation samples of a dataset's two splits.

    batch_size is per device; ``limit`` keeps only the first images of either split; ``category``
    is the name or id of the only category to use, by default all that share their keypoints;
    ``sigmas``, ``flip_pairs`` and ``area`` are what
    :func:`poselab.annotations.options.annotation_options` reads; ``outside_images`` permits
    annotations to name files outside of their folder of images. Call :meth:`set_transforms` before
    the loaders.

    Raises:
        InputError: files are missing or broken, the splits have different skeletons, annotations
            are not in pixels, or a value is out of range or does not fit the keypoints.
    """

    def __init__(
        self,
        sources: DatasetFiles,
        batch_size: int = 32,
        workers: int = 2,
        limit: int | None = None,
        category: str | int | None = None,
        sigmas: Any = None,
        flip_pairs: Any = None,
        area: Any = None,
        outside_images: bool = False,
    ) -> None:
        super().__init__()
        check_loader(batch_size, workers)
        self.batch_size, self.workers = batch_size, workers
        self.first_epoch = 0
        """Where training starts: workers prefetch before Lightning sets the sampler's epoch."""
        self.options = annotation_options(sigmas, flip_pairs, area)
        train, val = (source.open(category, outside_images) for source in sources)
        self.train = train.with_options(self.options).limited(limit)
        self.val = val.with_options(self.options).limited(limit)
        for split in (self.train, self.val):
            check_units(split.annotations)
        if self.skeleton != self.val.annotations.skeleton:
            raise InputError(
                f"expected one skeleton for both splits, got {self.skeleton.name} for training "
                f"and {self.val.annotations.skeleton.name} for validation, which differ in their "
                f"{skeleton_difference(self.skeleton, self.val.annotations.skeleton)}; give both "
                "annotation files the same category"
            )

    @property
    def skeleton(self) -> Skeleton:
        """The keypoints that both splits are labelled with."""
        skeleton: Skeleton = self.train.annotations.skeleton
        return skeleton

    def set_transforms(self, framing: Framing, augment: Augment, seed: int) -> None:
        """Set the framing of both splits, and the augmentation of training and its seed.

        Raises:
            InputError: a split has no input to frame.
        """
        self.seed = seed
        self.train_samples = PoseDataset(self.train, framing, augment, seed)
        self.val_samples = PoseDataset(self.val, framing)

    def train_dataloader(self) -> DataLoader[Sample[Any]]:
        """Shuffled, augmented samples; an incomplete last batch is dropped."""
        return self._loader(self.train_samples, training=True)

    def val_dataloader(self) -> DataLoader[Sample[Any]]:
        """Every item once, without augmentation."""
        return self._loader(self.val_samples, training=False)

    predict_dataloader = val_dataloader

    def _loader(self, samples: PoseDataset, training: bool) -> DataLoader[Sample[Any]]:
        trainer = self.trainer
        rank, world = (trainer.global_rank, trainer.world_size) if trainer else (0, 1)
        sampler = EpochSampler(len(samples), training, self.seed, rank, world)
        sampler.set_epoch(self.first_epoch)
        return DataLoader(
            samples,
            batch_size=self.batch_size,
            sampler=sampler,
            num_workers=self.workers,
            drop_last=training and len(sampler) >= self.batch_size,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=self.workers > 0,  # else every epoch waits for new ones
            worker_init_fn=_single_threaded,
        )


def skeleton_difference(train: Skeleton, val: Skeleton) -> str:
    """What differs between the skeletons of two splits, in words."""
    if train.keypoints == val.keypoints:
        if train.limbs == val.limbs:
            return "sigmas"
        return f"limbs ({len(train.limbs)} and {len(val.limbs)} pairs in `skeleton`)"
    pairs = zip(train.keypoints, val.keypoints, strict=False)
    for number, (a, b) in enumerate(pairs, start=1):
        if a != b:
            return f"keypoints (number {number} is {a} and {b})"
    return f"numbers of keypoints ({len(train)} and {len(val)})"


def check_loader(batch_size: Any, workers: Any) -> None:
    """Check the settings of the loaders in a config.

    Raises:
        InputError: one of them is out of range.
    """
    check_whole("data.batch_size", batch_size, 1)
    check_whole("data.workers", workers, 0)


def _single_threaded(worker: int) -> None:
    """Keep OpenCV to one thread in a worker, as workers already share the cores."""
    cv2.setNumThreads(0)
