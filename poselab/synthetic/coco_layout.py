"""Write generated people in the layout of COCO 2017 keypoints (cocodataset.org/#format-data).

Each person has one key that COCO does not have: ``head_box``, x y w h of the head as in MPII.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from poselab.datasets import coco
from poselab.io.files import write_bytes
from poselab.skeletons import COCO17
from poselab.synthetic.visibility import POINT_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from poselab.datasets.base import SplitFiles
    from poselab.structures import Size
    from poselab.synthetic.labels import SplitLabels

_ROWS = [POINT_NAMES.index(name) for name in COCO17.keypoints]


def split_files(out: Path, split: str) -> SplitFiles:
    """The files of a split, train or val."""
    files = coco.files(out)
    return files.train if split == "train" else files.val


def image_name(image_id: int) -> str:
    """The name of an image file."""
    return f"{image_id:012d}.jpg"


def annotation_files(out: Path) -> tuple[Path, ...]:
    """All annotation files of a finished dataset."""
    return tuple(split.annotations[0] for split in coco.files(out))


def write(out: Path, size: Size, labels: dict[str, SplitLabels]) -> None:
    """Write the annotation file of every split."""
    import orjson

    for split, images in labels.items():
        content = orjson.dumps(_document(split, size, images))
        write_bytes(split_files(out, split).annotations[0], content)


def _document(split: str, size: Size, images: SplitLabels) -> dict[str, Any]:
    first = next(iter(images), 1)
    return {
        "info": {"description": f"PoseLab generated people, {split}", "version": "1.0"},
        "licenses": [{"id": 1, "name": "CC0-1.0", "url": "https://creativecommons.org/"}],
        "images": [
            {
                "id": image_id,
                "file_name": image_name(image_id),
                "height": size[0],
                "width": size[1],
                "license": 1,
            }
            for image_id in images
        ],
        "annotations": [
            {"id": first + number, **record}
            for number, record in enumerate(_annotations(size, images))
        ],
        "categories": [
            {
                "id": 1,
                "name": "person",
                "supercategory": "person",
                "keypoints": list(COCO17.keypoints),
                "skeleton": [[a + 1, b + 1] for a, b in COCO17.limb_index],  # counted from 1
            }
        ],
    }


def _annotations(size: Size, images: SplitLabels) -> Iterator[dict[str, Any]]:
    for image_id, labels in images.items():
        for person in labels["instances"]:
            points = [person["points"][row] for row in _ROWS]
            yield {
                "image_id": image_id,
                "category_id": 1,
                "iscrowd": 0,
                "keypoints": [value for point in points for value in point],
                "num_keypoints": sum(point[2] > 0 for point in points),
                "bbox": person["box"],
                "area": person["area"],
                "segmentation": person["polygons"],
                "head_box": person["head_box"],
            }
        if labels["crowd"] is not None:
            crowd = labels["crowd"]
            yield {
                "image_id": image_id,
                "category_id": 1,
                "iscrowd": 1,
                "keypoints": [0] * (3 * len(COCO17)),
                "num_keypoints": 0,
                "bbox": crowd["box"],
                "area": crowd["area"],
                "segmentation": {"counts": crowd["counts"], "size": list(size)},
            }
