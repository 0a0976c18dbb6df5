"""What mmpose dumps: samples (1.x, ``tools/test.py --dump``) or batches (0.x, ``--out x.pkl``).

Both write it before mmpose's metric rescores poses and removes duplicates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from poselab.evaluation.formats.arrays.rows import of_images
from poselab.evaluation.formats.project_records import ReadRecords
from poselab.evaluation.predictions import Predictions
from poselab.io.json_text import shortened
from poselab.io.memory import check_memory
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from poselab.annotations.table import Annotations
    from poselab.structures import Floats, Ints

LEAST_SCORE = 0.2
"""Of the keypoints whose mean multiplies a box's score: CocoMetric's ``keypoint_score_thr``."""


_LONGEST = 4096  # letters of a path
_BATCH = {"preds", "boxes", "image_paths", "bbox_ids"}


def is_dump(tree: Any) -> bool:
    """Whether an unpickled file is such a list."""
    first = tree[0] if isinstance(tree, list) and tree else None
    return isinstance(first, dict) and ("pred_instances" in first or first.keys() >= _BATCH)


def predictions_of_dump(
    samples: Sequence[Any], source: str, annotations: Annotations
) -> ReadRecords:
    """The predictions of a dump, with the scores that mmpose's metric gives by default.

    A pose names its person where the samples' ids are those of the annotations, or their numbers
    from 0 in the order of their ids, as MpiiDataset counts.

    Raises:
        InputError: a sample lacks or misshapes a field, or its image is unknown.
    """
    if "pred_instances" not in samples[0]:
        samples = list(_samples_of_batches(samples, source))
    first: dict[tuple[Any, Any], dict[str, Any]] = {}
    for sample in samples:
        image, number = _field(sample, "img_id", source), _field(sample, "id", source)
        image = image if isinstance(image, str) else _whole(image, source)
        first.setdefault((image, _whole(number, source)), sample)
    instances = [_instances(sample, source) for sample in first.values()]
    check_memory(sum(a.nbytes for arrays in instances for a in arrays), source)
    counts = [len(arrays[0]) for arrays in instances]
    images, numbers = (np.repeat(np.array(ids), counts) for ids in zip(*first, strict=True))
    keypoints, of_joints, of_boxes = (
        _joined(column, source) for column in zip(*instances, strict=True)
    )
    good = of_joints > LEAST_SCORE
    means = (of_joints * good).sum(axis=1) / np.maximum(good.sum(axis=1), 1)
    rows = of_images(images, annotations, "img_id")
    if rows is None and images.dtype.kind != "i":
        raise InputError(
            f"expected images of {annotations.source} in {source}, got "
            f"{shortened(str(images[0]))}; give the annotations that they are of"
        )
    named = annotations.image_ids[rows.images] if rows else images
    found = Predictions(
        named, _people(named, numbers, counts, annotations), keypoints, of_joints, of_boxes * means
    )
    return ReadRecords(
        found,
        (
            f"scores of poses are their box's times the mean of their keypoints' above "
            f"{LEAST_SCORE:g}, as mmpose's metrics have by default",
            "mmpose dumps poses before its NMS: duplicates are scored as they are",
        ),
    )


def _samples_of_batches(batches: Sequence[Any], source: str) -> Iterator[dict[str, Any]]:
    """Batches of mmpose 0.x as samples of 1.x; a box is centre, scale, area and score."""
    for batch in batches:
        paths = _field(batch, "image_paths", source)
        poses = _array(_field(batch, "preds", source), source)
        boxes = _array(_field(batch, "boxes", source), source)
        numbers = _field(batch, "bbox_ids", source)
        lists = isinstance(paths, list) and isinstance(numbers, list)
        count = len(paths) if lists and len(paths) == len(numbers) else -1
        if poses.shape != (count, *poses.shape[1:2], 3) or boxes.shape != (count, 6):
            raise InputError(
                f"expected lists of n image_paths and bbox_ids, preds (n, K, 3) and boxes (n, 6) "
                f"in every batch of {source}, got preds {poses.shape} and boxes {boxes.shape}"
            )
        for path, number, pose, box in zip(paths, numbers, poses, boxes, strict=True):
            instances = {"keypoints": pose[None, :, :2], "keypoint_scores": pose[None, :, 2]}
            instances["bbox_scores"] = box[-1:]
            yield {"img_id": str(path)[:_LONGEST], "id": number, "pred_instances": instances}


def _field(sample: Any, name: str, source: str) -> Any:
    if not isinstance(sample, dict) or name not in sample:
        raise InputError(
            f"expected {name} in every sample of {source}, got {_kind(sample)}; is it a dump of "
            "mmpose?"
        )
    return sample[name]


def _kind(value: Any) -> str:
    """What something is; it is not printed, since a small pickle can hold what prints endlessly."""
    if isinstance(value, dict):
        return "a dict of " + shortened([str(name)[:30] for name in value][:8])
    return shortened(type(value).__name__)


def _whole(value: Any, source: str) -> int:
    single = value.item() if getattr(value, "size", 0) == 1 else value
    if not isinstance(single, int) or abs(single) >= 1 << 63:
        raise InputError(f"expected whole numbers as ids in {source}, got {_kind(value)}")
    return single


def _instances(sample: Any, source: str) -> tuple[Floats, Floats, Floats]:
    """Keypoints (n, K, 2), their scores (n, K) and boxes' scores (n,) of a sample."""
    instances = _field(sample, "pred_instances", source)
    keypoints = _array(_field(instances, "keypoints", source), source)
    shape = keypoints.shape[:2]
    of_joints = _array(_field(instances, "keypoint_scores", source), source)
    of_boxes = _array(instances.get("bbox_scores", np.ones(shape[:1])), source).reshape(-1)
    if keypoints.ndim != 3 or keypoints.shape[2] < 2 or of_joints.shape != shape:
        raise InputError(
            f"expected keypoints (n, K, 2) and scores (n, K) in every sample of {source}, got "
            f"{keypoints.shape} and {of_joints.shape}"
        )
    if len(of_boxes) != len(keypoints):
        raise InputError(
            f"expected {len(keypoints)} bbox_scores in a sample of {source}, got {len(of_boxes)}"
        )
    return keypoints[..., :2], of_joints, of_boxes


def _array(value: Any, source: str) -> Floats:
    """An array or tensor of numbers; lists could refer to themselves many times over."""
    array = value.detach().numpy() if hasattr(value, "detach") else value
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
        raise InputError(
            f"expected arrays of numbers as predictions in {source}, got {_kind(value)}"
        )
    return array


def _joined(column: Sequence[Floats], source: str) -> Floats:
    if len({array.shape[1:] for array in column}) > 1:
        raise InputError(f"expected the same number of keypoints in every sample of {source}")
    return np.concatenate(column).astype(np.float64)


def _people(
    image_ids: Ints, numbers: Ints, counts: Sequence[int], annotations: Annotations
) -> Ints:
    """Annotation ids (N,), -1 unless every sample is one person of its image."""
    order = np.argsort(annotations.annotation_ids, kind="stable")
    ids = annotations.annotation_ids[order]
    images = annotations.image_ids[annotations.image_of()[order]]
    if set(counts) == {1}:
        places = np.minimum(np.searchsorted(ids, numbers), len(ids) - 1)
        counted = np.minimum(numbers, len(ids) - 1)
        for rows, fits in ((places, ids[places] == numbers), (counted, counted == numbers)):
            if fits.all() and (images[rows] == image_ids).all():
                return np.asarray(ids[rows])
    return np.full(len(numbers), -1)
