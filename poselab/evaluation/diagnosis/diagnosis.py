"""Error diagnosis: what is wrong with predictions, person by person and joint by joint.

After Ronchi and Perona, "Benchmarking and Error Diagnosis in Multi-Instance Pose Estimation" (ICCV
2017), for any skeleton and any number of people. Kinds of joints are in
:mod:`poselab.evaluation.diagnosis.keypoint_errors`, the AP that each error costs in
:mod:`poselab.evaluation.diagnosis.costs`, shares by joint, size, crowding and visibility in
:mod:`poselab.evaluation.diagnosis.breakdown`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from poselab.evaluation.diagnosis.breakdown import Row as Row
from poselab.evaluation.diagnosis.breakdown import breakdown as breakdown
from poselab.evaluation.diagnosis.costs import Cost as Cost
from poselab.evaluation.diagnosis.costs import costs as costs
from poselab.evaluation.diagnosis.keypoint_errors import UNKNOWN as UNKNOWN
from poselab.evaluation.diagnosis.keypoint_errors import Joints, joints_of
from poselab.evaluation.diagnosis.keypoint_errors import Kind as Kind
from poselab.evaluation.diagnosis.matching import match, parties
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.evaluator import ImageIds
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Floats, Ints

    Mask = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What N poses and M people of K joints have to do with each other.

    People: scored (M,) bool, who counts: has labelled joints, is no crowd, is in a chosen image;
    pose (M,), the prediction row that answers for the person, -1 for nobody, which for a scored
    person is a false negative; oks (M,) of that pose, 0 where nobody answers, NaN for people who do
    not count; misranked (M,) bool, score errors: a pose with OKS 0.5 or more that answers for
    nobody better is ranked above the pose most like the person.

    Joints: joint (M, K) uint8, codes of :class:`Kind`, UNKNOWN (255) where it is not labelled or
    nobody answers; joints, what else is known of them.

    Poses: considered (N,) bool, the ``max_detections`` best of each chosen image; background (F,)
    rows of those that are like nobody, background false positives; doubles (D,) rows of those that
    answer for nobody because better-scored poses took whom they are like; optimal (N,), scores
    that rank all poses as best they can be ranked: the OKS with the person that a pose is left with
    when the most similar pairs are matched first; below 0 for all others.

    sigmas (K,) are the falloffs that all similarities are measured with.
    """

    scored: Mask
    pose: Ints
    oks: Floats
    misranked: Mask
    joint: Ints
    joints: Joints
    considered: Mask
    background: Ints
    doubles: Ints
    optimal: Floats
    sigmas: tuple[float, ...]

    @property
    def missed(self) -> Mask:
        """The false negatives (M,)."""
        return self.scored & (self.pose < 0)

    @property
    def grouping(self) -> Mask:
        """Swaps and misses (M, K) whose joint another pose has: grouping errors."""
        return self.joints.found_in >= 0

    def is_kind(self, kind: Kind) -> Mask:
        """The joints (M, K) of a kind."""
        return np.asarray(self.joint == kind.code)

    def counts_by_joint(self) -> Ints:
        """How many joints (K, 5) are of each kind, in the order of :class:`Kind`."""
        return np.stack([self.is_kind(kind).sum(axis=0) for kind in Kind], axis=1)

    def shares(self) -> Floats:
        """Shares (5,) of each kind among the labelled joints that a pose answers for, else NaN."""
        counts = self.counts_by_joint().sum(axis=0)
        return counts / counts.sum() if counts.any() else np.full(len(Kind), np.nan)


def diagnose(
    predictions: Predictions,
    annotations: Annotations,
    image_ids: ImageIds = None,
    sigmas: Sequence[float] | None = None,
    max_detections: int = 20,
) -> Diagnosis:
    """Diagnose all images, or only those of ``image_ids``; ``sigmas`` replace the skeleton's.

    Poses and people are matched once: in each image poses take turns, the best score first, and
    each takes the free person of greatest OKS, if it is 0.1 or more. A pose that is like nobody but
    like a crowd or a person without labels, by COCO's rule for these, is left out.

    Raises:
        InputError: predictions of another skeleton, as many sigmas as keypoints are needed, or a
            image is not annotated.
    """
    oks_sigmas = _falloffs(annotations, sigmas)
    who = parties(predictions, annotations, image_ids, max_detections)
    if not len(predictions):  # which may come without an axis of keypoints
        predictions = replace(predictions, keypoints=np.empty((0, len(oks_sigmas), 2)))
    found = match(predictions, annotations, who, oks_sigmas)
    joints = joints_of(predictions.keypoints, found.pose, found.pairs, annotations, oks_sigmas)
    return Diagnosis(
        scored=who.scored,
        pose=found.pose,
        oks=found.oks,
        misranked=found.misranked,
        joint=joints.kind,
        joints=joints,
        considered=who.considered,
        background=found.background,
        doubles=found.doubles,
        optimal=found.optimal,
        sigmas=oks_sigmas,
    )


def _falloffs(annotations: Annotations, sigmas: Sequence[float] | None) -> tuple[float, ...]:
    skeleton = annotations.skeleton
    given = skeleton.oks_sigmas if sigmas is None else tuple(sigmas)
    if len(given) != len(skeleton):
        raise InputError(
            f"expected {len(skeleton)} sigmas, one for each keypoint of {skeleton.name}, got "
            f"{len(given)}"
        )
    return given
