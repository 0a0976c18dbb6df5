"""Metric values together with what they depend on."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from poselab.io import files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.images import ImageIds
    from poselab.structures import Ints


@dataclass(frozen=True)
class Metrics:
    """Metric values by name, as fractions (NaN: nothing to measure), and what they depend on.

    ``interval`` holds confidence intervals by name, where they were asked for; ``warnings`` what is
    questionable about the predictions, and ``notes`` how their file was read, one sentence each.
    Printed, it is a table in percent.

    Two values may be ranked against each other where their comparability records agree.
    """

    values: dict[str, float]
    comparability: dict[str, Any]
    interval: dict[str, tuple[float, float]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> float:
        return self.values[name]

    def to_json(self) -> dict[str, Any]:
        """Values by name, ``interval`` and ``comparability``; null for what cannot be measured."""
        numbers = {key: None if math.isnan(v) else v for key, v in self.values.items()}
        interval = {"interval": self.interval} if self.interval else {}
        return {**numbers, **interval, "comparability": self.comparability}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Metrics:
        """The metrics that :meth:`to_json` gave."""
        numbers = record.keys() - {"interval", "comparability"}
        values = {k: math.nan if v is None else v for k, v in record.items() if k in numbers}
        ends = record.get("interval", {}).items()
        interval = {key: (float(low), float(high)) for key, (low, high) in ends}
        return cls(values, dict(record.get("comparability", {})), interval)

    def write(self, path: Path) -> None:
        """Write ``metrics.json``.

        Raises:
            InputError: the folder cannot be written, or the disk is full.
        """
        files.write_json(path, self.to_json())

    def rows(self) -> list[tuple[str, ...]]:
        """One row per metric: name, value and, if known, ends of the interval, in percent."""
        rows = []
        for key, value in self.values.items():
            numbers = (value, *self.interval.get(key, ()))
            rows.append((key, *("–" if math.isnan(v) else f"{100 * v:.3f}" for v in numbers)))
        return rows

    def scored(self) -> str:
        """How many people in how many images were scored, in words."""
        record = self.comparability
        people, images = (record.get(key, "?") for key in ("instances", "images"))
        return f"{people} people in {images} images of {record.get('annotations', '?')}"

    def __str__(self) -> str:
        lines = [
            "".join((f"{name:<20}", *(f"{c:>8}" for c in cells))) for name, *cells in self.rows()
        ]
        return "\n".join([*lines, self.scored()])


def annotation_comparability(
    annotations: Annotations,
    images: int,
    instances: int,
    image_ids: ImageIds = None,
) -> dict[str, Any]:
    """What every metric value depends on: the annotations, and which images and people of them.

    ``image_ids`` are the images that were to be scored, by default all of the table; ``images``
    says how many of them have instances to score.
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
