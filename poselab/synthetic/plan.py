"""The chunks in which a dataset is made, and which of them a folder already holds."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from poselab.io.files import read_json, write_json
from poselab.structures import InputError
from poselab.synthetic import coco_layout, mpii_layout
from poselab.synthetic.settings import FIRST_VAL_ID, SPLITS, Settings

if TYPE_CHECKING:
    from pathlib import Path

    from poselab.synthetic.labels import SplitLabels

CHUNK = 32
_WRITERS = {"coco": coco_layout, "mpii": mpii_layout}


@dataclass(frozen=True)
class Chunk:
    """Images ``start`` to ``stop`` - 1 of a split, which one worker makes at a time."""

    split: str
    start: int
    stop: int

    def image_id(self, number: int) -> int:
        """The image id of an image of the split by its number; no two splits share ids."""
        return number + (1 if self.split == "train" else FIRST_VAL_ID)

    def labels_file(self, out: Path) -> Path:
        """Where the labels lie until the dataset is finished."""
        return out / ".parts" / f"{self.split}-{self.start:08d}.json"

    def images(self, out: Path, layout: str) -> list[Path]:
        """Its image files."""
        writer = _WRITERS[layout]
        folder = writer.split_files(out, self.split).images
        numbers = range(self.start, self.stop)
        return [folder / writer.image_name(self.image_id(number)) for number in numbers]

    def is_done(self, out: Path, layout: str) -> bool:
        """Whether its labels and all its images exist."""
        return self.labels_file(out).exists() and all(p.exists() for p in self.images(out, layout))


def all_chunks(settings: Settings) -> list[Chunk]:
    """All chunks of a dataset, in order."""
    return [
        Chunk(split, start, min(start + CHUNK, settings.count(split)))
        for split in SPLITS
        for start in range(0, settings.count(split), CHUNK)
    ]


def prepare_folder(out: Path, settings: Settings) -> None:
    """Write the settings into a new folder, or check that a folder was made with them.

    Raises:
        InputError: the folder holds other files or settings, or cannot be written.
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
    """Whether all annotation files and all images exist."""
    files = _WRITERS[settings.layout].annotation_files(out)
    if not all(file.exists() for file in files):
        return False
    images = (p for chunk in all_chunks(settings) for p in chunk.images(out, settings.layout))
    return all(image.exists() for image in images)


def write_annotations(out: Path, settings: Settings) -> None:
    """Write the labels of all chunks into the layout's annotation files, and delete the chunks'."""
    labels: dict[str, SplitLabels] = {split: {} for split in SPLITS}
    for chunk in all_chunks(settings):
        images = read_json(chunk.labels_file(out), "labels of generated images")
        ids = [chunk.image_id(number) for number in range(chunk.start, chunk.stop)]
        labels[chunk.split].update(zip(ids, images, strict=True))
    _WRITERS[settings.layout].write(out, settings.size, labels)
    shutil.rmtree(out / ".parts", ignore_errors=True)
