"""Which images a folder or a list of names means: each once, and never what was drawn of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from image_kinds import UPRIGHT, photo

from poselab.data import PoseDataset, WholeImage
from poselab.datasets.image_folder import find_images, unannotated_split
from poselab.skeletons import COCO17
from poselab.structures import InputError


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """a.jpg and b/c.PNG, in found/ what `predict` leaves of them, and images/e.jpg."""
    images = (
        "a.jpg",
        "b/c.PNG",
        "images/e.jpg",
        "found/images/a.jpg",
        "found/images/b/c.jpg",
    )
    for name in (*images, "found/predictions.json", "found/images.json", "d.txt"):
        file = tmp_path / "photos" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")
    return tmp_path / "photos"


def names(found: list[Path], root: Path) -> list[str]:
    return [str(path.relative_to(root)) for path in found]


def test_each_image_once_in_order_of_first_mention(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos.parent)
    found = find_images([photos / "b", photos / "a.jpg", photos, Path("photos/a.jpg")])
    assert names(found[:2], photos) == ["b/c.PNG", "a.jpg"]
    assert names(found[2:], photos) == ["images/e.jpg"]


def test_drawings_are_left_out_unless_named(photos: Path) -> None:
    drawings = photos / "found" / "images"
    assert len(find_images([drawings])) == 2
    last = find_images([photos, drawings / "a.jpg"])[-1]
    assert last == drawings / "a.jpg"
    (photos / "found" / "predictions.json").unlink()
    assert len(find_images([photos])) == 5  # images beside some list, nobody knows whose


def test_a_folder_without_images_raises(photos: Path) -> None:
    with pytest.raises(InputError, match="found neither"):
        find_images([photos / "nowhere"])
    (photos / "empty").mkdir()
    with pytest.raises(InputError, match="expected images"):
        find_images([photos / "empty"])


def test_folders_that_are_called_like_images_are_no_images(photos: Path) -> None:
    (photos / "g.jpg").mkdir()
    assert "g.jpg" not in names(find_images([photos]), photos)


def test_photos_are_predicted_as_they_are_shown(tmp_path: Path) -> None:
    (tmp_path / "phone.jpg").write_bytes(photo(6))
    split = unannotated_split([tmp_path / "phone.jpg"], tmp_path, COCO17)
    assert split.annotations.image_size(0) == UPRIGHT.shape[:2]
    sample = PoseDataset(split, WholeImage(UPRIGHT.shape[:2]))[0]
    np.testing.assert_array_equal(sample.image.transpose(1, 2, 0), UPRIGHT)
