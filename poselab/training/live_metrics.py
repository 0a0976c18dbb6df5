"""The metrics of ``poselab evaluate`` as torchmetrics, for training loops that are not PoseLab's.

Both take plain tensors of image pixels, one row per pose or labelled person, in any batches. Rows
are kept flat, as one vector of doubles for each of the two, because that is what torchmetrics can
gather from processes of which some have no rows; evaluators then score all rows at once.

Poses, N of K keypoints, in ``preds``:
    image_ids (N,)   scores (N,)   keypoints (N, K, 2)
    annotation_ids (N,), the person in whose box each was predicted; -1, or left out: not known
People, M in ``target``:
    image_ids (M,)   annotation_ids (M,), distinct   keypoints (M, K, 2)   visibility (M, K) 0, 1, 2
    areas (M,) pixels², needed wherever OKS is   head_boxes (M, 4) x y w h, needed by PCKh
    boxes (M, 4) x y w h and crowd (M,), zeros if left out
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
import torch.distributed
from torch import Tensor
from torchmetrics import Metric

from poselab.annotations.table import Annotations
from poselab.evaluation.metrics.oks import OksEvaluator
from poselab.evaluation.metrics.pckh import PckhEvaluator
from poselab.evaluation.predictions import Predictions, merge
from poselab.skeletons import COCO17, MPII16
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from poselab.evaluation.evaluator import Evaluator
    from poselab.structures import Floats, Skeleton


class Column(NamedTuple):
    """A key, how many numbers a row has under it, and the value where it is left out."""

    name: str
    width: int
    absent: float | None = None


class FileMetric(Metric):
    """Gathers poses and people, and scores them with an evaluator as if they were files.

    A sampler that pads repeats people: those of one annotation id count once, and poses are merged
    over processes by :func:`poselab.evaluation.predictions.merge`.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    poses: list[Tensor]
    people: list[Tensor]

    def __init__(self, evaluator: Evaluator, skeleton: Skeleton, needs: Sequence[str]) -> None:
        super().__init__()
        self.evaluator, self.skeleton = evaluator, skeleton
        self._person_columns = _person_columns(len(skeleton), needs)
        self.set_dtype(torch.float64)
        self.add_state("poses", default=[], dist_reduce_fx="cat")
        self.add_state("people", default=[], dist_reduce_fx="cat")

    def update(self, preds: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> None:
        """Add poses and people as this module's docstring describes; either side may have no rows.

        Raises:
            InputError: a key is missing or unknown, a shape does not fit, a number is not finite.
        """
        poses = _packed("preds", preds, _pose_columns(len(self.skeleton)))
        people = _packed("target", target, self._person_columns)
        self.poses.append(poses.to(self.device))
        self.people.append(people.to(self.device))

    def compute(self) -> dict[str, Tensor]:
        """The evaluator's values, fractions as doubles; NaN where there is nothing to measure.

        Raises:
            InputError: rows that the evaluator cannot score.
        """
        poses = _unpacked(self.poses, _pose_columns(len(self.skeleton)))
        people = _unpacked(self.people, self._person_columns)
        table = _table(people, np.unique(poses["image_ids"]), self.skeleton)
        values = self.evaluator(_predictions(poses), table).values
        return {
            key: torch.tensor(value, dtype=torch.float64, device=self.device)
            for key, value in values.items()
        }


class KeypointAP(FileMetric):
    """COCO's ten keypoint metrics, AP to ARL, to the last digit those of pycocotools.

    ``sigmas`` (K,) replace the skeleton's. Source: Lin et al. 2014.
    """

    def __init__(
        self,
        skeleton: Skeleton = COCO17,
        sigmas: Sequence[float] | None = None,
        max_detections: int = 20,
        engine: str = "hotcoco",
    ) -> None:
        evaluator = OksEvaluator(engine, sigmas, max_detections)
        super().__init__(evaluator, skeleton, needs=("areas",))


class PCKh(FileMetric):
    """PCKh at ``thresholds`` of 0.6 times the diagonal of the head box (Andriluka et al. 2014).

    ``match`` "annotation_id" needs those of the poses; "best_oks" needs the people's areas.
    """

    def __init__(
        self,
        skeleton: Skeleton = MPII16,
        thresholds: Sequence[float] = (0.5, 0.1, 0.11),
        match: str = "annotation_id",
    ) -> None:
        needs = ("head_boxes", "areas") if match == "best_oks" else ("head_boxes",)
        super().__init__(PckhEvaluator(thresholds, match), skeleton, needs)


def _pose_columns(joints: int) -> tuple[Column, ...]:
    """What is kept of a pose, with the process that predicted it."""
    here = torch.distributed.is_available() and torch.distributed.is_initialized()
    rank = torch.distributed.get_rank() if here else 0
    named = (Column("image_ids", 1), Column("annotation_ids", 1, -1.0), Column("scores", 1))
    return (*named, Column("keypoints", 2 * joints), Column("rank", 1, float(rank)))


def _person_columns(joints: int, needs: Sequence[str]) -> tuple[Column, ...]:
    """What is kept of a person; what ``needs`` does not name may be left out.

    Every metric keeps the same columns, because a MetricCollection lets those of equal state share.
    """
    named = (Column("image_ids", 1), Column("annotation_ids", 1), Column("visibility", joints))
    points = Column("keypoints", 2 * joints)
    widths = {"areas": 1, "head_boxes": 4, "boxes": 4, "crowd": 1}
    sizes = (Column(name, w, None if name in needs else 0.0) for name, w in widths.items())
    return (*named, points, *sizes)


def _packed(side: str, given: Mapping[str, Tensor], columns: Sequence[Column]) -> Tensor:
    """All columns row by row, flat, as doubles."""
    needed = [column.name for column in columns if column.absent is None]
    names = [column.name for column in columns if column.name != "rank"]
    if not set(needed) <= set(given) <= set(names):
        raise InputError(
            f"expected {', '.join(needed)} in {side} (and none but {', '.join(names)}), got "
            f"{', '.join(given) or 'nothing'}"
        )
    count = len(given["image_ids"])
    rows = torch.cat([_column(side, given, column, count) for column in columns], dim=1)
    if not bool(torch.isfinite(rows).all()):
        raise InputError(f"expected finite numbers in {side}, got NaN or infinity; leave such out")
    return rows.flatten()


def _column(side: str, given: Mapping[str, Tensor], column: Column, count: int) -> Tensor:
    if column.name not in given:
        assert column.absent is not None
        like = given["image_ids"]
        return torch.full((count, column.width), column.absent, device=like.device).double()
    values = given[column.name]
    if len(values) != count or values.numel() != count * column.width:
        raise InputError(
            f"expected {column.width} numbers in each of {count} rows of {side}[{column.name!r}], "
            f"got the shape {tuple(values.shape)}"
        )
    return values.detach().reshape(count, column.width).double()


def _unpacked(state: list[Tensor] | Tensor, columns: Sequence[Column]) -> dict[str, Floats]:
    """The columns of all rows, (N,) or (N, width)."""
    parts = [state] if isinstance(state, Tensor) else state
    widths = [column.width for column in columns]
    flat = np.concatenate([np.empty(0), *(part.cpu().numpy() for part in parts)])
    pieces = np.split(flat.reshape(-1, sum(widths)), np.cumsum(widths)[:-1], axis=1)
    return {
        column.name: piece[:, 0] if column.width == 1 else piece
        for column, piece in zip(columns, pieces, strict=True)
    }


def _predictions(poses: dict[str, Floats]) -> Predictions:
    """One pose per row; the rows of each process are a shard."""
    width = poses["keypoints"].shape[1] // 2
    points = poses["keypoints"].reshape(len(poses["scores"]), width, 2)
    everything = Predictions(
        poses["image_ids"].astype(np.int64),
        poses["annotation_ids"].astype(np.int64),
        points,
        np.ones(points.shape[:2]),
        poses["scores"],
    )
    ranks = np.unique(poses["rank"])
    return merge([everything.take(poses["rank"] == rank) for rank in ranks] or [everything])


def _table(people: dict[str, Floats], pose_images: Floats, skeleton: Skeleton) -> Annotations:
    """The people sorted by image and annotation id, with the images that have only poses."""
    keys = np.stack([people["image_ids"], people["annotation_ids"]], axis=1).astype(np.int64)
    keys, first = np.unique(keys, axis=0, return_index=True)
    rows: dict[str, Any] = {name: values[first] for name, values in people.items()}
    image_ids = np.union1d(keys[:, 0], pose_images.astype(np.int64))
    nothing = np.empty(0, np.int64)
    return Annotations(
        skeleton=skeleton,
        source="tensors",
        fingerprint="",
        image_ids=image_ids,
        sizes=np.zeros((len(image_ids), 2), np.int32),
        file_names=np.full(len(image_ids), b""),
        first_person=np.append(np.searchsorted(keys[:, 0], image_ids), len(keys)),
        annotation_ids=keys[:, 1],
        keypoints=rows["keypoints"].reshape(len(keys), len(skeleton), 2),
        visibility=rows["visibility"].reshape(len(keys), len(skeleton)).astype(np.uint8),
        boxes=rows["boxes"],
        areas=rows["areas"],
        crowd=rows["crowd"] != 0,
        head_boxes=rows["head_boxes"],
        mask_rows=nothing,
        mask_ends=nothing,
        mask_bytes=nothing.astype(np.uint8),
    )
