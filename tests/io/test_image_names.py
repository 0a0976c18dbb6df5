"""Names of images that annotations give stay in the folder of images, unless the user permits."""

from __future__ import annotations

from pathlib import Path

import pytest

from poselab.io.image_names import image_path, missing_image
from poselab.structures import InputError


@pytest.mark.parametrize("name", ["../secret.png", "a/../../secret.png", "a/.."])
def test_a_name_that_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="which leaves it.*--outside-images"):
        image_path(tmp_path, name)
    assert image_path(tmp_path, name, outside=True) == tmp_path / name


@pytest.mark.parametrize("name", ["a.jpg", "val/a b.jpg", "a..jpg", "/a.jpg", "//a/b.jpg"])
def test_a_name_within_the_folder_is_joined(tmp_path: Path, name: str) -> None:
    assert image_path(tmp_path, name) == tmp_path / name.lstrip("/")


def test_an_absolute_name_is_used_where_that_is_permitted(tmp_path: Path) -> None:
    assert image_path(Path("elsewhere"), f"{tmp_path}/a.jpg", outside=True) == tmp_path / "a.jpg"


def test_a_missing_image_says_what_was_joined_and_what_permits_absolute_names() -> None:
    assert "'sub/1.jpg' of the annotations joined to the folder" in missing_image("sub/1.jpg")
    assert "--outside-images" not in missing_image("sub/1.jpg")
    assert "--outside-images" in missing_image("/data/1.jpg")
    assert "--outside-images" not in missing_image("/data/1.jpg", outside=True)
