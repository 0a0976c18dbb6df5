"""Error diagnosis: what is wrong with predictions, instance by instance and joint by joint.

After Ronchi and Perona, "Benchmarking and Error Diagnosis in Multi-Instance Pose Estimation" (ICCV
2017), for any skeleton and any number of instances.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from poselab.evaluation.diagnosis.keypoint_errors import (
    KeypointDiagnosis,
    KeypointStatus,
    diagnose_keypoints,
)
from poselab.evaluation.diagnosis.pose_matching import match_poses, select
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.images import ImageIds
    from poselab.evaluation.matching.pairs import Pairs
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Floats, Ints, Mask


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """The errors of N poses on M instances of K keypoints.

    Instances: scored (M,) bool, those that count: labelled, no crowd, in a chosen image; pose_of
    (M,), the row of the matched prediction, -1 for none, which for a scored instance is a false
    negative; oks (M,) of that pose, 0 without one, NaN for instances that are not scored;
    score_errors (M,) bool: a left-over pose with OKS 0.5 or more scores higher than the pose that
    is most similar to the instance.

    Keypoints: keypoints, arrays (M, K) of what is known of each.

    Poses: evaluated (N,) bool, the ``max_detections`` best of each chosen image; background (F,)
    rows of poses that are similar to no instance, background false positives; duplicates (D,) rows
    of poses whose instances were all matched to poses with higher scores; optimal_scores (N,)
    rank all poses in the best possible way: the OKS with the instance that a pose gets when the
    most similar pairs are matched first; below 0 for poses without an instance.

    sigmas (K,) are those of every similarity.
    """

    scored: Mask
    pose_of: Ints
    oks: Floats
    score_errors: Mask
    keypoints: KeypointDiagnosis
    evaluated: Mask
    background: Ints
    duplicates: Ints
    optimal_scores: Floats
    sigmas: tuple[float, ...]

    @property
    def status(self) -> Ints:
        """Codes (M, K) uint8 of :class:`KeypointStatus`; UNKNOWN (255) where it is not labelled or
        no pose is matched."""
        return self.keypoints.status

    @property
    def false_negatives(self) -> Mask:
        """Scored instances (M,) without a matched pose."""
        return self.scored & (self.pose_of < 0)

    @property
    def grouping_errors(self) -> Mask:
        """Swaps and misses (M, K) whose keypoint lies in another pose."""
        return self.keypoints.grouped_into >= 0

    def has_status(self, status: KeypointStatus) -> Mask:
        """The keypoints (M, K) with a status."""
        return np.asarray(self.status == status.code)

    def counts_by_joint(self) -> Ints:
        """How many keypoints (K, 5) have each status, in the order of :class:`KeypointStatus`."""
        return np.stack([self.has_status(s).sum(axis=0) for s in KeypointStatus], axis=1)

    def shares(self) -> Floats:
        """The share (5,) of each status among labelled keypoints of matched instances, else NaN."""
        counts = self.counts_by_joint().sum(axis=0)
        return counts / counts.sum() if counts.any() else np.full(len(KeypointStatus), np.nan)


def diagnose(
    predictions: Predictions,
    annotations: Annotations,
    image_ids: ImageIds = None,
    sigmas: Sequence[float] | None = None,
    max_detections: int = 20,
    pairs: Pairs | None = None,
) -> Diagnosis:
    """Diagnose all images, or only those of ``image_ids``; ``sigmas`` replace the skeleton's.
    ``pairs`` are all scorable ones, if they are known.

    Poses and instances are matched once: in the order of their scores, each pose of an image takes
    the unmatched instance of greatest OKS, if it is 0.1 or more. A pose that is similar to a crowd
    or a person without labels only, by COCO's rule for these, is ignored.

    Raises:
        InputError: predictions of another skeleton, a wrong number of sigmas, or an image that is
            not annotated.
    """
    oks_sigmas = _checked_sigmas(annotations, sigmas)
    selection = select(predictions, annotations, image_ids, max_detections)
    if not len(predictions):  # an empty file has no axis of keypoints
        predictions = replace(predictions, keypoints=np.empty((0, len(oks_sigmas), 2)))
    matches = match_poses(predictions, annotations, selection, oks_sigmas, pairs)
    return Diagnosis(
        scored=selection.scored,
        pose_of=matches.pose_of,
        oks=matches.oks,
        score_errors=matches.score_errors,
        keypoints=diagnose_keypoints(
            predictions.keypoints, matches.pose_of, matches.pairs, annotations, oks_sigmas
        ),
        evaluated=selection.evaluated,
        background=matches.background,
        duplicates=matches.duplicates,
        optimal_scores=matches.optimal_scores,
        sigmas=oks_sigmas,
    )


def _checked_sigmas(annotations: Annotations, sigmas: Sequence[float] | None) -> tuple[float, ...]:
    skeleton = annotations.skeleton
    given = skeleton.oks_sigmas if sigmas is None else tuple(sigmas)
    if len(given) != len(skeleton):
        raise InputError(
            f"expected {len(skeleton)} sigmas, one for each keypoint of {skeleton.name}, got "
            f"{len(given)}"
        )
    return given
