"""Which pictures a folder or a list of names means: each once, and never what was drawn of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from poselab.data.unlabelled import find_pictures
from poselab.structures import InputError


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """a.jpg and b/c.PNG, in found/ what `predict` leaves of them, and pictures/e.jpg."""
    pictures = (
        "a.jpg",
        "b/c.PNG",
        "pictures/e.jpg",
        "found/pictures/a.jpg",
        "found/pictures/b/c.jpg",
    )
    for name in (*pictures, "found/predictions.json", "found/pictures.json", "d.txt"):
        file = tmp_path / "photos" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")
    return tmp_path / "photos"


def names(found: list[Path], root: Path) -> list[str]:
    return [str(path.relative_to(root)) for path in found]


def test_each_picture_once_in_order_of_first_mention(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos.parent)
    found = find_pictures([photos / "b", photos / "a.jpg", photos, Path("photos/a.jpg")])
    assert names(found[:2], photos) == ["b/c.PNG", "a.jpg"]
    assert names(found[2:], photos) == ["pictures/e.jpg"]


def test_drawings_are_left_out_unless_named(photos: Path) -> None:
    drawings = photos / "found" / "pictures"
    assert len(find_pictures([drawings])) == 2
    last = find_pictures([photos, drawings / "a.jpg"])[-1]
    assert last == drawings / "a.jpg"
    (photos / "found" / "predictions.json").unlink()
    assert len(find_pictures([photos])) == 5  # pictures beside some list, nobody knows whose


def test_nothing_there_is_said(photos: Path) -> None:
    with pytest.raises(InputError, match="found neither"):
        find_pictures([photos / "nowhere"])
    (photos / "empty").mkdir()
    with pytest.raises(InputError, match="expected pictures"):
        find_pictures([photos / "empty"])
