"""Write generated people as COCO 2017 lays out its keypoints (cocodataset.org/#format-data).

Each person has one key that COCO has not: ``head_box``, x y w h of the head as MPII labels it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from poselab.io.files import write_bytes
from poselab.skeletons import COCO17
from poselab.synthetic.visibility import NAMED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from poselab.structures import Size
    from poselab.synthetic.plan import Rows

_ROWS = [NAMED.index(name) for name in COCO17.keypoints]


def image_path(split: str, image_id: int) -> str:
    """Where an image lies in the dataset's folder."""
    return f"{split}2017/{image_id:012d}.jpg"


def annotation_path(split: str) -> str:
    """Where the labels of a split lie in the dataset's folder."""
    return f"annotations/person_keypoints_{split}2017.json"


def annotation_paths() -> tuple[str, ...]:
    """What is there once a dataset is finished."""
    return annotation_path("train"), annotation_path("val")


def write(out: Path, size: Size, rows: dict[str, Rows]) -> None:
    """Write the labels of every split."""
    import orjson

    for split, images in rows.items():
        write_bytes(out / annotation_path(split), orjson.dumps(_document(split, size, images)))


def _document(split: str, size: Size, images: Rows) -> dict[str, Any]:
    first = next(iter(images), 1)
    return {
        "info": {"description": f"PoseLab generated people, {split}", "version": "1.0"},
        "licenses": [{"id": 1, "name": "CC0-1.0", "url": "https://creativecommons.org/"}],
        "images": [
            {
                "id": image_id,
                "file_name": image_path(split, image_id).rpartition("/")[2],
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
                "skeleton": [[a + 1, b + 1] for a, b in COCO17.limb_index],
            }
        ],
    }


def _annotations(size: Size, images: Rows) -> Iterator[dict[str, Any]]:
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
