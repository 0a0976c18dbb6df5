"""The white-pixel law: paint a pixel under a keypoint, frame both, and they land together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from poselab import geometry
from poselab.data.framing import AffineParameters, PersonCrop, WholeImage
from poselab.data.images import read_and_warp
from poselab.structures import Size

HEIGHT, WIDTH = 240, 320
SPOT = np.array([141.0, 97.0])
BOX = np.array([90.0, 40.0, 110.0, 130.0])
WHOLE = np.array([-0.5, -0.5, WIDTH, HEIGHT])

CHANGES = {
    "still": AffineParameters(),
    "flipped": AffineParameters(flipped=True),
    "turned": AffineParameters(degrees=33.0),
    "scaled": AffineParameters(scale=0.7),
    "all": AffineParameters(scale=0.8, degrees=-20.0, shift=(0.05, -0.04), flipped=True),
}


def brightest(image: np.ndarray) -> np.ndarray:
    """Centre of mass (x, y) of a spot on black."""
    weight = image[..., 0].astype(float)
    ys, xs = np.mgrid[: image.shape[0], : image.shape[1]]
    return np.array([(xs * weight).sum(), (ys * weight).sum()]) / weight.sum()


def spot_image(folder: Path) -> Path:
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    x, y = SPOT.astype(int)
    image[y - 4 : y + 5, x - 4 : x + 5] = 255  # wide enough not to fall between sampled pixels
    cv2.imwrite(str(folder / "spot.png"), image)
    return folder / "spot.png"


@pytest.mark.parametrize("affine", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("pixels", ["centre", "hrnet", "udp"])
@pytest.mark.parametrize("size", [(256, 192), (128, 128), (250, 331)])
@pytest.mark.parametrize("person", [True, False], ids=["person", "whole"])
def test_a_white_pixel_and_its_keypoint_land_together(
    tmp_path: Path, affine: AffineParameters, pixels: str, size: Size, person: bool
) -> None:
    framing = PersonCrop(size, pixels) if person else WholeImage(size, pixels)
    matrix = framing.matrix(framing.area(BOX if person else WHOLE), affine)
    label = geometry.apply(matrix, SPOT[None])[0]
    image = read_and_warp(spot_image(tmp_path), matrix, size, border=0)
    np.testing.assert_allclose(brightest(image), label, atol=0.25)


@pytest.mark.parametrize("reduction", [2, 4, 8])
def test_reduced_jpegs_land_where_whole_ones_do(tmp_path: Path, reduction: int) -> None:
    side, centre = 512, np.array([288.5, 196.5])
    ys, xs = np.mgrid[:side, :side]
    blob = 255 * np.exp(-((xs - centre[0]) ** 2 + (ys - centre[1]) ** 2) / (2 * 24.0**2))
    file = tmp_path / "blob.jpg"
    cv2.imwrite(str(file), np.repeat(blob[..., None], 3, axis=2).astype(np.uint8))
    size = (side // reduction, side // reduction)
    framing = WholeImage(size)
    matrix = framing.matrix(framing.area(np.array([-0.5, -0.5, side, side])))
    label = geometry.apply(matrix, centre[None])[0]
    np.testing.assert_allclose(
        brightest(read_and_warp(file, matrix, size, border=0)), label, atol=0.1
    )


@pytest.mark.parametrize("pixels", ["centre", "hrnet", "udp"])
def test_inverse_brings_poses_back_to_the_image(pixels: str) -> None:
    framing = PersonCrop((256, 192), pixels)
    matrix = framing.matrix(framing.area(BOX), CHANGES["all"])
    back = geometry.apply(geometry.invert(matrix), geometry.apply(matrix, SPOT[None]))
    np.testing.assert_allclose(back[0], SPOT, atol=1e-9)


def test_crop_shows_the_padded_box_and_keeps_proportions() -> None:
    framing = PersonCrop((256, 192), padding=1.25)
    matrix = framing.matrix(framing.area(BOX))
    assert matrix[0, 0] == pytest.approx(matrix[1, 1])
    corners = np.array([[90.0, 40.0], [200.0, 170.0]])
    low, high = geometry.apply(matrix, corners)
    # The box is wider than 3:4 asks (110 / 0.75 > 130), so its width fills 1/1.25 of the input.
    assert (high - low)[0] == pytest.approx(192 / 1.25)
    assert replace(framing, padding=1.0).area(BOX)[2] == pytest.approx(110.0)
