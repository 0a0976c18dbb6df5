"""COCO's keypoint metric: average precision and recall over object keypoint similarity."""

from __future__ import annotations

import contextlib
import importlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from poselab.evaluation.metrics import Metrics, annotation_contract
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Floats, Ints

MODULES = {"hotcoco": "hotcoco", "pycocotools": "pycocotools.cocoeval"}
ALL, MEDIUM, LARGE = 0, 1, 2
AT_50, AT_75 = slice(0, 1), slice(5, 6)
ANY = slice(None)
KEYS = {
    "AP": ("precision", ANY, ALL),
    "AP50": ("precision", AT_50, ALL),
    "AP75": ("precision", AT_75, ALL),
    "APM": ("precision", ANY, MEDIUM),
    "APL": ("precision", ANY, LARGE),
    "AR": ("recall", ANY, ALL),
    "AR50": ("recall", AT_50, ALL),
    "AR75": ("recall", AT_75, ALL),
    "ARM": ("recall", ANY, MEDIUM),
    "ARL": ("recall", ANY, LARGE),
}
CATEGORY = {"id": 1, "name": "person"}


@dataclass(frozen=True)
class OksEvaluator:
    """The ten COCO keypoint figures, to the last digit those of pycocotools.

    ``engine`` is hotcoco or pycocotools; ``sigmas`` (K,) replace the skeleton's. People are
    numbered anew, because pycocotools takes a match with annotation 0 for no match. Source: Lin et
    al. 2014 and cocodataset.org/#keypoints-eval.
    """

    headline: ClassVar[str] = "AP"
    engine: str = "hotcoco"
    sigmas: Sequence[float] | None = None
    max_detections: int = 20

    def __post_init__(self) -> None:
        if self.engine not in MODULES:
            raise InputError(f"expected engine {' or '.join(MODULES)}, got {self.engine!r}")

    def __call__(
        self,
        predictions: Predictions,
        annotations: Annotations,
        image_ids: Sequence[int] | Ints | None = None,
    ) -> Metrics:
        """Score all pictures, or only those of ``image_ids``; NaN where nobody is to be found.

        Raises:
            InputError: as many sigmas as keypoints are needed, or an image id is not annotated.
        """
        sigmas = self._sigmas(annotations)
        chosen = _chosen(annotations, image_ids)
        best = predictions.take(_best(predictions, self.max_detections))
        if image_ids is not None:
            best = best.take(np.isin(best.image_ids, image_ids))
        truth, people = _truth(annotations, chosen)
        result = self._evaluate(truth, _found(best, truth), sigmas)
        values = {key: _mean(result[of][at], area) for key, (of, at, area) in KEYS.items()}
        contract = annotation_contract(annotations, int(chosen.sum()), people)
        return Metrics(values, contract | self._contract(predictions, annotations, sigmas))

    def _sigmas(self, annotations: Annotations) -> list[float]:
        skeleton = annotations.skeleton
        sigmas = list(skeleton.falloffs if self.sigmas is None else self.sigmas)
        if len(sigmas) != len(skeleton):
            raise InputError(
                f"expected {len(skeleton)} sigmas, one for each keypoint of {skeleton.name}, got "
                f"{len(sigmas)}"
            )
        return sigmas

    def _evaluate(
        self, truth: dict[str, Any], found: dict[str, Any], sigmas: list[float]
    ) -> dict[str, Any]:
        """The engine's precision and recall arrays; pycocotools chats on stdout, hence the sink."""
        engine = importlib.import_module(MODULES[self.engine])
        with contextlib.redirect_stdout(io.StringIO()):
            evaluation = engine.COCOeval(
                _index(engine, truth), _index(engine, found), iouType="keypoints"
            )
            evaluation.params.kpt_oks_sigmas = np.array(sigmas)
            evaluation.params.maxDets = [self.max_detections]
            evaluation.evaluate()
            evaluation.accumulate()
        return {key: np.asarray(evaluation.eval[key]) for key in ("precision", "recall")}

    def _contract(
        self, predictions: Predictions, annotations: Annotations, sigmas: list[float]
    ) -> dict[str, Any]:
        published = self.sigmas is None and annotations.skeleton.sigmas is not None
        return {
            "metric": "oks",
            "engine": self.engine,
            "sigmas": sigmas,
            "sigmas_from": "skeleton" if published else "guess" if self.sigmas is None else "user",
            "area": annotations.area_rule,
            "boxes": annotations.box_rule,
            "detection_area": "keypoints" if predictions.boxes is None else "boxes",
            "max_detections": self.max_detections,
        }


def _index(engine: Any, dataset: dict[str, Any]) -> Any:
    """The engine's COCO object over a dataset that no file holds."""
    coco = importlib.import_module(
        "hotcoco" if engine.__name__ == "hotcoco" else "pycocotools.coco"
    ).COCO()
    coco.dataset = dataset
    coco.createIndex()
    return coco


def _chosen(
    annotations: Annotations, image_ids: Sequence[int] | Ints | None
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Mask (N,) of the pictures to score."""
    if image_ids is None:
        return np.ones(len(annotations), dtype=bool)
    unknown = np.setdiff1d(np.asarray(image_ids), annotations.image_ids)
    if len(unknown):
        raise InputError(
            f"expected image ids of {annotations.source}, got {len(unknown)} others such as "
            f"{unknown[0]}"
        )
    return np.isin(annotations.image_ids, np.asarray(image_ids))


def _best(predictions: Predictions, limit: int) -> Ints:
    """Rows, in their order, of the ``limit`` best poses of every picture, ties by row as COCO's."""
    by_score = np.argsort(-predictions.scores, kind="stable")
    _, picture = np.unique(predictions.image_ids, return_inverse=True)
    if picture.size and picture.max() < 1 << 16:
        picture = picture.astype(np.uint16)  # NumPy sorts short integers by radix
    order = by_score[np.argsort(picture[by_score], kind="stable")]
    pictures = picture[order]
    begin = np.searchsorted(pictures, pictures, side="left")
    kept: Ints = np.sort(order[np.arange(len(order)) - begin < limit])
    return kept


def _truth(
    annotations: Annotations, chosen: np.ndarray[Any, np.dtype[np.bool_]]
) -> tuple[dict[str, Any], int]:
    """Annotations in COCO's layout, and how many people count (neither crowd nor unlabelled)."""
    picture_of = annotations.picture_of()
    rows = np.flatnonzero(chosen[picture_of])
    visible = annotations.visible[rows]
    labelled = annotations.labelled()[rows]
    points = np.concatenate([annotations.keypoints[rows], visible[..., None]], axis=2)
    columns = zip(
        annotations.image_ids[picture_of[rows]].tolist(),
        points.reshape(len(rows), 3 * len(annotations.skeleton)).tolist(),
        labelled.tolist(),
        annotations.boxes[rows].tolist(),
        annotations.areas[rows].tolist(),
        annotations.crowd[rows].astype(int).tolist(),
        strict=True,
    )
    names = ("image_id", "keypoints", "num_keypoints", "bbox", "area", "iscrowd")
    people = [
        {"id": number, "category_id": CATEGORY["id"], **dict(zip(names, row, strict=True))}
        for number, row in enumerate(columns, start=1)
    ]
    pictures = _pictures(annotations, chosen)
    dataset = {"images": pictures, "categories": [CATEGORY], "annotations": people}
    return dataset, int(((labelled > 0) & ~annotations.crowd[rows]).sum())


def _pictures(
    annotations: Annotations, chosen: np.ndarray[Any, np.dtype[np.bool_]]
) -> list[dict[str, Any]]:
    sizes = annotations.sizes[chosen].tolist()
    image_ids = annotations.image_ids[chosen].tolist()
    return [
        {"id": image_id, "file_name": "", "height": height, "width": width}
        for image_id, (height, width) in zip(image_ids, sizes, strict=True)
    ]


def _found(predictions: Predictions, truth: dict[str, Any]) -> dict[str, Any]:
    """Predictions in COCO's layout; a keypoint's third number plays no part and is left 1.

    Keypoints are views, which both engines read without a million Python numbers in between.
    """
    points = np.ones((*predictions.keypoint_scores.shape, 3))
    points[..., :2] = predictions.keypoints
    width = 3 * points.shape[1]
    flat = points.reshape(-1).data
    columns = zip(
        predictions.image_ids.tolist(),
        predictions.scores.tolist(),
        predictions.areas().tolist(),
        strict=True,
    )
    poses = [
        {
            "id": number + 1,
            "image_id": image_id,
            "category_id": CATEGORY["id"],
            "keypoints": flat[number * width : (number + 1) * width],
            "score": score,
            "area": area,
        }
        for number, (image_id, score, area) in enumerate(columns)
    ]
    return {**truth, "annotations": poses}


def _mean(values: Floats, area: int) -> float:
    """Mean over one area range (the axis before the last) of what exists; COCO marks gaps by -1."""
    one = values[..., area, -1]
    there = one[one > -1]
    return float(np.mean(there)) if there.size else float("nan")
