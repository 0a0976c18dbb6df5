"""A record of figures together with what they depend on."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from poselab.io import files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.evaluator import ImageIds
    from poselab.structures import Ints


@dataclass(frozen=True)
class Metrics:
    """Figures by key, as fractions (NaN: nothing to measure), and their comparability contract.

    ``interval`` holds confidence limits by key, where they were asked for.

    Two figures may be ranked against each other where their contracts agree.
    """

    values: dict[str, float]
    comparability: dict[str, Any]
    interval: dict[str, tuple[float, float]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The figures by key, ``interval`` and ``comparability``; null for what cannot be measured."""
        numbers = {key: None if math.isnan(v) else v for key, v in self.values.items()}
        limits = {"interval": self.interval} if self.interval else {}
        return {**numbers, **limits, "comparability": self.comparability}

    def write(self, path: Path) -> None:
        """Write ``metrics.json``.

        Raises:
            InputError: the folder cannot be written, or the disk is full.
        """
        files.write_json(path, self.to_json())


def annotation_comparability(
    annotations: Annotations,
    images: int,
    instances: int,
    image_ids: ImageIds = None,
) -> dict[str, Any]:
    """What every figure depends on: which labels, which images of them, how many people.

    ``image_ids`` are the images asked for, all of the table by default.
    """
    return {
        "annotations": Path(annotations.source).name,
        "fingerprint": annotations.fingerprint,
        "skeleton": annotations.skeleton.name,
        "keypoints": len(annotations.skeleton),
        "images": images,
        "image_set": image_set(annotations.image_ids if image_ids is None else image_ids),
        "instances": instances,
    }


def image_set(image_ids: Sequence[int] | Ints) -> str:
    """A digest of which images these are, whatever their order."""
    # Asked for nothing but the ids, NumPy imports its masked arrays, 10 ms of a process's start.
    ids = np.unique(np.asarray(image_ids, dtype=np.int64), return_counts=True)[0].astype("<i8")
    return hashlib.sha256(ids.tobytes()).hexdigest()[:16]
