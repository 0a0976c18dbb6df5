"""Images are warped as OpenCV's plain warp does, and handed over plane by plane."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from image_kinds import encoded, photo

from poselab import geometry
from poselab.data.images import read_and_warp, to_planes
from poselab.io.images import read_image

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
        np.testing.assert_array_equal(read_and_warp(noise, matrix, SIZE, border=border), expected)
        empty += int((expected == border).all())
    assert 0 < empty < 150, "images that are out of sight, and not only those, must be among them"


def test_a_jpeg_is_decoded_whole_where_that_is_asked_for(tmp_path: Path) -> None:
    file, matrix = tmp_path / "noise.jpg", geometry.scale_translate((0.25, 0.25), (0.0, 0.0))
    cv2.imwrite(str(file), np.random.default_rng(0).integers(0, 256, (200, 160, 3), dtype=np.uint8))
    expected = cv2.warpAffine(read_image(file), matrix, SIZE[::-1])
    whole = read_and_warp(file, matrix, SIZE, reduced_jpeg=False)
    np.testing.assert_array_equal(whole, expected)
    assert np.abs(read_and_warp(file, matrix, SIZE).astype(int) - expected).max() > 50


def test_planes_are_the_image_and_whole_in_memory() -> None:
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    apart = to_planes(image)
    np.testing.assert_array_equal(apart, image.transpose(2, 0, 1))
    assert apart.flags.c_contiguous
    assert not np.shares_memory(apart, image)


@pytest.mark.parametrize("zoom", [1.0, 0.4, 0.11])  # JPEG is decoded at full, half and eighth size
@pytest.mark.parametrize("orientation", [1, 2, 3, 4, 5, 6, 7, 8])
def test_a_turned_photo_is_warped_as_an_upright_one(
    tmp_path: Path, orientation: int, zoom: float
) -> None:
    rows, columns = np.mgrid[0:203, 0:317]
    drawn = np.stack([rows, columns * 0.7, (rows - columns) % 200], axis=2).astype(np.uint8)
    scene = cv2.GaussianBlur(drawn, (0, 0), 6)
    (tmp_path / "photo.jpg").write_bytes(photo(orientation, scene, "JPEG", quality=98))
    (tmp_path / "upright.png").write_bytes(encoded(scene))
    matrix = geometry.compose(
        geometry.scale_translate((zoom,) * 2, (-3.0, 5.0)), geometry.rotation(20.0, (150.0, 90.0))
    )
    images = [read_and_warp(tmp_path / n, matrix, SIZE) for n in ("photo.jpg", "upright.png")]
    inside = np.all([image.max(axis=2) > 0 for image in images], axis=0)
    inside = cv2.erode(inside.astype(np.uint8), np.ones((5, 5))) > 0
    difference = np.abs(images[0].astype(int) - images[1]).max(axis=2)[inside]
    assert inside.sum() > 50
    assert np.percentile(difference, 95) <= 12


def test_a_photo_annotated_as_it_is_stored_is_not_turned(noise: Path) -> None:
    image = read_image(noise)
    photo_file = noise.with_name("photo.png")
    photo_file.write_bytes(photo(6, np.rot90(image, -1)))
    matrix = geometry.scale_translate((0.5, 0.5), (0.0, 0.0))
    stored = read_and_warp(photo_file, matrix, SIZE, annotated=image.shape[:2])
    np.testing.assert_array_equal(stored, read_and_warp(noise, matrix, SIZE))
    assert (read_and_warp(photo_file, matrix, SIZE) != stored).any()


def test_a_file_is_what_it_holds_and_not_what_it_is_called(noise: Path) -> None:
    matrix = geometry.scale_translate((0.12, 0.12), (0.0, 0.0))
    renamed = noise.with_suffix(".jpg")
    renamed.write_bytes(noise.read_bytes())
    np.testing.assert_array_equal(
        read_and_warp(renamed, matrix, SIZE), read_and_warp(noise, matrix, SIZE)
    )
