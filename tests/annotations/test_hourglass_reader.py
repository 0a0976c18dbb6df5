"""Annotations of the hourglass code that do not fit together."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from poselab.annotations import open_annotations
from poselab.structures import InputError


def test_names_are_as_many_as_people(tmp_path: Path) -> None:
    path = tmp_path / "valid.h5"
    with h5py.File(path, "w") as file:
        file["part"] = np.full((4, 16, 2), 50.0)
        file["visible"] = np.ones((4, 16))
        file["center"] = np.full((4, 2), 50.0)
        file["scale"] = file["normalize"] = np.ones(4)
        file["imgname"] = np.array([f"{n}.jpg" for n in range(8)], "S")
    with pytest.raises(InputError, match="expected 4 names in the dataset 'imgname'.*shape .8,"):
        open_annotations(path, cache=False)
