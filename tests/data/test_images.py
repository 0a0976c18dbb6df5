"""Images are warped as OpenCV's plain warp does, and handed over plane by plane."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from poselab import geometry
from poselab.data.images import read_and_warp, read_image, to_planes

SIZE = (64, 48)


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    """Noise, so that one pixel that is missing, or that lies elsewhere, shows."""
    path = tmp_path / "noise.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(1, 256, (90, 120, 3), dtype=np.uint8))
    return path


@pytest.mark.parametrize("border", [0, 114])
def test_an_image_is_warped_as_opencv_does_it(noise: Path, border: int) -> None:
    rng, image = np.random.default_rng(1), read_image(noise)
    empty = 0
    for _ in range(300):
        centre = (float(rng.uniform(-40, 160)), float(rng.uniform(-40, 130)))
        matrix = geometry.compose(
            geometry.scale_translate((rng.uniform(0.2, 4),) * 2, (24 - centre[0], 32 - centre[1])),
            geometry.rotation(rng.uniform(-180, 180), centre),
        )
        if rng.random() < 0.5:
            matrix = geometry.compose(geometry.flip(SIZE[1]), matrix)
        expected = cv2.warpAffine(image, matrix, SIZE[::-1], borderValue=(border,) * 3)
        np.testing.assert_array_equal(read_and_warp(noise, matrix, SIZE, border), expected)
        empty += int((expected == border).all())
    assert 0 < empty < 150, "images that are out of sight, and not only those, must be among them"


def test_planes_are_the_image_and_whole_in_memory() -> None:
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    apart = to_planes(image)
    np.testing.assert_array_equal(apart, image.transpose(2, 0, 1))
    assert apart.flags.c_contiguous
    assert not np.shares_memory(apart, image)
