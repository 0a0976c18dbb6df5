"""What a dataset is to hold, and what of it a folder already holds."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from poselab.io.files import read_json, write_json
from poselab.structures import InputError
from poselab.synthetic import coco_layout, mpii_layout

if TYPE_CHECKING:
    from pathlib import Path

    from poselab.structures import Size

Rows = dict[int, dict[str, Any]]
"""Labels of a split's images (:func:`poselab.synthetic.labels.describe`) by image id."""

LAYOUTS = {"coco": coco_layout, "mpii": mpii_layout}
SPLITS = ("train", "val")
CHUNK = 32
PAINTER = 3  # raise it when the same seed no longer makes the same images and labels
_VAL_FIRST = 100_000_001


@dataclass(frozen=True)
class Settings:
    """What decides every byte of a dataset: ``images`` training and ``val`` validation images of
    ``size`` (height, width), each with at least and at most so many ``instances``, who turn by up to
    ``turn`` degrees away from the camera.

    Raises:
        InputError: a value is out of its range.
    """

    images: int
    val: int = 0
    seed: int = 0
    layout: str = "coco"
    size: Size = (256, 256)
    instances_per_image: tuple[int, int] = (1, 4)
    turn: float = 180.0
    painter: int = PAINTER

    def __post_init__(self) -> None:
        _expect(1 <= self.images < _VAL_FIRST, "1 or more images", self.images)
        _expect(self.val >= 0, "0 or more validation images", self.val)
        _expect(0 <= self.seed < 2**63, "a seed of 0 or more, below 2^63", self.seed)
        _expect(self.layout in LAYOUTS, f"a layout out of {', '.join(LAYOUTS)}", self.layout)
        sides = all(64 <= side <= 2048 for side in self.size)
        _expect(sides, "a height and a width of 64 to 2048 pixels", self.size)
        low, high = self.instances_per_image
        _expect(
            0 <= low <= high <= 30,
            "0 to 30 people an image, fewest first",
            self.instances_per_image,
        )
        _expect(0 <= self.turn <= 180, "a turn of 0 to 180 degrees", self.turn)

    def count(self, split: str) -> int:
        """How many images a split has."""
        return self.images if split == "train" else self.val


@dataclass(frozen=True)
class Chunk:
    """Images ``start`` to ``stop`` - 1 of a split: what one worker does at a time."""

    split: str
    start: int
    stop: int

    def image_id(self, number: int) -> int:
        """The image id of the split's image of that number; no two splits share one."""
        return number + (1 if self.split == "train" else _VAL_FIRST)

    def part(self, out: Path) -> Path:
        """Where the labels wait until the dataset is finished."""
        return out / ".parts" / f"{self.split}-{self.start:08d}.json"

    def images(self, out: Path, layout: str) -> list[Path]:
        """The files that it makes."""
        numbers = range(self.start, self.stop)
        locate = LAYOUTS[layout].image_path
        return [out / locate(self.split, self.image_id(number)) for number in numbers]

    def is_done(self, out: Path, layout: str) -> bool:
        """Labels are there, and so is every image."""
        return self.part(out).exists() and all(p.exists() for p in self.images(out, layout))


def chunks(settings: Settings) -> list[Chunk]:
    """The whole work, in order."""
    return [
        Chunk(split, start, min(start + CHUNK, settings.count(split)))
        for split in SPLITS
        for start in range(0, settings.count(split), CHUNK)
    ]


def claim(out: Path, settings: Settings) -> None:
    """Make the folder that dataset's, or make sure that it is.

    Raises:
        InputError: the folder holds something else, or cannot be written.
    """
    import orjson

    note = out / "synth.json"
    wanted = orjson.loads(orjson.dumps(asdict(settings)))
    if note.exists():
        found = read_json(note, "the settings of a generated dataset")
        found = found if isinstance(found, dict) else {}
        other = [f"{key} {found.get(key)}" for key in wanted if found.get(key) != wanted[key]]
        if other:
            raise InputError(
                f"expected {out} to be made with these settings, found {', '.join(other)}; "
                f"give another folder or those settings"
            )
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(
            f"expected an empty folder or an earlier generated dataset at {out}, "
            f"found something else; give another folder"
        )
    write_json(note, wanted)


def is_finished(out: Path, settings: Settings) -> bool:
    """Every label file is there, and as many images as there should be."""
    layout = LAYOUTS[settings.layout]
    if not all((out / name).exists() for name in layout.annotation_paths()):
        return False
    images = (p for chunk in chunks(settings) for p in chunk.images(out, settings.layout))
    return all(image.exists() for image in images)


def collect(out: Path, settings: Settings) -> None:
    """Join the labels of all chunks in the layout's files and drop the parts."""
    rows: dict[str, Rows] = {split: {} for split in SPLITS}
    for chunk in chunks(settings):
        labels = read_json(chunk.part(out), "labels of generated images")
        numbers = range(chunk.start, chunk.stop)
        rows[chunk.split].update(
            (chunk.image_id(number), row) for number, row in zip(numbers, labels, strict=True)
        )
    LAYOUTS[settings.layout].write(out, settings.size, rows)
    shutil.rmtree(out / ".parts", ignore_errors=True)


def _expect(holds: bool, what: str, found: object) -> None:
    if not holds:
        raise InputError(f"expected {what}, got {found}; correct the value")
