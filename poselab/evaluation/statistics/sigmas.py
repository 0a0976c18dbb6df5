"""OKS sigmas for keypoints without published ones: from repeated labels or a model's residuals."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from poselab.annotations.columns import rows_of
from poselab.evaluation.fractions import fraction
from poselab.evaluation.matching.instances import match_by_annotation_id, match_by_best_oks
from poselab.geometry import iou
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Floats, Ints, Mask

FEWEST = 30
"""With fewer people the standard error of a sigma exceeds about a tenth of it."""

LEAST_IOU = 0.5


class SigmaEstimate(NamedTuple):
    """A sigma for each of K keypoints, NaN without data.

    sigmas (K,) in the units of COCO: a part of the square root of a person's area; errors (K,)
    their standard errors; counts (K,) people behind each; ``rule`` how they were estimated.
    """

    keypoints: tuple[str, ...]
    sigmas: Floats
    errors: Floats
    counts: Ints
    rule: str

    def too_few(self, fewest: int = FEWEST) -> tuple[str, ...]:
        """The keypoints with fewer people than ``fewest``."""
        few = np.flatnonzero(self.counts < fewest)
        return tuple(self.keypoints[k] for k in few.tolist())


def sigmas_of_repeats(
    annotations: Annotations, others: Sequence[Annotations], least_iou: float = LEAST_IOU
) -> SigmaEstimate:
    """Sigmas from labels of the same people by several annotators.

    COCO's rule, sigma² = E[d² / area] with d the distance of a label from where the keypoint truly
    is (cocodataset.org/#keypoints-eval). The mean of n labels stands for the true position, from
    which labels are (n - 1) / n too close on average: sums of d² / area are therefore divided by
    n - 1, which for two labels is half the squared distance between them. Areas are those of
    ``annotations``. Two files show the same person where boxes overlap most, each being the
    other's best, with an IoU of ``least_iou`` or more.

    Raises:
        InputError: the files have other keypoints, or no person in common.
    """
    spread, freedom = _spreads(annotations, _stacked(annotations, others, least_iou))
    total = freedom.sum(axis=0)
    squared = fraction(spread.sum(axis=0), total)
    residual = np.where(freedom > 0, spread - freedom * squared, 0.0)
    error = fraction(np.sqrt(np.square(residual).sum(axis=0)), total)
    sigmas, counts = np.sqrt(squared), np.asarray((freedom > 0).sum(axis=0))
    errors = fraction(error, 2 * sigmas)  # d sigma = d sigma² / (2 sigma)
    return SigmaEstimate(
        annotations.skeleton.keypoints,
        sigmas,
        np.where(counts > 1, errors, np.nan),
        counts,
        f"repeated labels, {len(others) + 1} files",
    )


def sigmas_of_residuals(predictions: Predictions, annotations: Annotations) -> SigmaEstimate:
    """Sigmas from the distances of a model's keypoints to the labels, robust to outliers.

    sigma² = median(d² / area) / ln 2: for normal errors d² / area is exponential of mean sigma²,
    and its median ln 2 times that. This measures the model and the labels together, and so is more
    than annotators disagree by. Poses are matched by annotation ids if all have one, else by OKS.

    Raises:
        InputError: predictions that cannot be matched, or no person is matched.
    """
    named = bool((predictions.annotation_ids >= 0).all())
    match = match_by_annotation_id if named else match_by_best_oks
    pose_of = match(predictions, annotations)
    instances = np.flatnonzero((pose_of >= 0) & _measurable(annotations))
    if not len(instances):
        raise InputError(f"expected poses of people of {annotations.source}, got none")
    offsets = predictions.keypoints[pose_of[instances]] - annotations.keypoints[instances]
    relative = np.square(offsets).sum(axis=2) / annotations.areas[instances][:, None]
    relative[annotations.visibility[instances] == 0] = np.nan
    columns = [column[~np.isnan(column)] for column in relative.T]
    counts = np.array([len(column) for column in columns])
    # The median, because a few limbs mistaken for others would decide a mean of squares.
    middle = np.array([np.median(column) if len(column) else np.nan for column in columns])
    sigmas = np.sqrt(middle / np.log(2))
    errors = fraction(sigmas, 2 * np.log(2) * np.sqrt(counts))  # of the median of an exponential
    return SigmaEstimate(
        annotations.skeleton.keypoints, sigmas, errors, counts, "median residual of predictions"
    )


def _measurable(annotations: Annotations) -> Mask:
    """People (M,) with labelled keypoints and an area."""
    return annotations.scorable() & (annotations.areas > 0)


def _stacked(annotations: Annotations, others: Sequence[Annotations], least_iou: float) -> Floats:
    """Every file's positions (n, M, K, 2) of the people of the first, NaN where not labelled."""
    layers = [np.where(annotations.visibility[..., None] > 0, annotations.keypoints, np.nan)]
    for other in others:
        if other.skeleton.keypoints != annotations.skeleton.keypoints:
            raise InputError(
                f"expected the keypoints of {annotations.source} in {other.source}, got "
                f"{other.skeleton.name} instead of {annotations.skeleton.name}; label the same ones"
            )
        same = same_people(annotations, other, least_iou)
        if not (same >= 0).any():
            raise InputError(
                f"expected people of {annotations.source} in {other.source}, got none whose box "
                f"overlaps by {least_iou:g} or more in an image of the same id"
            )
        known = (same >= 0)[:, None] & (other.visibility[same] > 0)
        layers.append(np.where(known[..., None], other.keypoints[same], np.nan))
    return np.stack(layers)


def same_people(annotations: Annotations, other: Annotations, least_iou: float) -> Ints:
    """The row (M,) of each person in another file, -1 for none: each is the other's best box."""
    same = np.full(annotations.num_instances, -1)
    measurable, scorable = _measurable(annotations), other.scorable()
    there = rows_of(other.image_ids, annotations.image_ids)
    for image in np.flatnonzero(there >= 0).tolist():
        mine = np.array(annotations.rows(image), dtype=np.int64)
        theirs = np.array(other.rows(int(there[image])), dtype=np.int64)
        mine, theirs = mine[measurable[mine]], theirs[scorable[theirs]]
        if len(mine) and len(theirs):
            ious = iou(annotations.boxes[mine], other.boxes[theirs])
            best = ious.argmax(axis=1)
            row = np.arange(len(mine))
            mutual = (ious.argmax(axis=0)[best] == row) & (ious[row, best] >= least_iou)
            same[mine[mutual]] = theirs[best[mutual]]
    return same


def _spreads(annotations: Annotations, labels: Floats) -> tuple[Floats, Ints]:
    """Sums of d² / area (M, K) about the mean of each keypoint's labels, and their degrees of
    freedom (M, K), labels less one."""
    there = ~np.isnan(labels[..., 0])
    counts = there.sum(axis=0)
    filled = np.where(there[..., None], labels, 0.0)
    mean = filled.sum(axis=0) / np.maximum(counts, 1)[..., None]
    squared = (np.square(filled - mean).sum(axis=-1) * there).sum(axis=0)
    freedom = np.where(_measurable(annotations)[:, None], np.maximum(counts - 1, 0), 0)
    areas = np.where(annotations.areas > 0, annotations.areas, 1.0)[:, None]
    return squared / areas * (freedom > 0), freedom
