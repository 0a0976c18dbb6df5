"""A record of figures together with what they depend on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poselab import files

if TYPE_CHECKING:
    from poselab.annotations.table import Annotations


@dataclass(frozen=True)
class Metrics:
    """Figures by key, as fractions (NaN: nothing to measure), and their comparability contract.

    Two figures may be ranked against each other where their contracts agree.
    """

    values: dict[str, float]
    contract: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The figures by key and ``contract``, null for what could not be measured."""
        numbers = {key: None if math.isnan(v) else v for key, v in self.values.items()}
        return {**numbers, "contract": self.contract}

    def write(self, path: Path) -> None:
        """Write ``metrics.json``.

        Raises:
            InputError: the folder cannot be written, or the disk is full.
        """
        files.write_json(path, self.to_json())


def annotation_contract(annotations: Annotations, pictures: int, people: int) -> dict[str, Any]:
    """What every figure depends on: which labels, how many pictures and scored people."""
    return {
        "annotations": Path(annotations.source).name,
        "fingerprint": annotations.fingerprint,
        "skeleton": annotations.skeleton.name,
        "keypoints": len(annotations.skeleton),
        "pictures": pictures,
        "people": people,
    }
