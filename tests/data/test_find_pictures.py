"""Which pictures a folder or a list of names means: each once, and never what was drawn of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from poselab.data.unlabelled import find_pictures
from poselab.structures import InputError


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """a.jpg and b/c.PNG, drawings of both in found/pictures, and a list in between."""
    for name in ("a.jpg", "b/c.PNG", "found/pictures/a.jpg", "found/pictures/b/c.jpg", "d.txt"):
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
    assert len(found) == 4  # and the two drawings, of which nobody said that they are some


def test_drawings_are_left_out_unless_named(photos: Path) -> None:
    drawings = photos / "found" / "pictures"
    assert names(find_pictures([photos], drawings), photos) == ["a.jpg", "b/c.PNG"]
    assert len(find_pictures([drawings], drawings)) == 2
    asked = [photos, drawings / "a.jpg"]
    assert names(find_pictures(asked, drawings), photos) == [
        "a.jpg",
        "b/c.PNG",
        str(Path("found") / "pictures" / "a.jpg"),
    ]


def test_nothing_there_is_said(photos: Path) -> None:
    with pytest.raises(InputError, match="found neither"):
        find_pictures([photos / "nowhere"])
    (photos / "empty").mkdir()
    with pytest.raises(InputError, match="expected pictures"):
        find_pictures([photos / "empty"])
