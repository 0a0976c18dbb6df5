"""Images of every kind are read right, upright, or refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from image_kinds import (
    STORED_AS,
    UPRIGHT,
    animation,
    deep,
    encoded,
    motion_photo,
    photo,
    pixel_bomb,
)
from PIL import Image as Encoder

from poselab import geometry
from poselab.io.images import ImageHeader, read_header, read_image, turn_matrix, turned
from poselab.structures import InputError

GREY = np.asarray(Encoder.fromarray(UPRIGHT).convert("L"))
NOISE = np.random.default_rng(0).integers(0, 255, UPRIGHT.shape, np.uint8)
PALETTE = Encoder.fromarray(UPRIGHT).quantize(64)
NEAR = 12
"""Grey levels that JPEG and palettes change at most, on average."""


def read(tmp_path: Path, content: bytes, name: str = "image.jpg") -> np.ndarray:
    file = tmp_path / name
    file.write_bytes(content)
    return read_image(file)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", [1, *STORED_AS])
def test_photos_are_turned_upright(tmp_path: Path, orientation: int, kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    content = photo(orientation, kind=kind, **options)
    np.testing.assert_array_equal(read(tmp_path, content), UPRIGHT)
    assert read_header(tmp_path / "image.jpg").upright_size == UPRIGHT.shape[:2]


@pytest.mark.parametrize("orientation", [1, *STORED_AS])
def test_the_matrix_turns_points_as_pixels_are_turned(orientation: int) -> None:
    stored = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    upright = turned(stored, orientation)
    places = np.argwhere(np.ones((5, 7), bool))
    moved = geometry.apply(turn_matrix(orientation, (5, 7)), places[:, ::-1].astype(float))
    for (y, x), (u, v) in zip(places, moved.astype(int), strict=True):
        np.testing.assert_array_equal(upright[v, u], stored[y, x])


def test_annotations_of_stored_pixels_keep_them(tmp_path: Path) -> None:
    file = tmp_path / "photo.png"
    file.write_bytes(photo(6))
    stored = np.asarray(Encoder.open(file))
    np.testing.assert_array_equal(read_image(file, annotated=stored.shape[:2]), stored)
    for annotated in (UPRIGHT.shape[:2], (0, 0), (1, 1)):
        np.testing.assert_array_equal(read_image(file, annotated), UPRIGHT)
    half_turn, square = ImageHeader((60, 84), 3), ImageHeader((60, 60), 6)
    assert half_turn.orientation_for((60, 84)) == 3, "both views have this size: viewers decide"
    assert square.orientation_for((60, 60)) == 6


@pytest.mark.parametrize("tag", [0, 9, 77])
def test_a_tag_of_no_meaning_changes_nothing(tmp_path: Path, tag: int) -> None:
    exif = Encoder.Exif()
    exif[0x0112] = tag
    np.testing.assert_array_equal(read(tmp_path, encoded(exif=exif)), UPRIGHT)
    content = encoded(exif=b"Exif\0\0nonsense")
    np.testing.assert_array_equal(read(tmp_path, content), UPRIGHT)


EXACT = {
    "16 bits": (deep(UPRIGHT), UPRIGHT),
    "16 bits, grey": (deep(GREY[..., None]), GREY[..., None].repeat(3, axis=2)),
    "grey": (encoded(GREY), GREY[..., None].repeat(3, axis=2)),
    "grey and alpha": (
        encoded(Encoder.fromarray(UPRIGHT).convert("LA")),
        GREY[..., None].repeat(3, axis=2),
    ),
    "alpha": (encoded(np.dstack([UPRIGHT, GREY])), UPRIGHT),
    "animated PNG": (animation("PNG"), UPRIGHT),
    "animated WebP": (animation("WEBP", lossless=True), UPRIGHT),
    "palette": (encoded(PALETTE), np.asarray(PALETTE.convert("RGB"))),
    "GIF": (encoded(PALETTE, "GIF"), np.asarray(PALETTE.convert("RGB"))),
}


@pytest.mark.parametrize("kind", EXACT)
def test_kinds_of_pixels(tmp_path: Path, kind: str) -> None:
    content, expected = EXACT[kind]
    np.testing.assert_array_equal(read(tmp_path, content), expected)


@pytest.mark.parametrize(
    "content",
    [
        encoded(Encoder.fromarray(UPRIGHT).convert("CMYK"), "JPEG", quality=98),
        motion_photo(encoded(kind="JPEG", quality=98)),
        animation("GIF"),
    ],
    ids=["CMYK", "motion photo", "animated GIF"],
)
def test_kinds_that_are_not_exact(tmp_path: Path, content: bytes) -> None:
    difference = read(tmp_path, content).astype(int) - UPRIGHT
    assert np.abs(difference).mean() < NEAR


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (pixel_bomb(), "at most 178 million pixels at .*make it smaller"),
        (pixel_bomb(100_000), "at most 178 million pixels at .*make it smaller"),
        (encoded(NOISE, "JPEG")[:1500], r"to its end \(image file is truncated"),
        (motion_photo(encoded(NOISE, "JPEG")[:1500]), "to its end .*fetch it again"),
        (encoded(NOISE)[:500], "to its end .*fetch it again"),
        (encoded(NOISE, "WEBP")[:500], "to its end .*fetch it again"),
        (encoded(GREY.astype(np.float32), "TIFF"), "no colours.*convert it to JPEG or PNG"),
        (b"", "it is not one"),
        (b"hello", "it is not one"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        read(tmp_path, content)


def test_folders_and_impossible_names_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "folder.jpg").mkdir()
    for reads in (read_image, read_header):
        with pytest.raises(InputError, match="found a folder"):
            reads(tmp_path / "folder.jpg")
        for name in ("none.jpg", "a\0b.jpg"):
            with pytest.raises(InputError, match="found none"):
                reads(tmp_path / name)
        with pytest.raises(InputError, match="File name too long"):
            reads(tmp_path / ("a" * 5000))
