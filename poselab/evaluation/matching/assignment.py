"""Which pose answers for which labelled person, for metrics that compare person by person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from poselab.annotations.columns import rows_of
from poselab.evaluation.matching.similarity import oks
from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.annotations.table import Annotations
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Floats, Ints


def by_annotation_id(predictions: Predictions, annotations: Annotations) -> Ints:
    """The prediction row of every labelled person (M,), -1 for none, as the predictions say.

    Raises:
        InputError: a pose without a known annotation id, or a person answered twice.
    """
    ids, order = np.unique(annotations.annotation_ids, return_index=True)
    place = np.minimum(np.searchsorted(ids, predictions.annotation_ids), max(len(ids) - 1, 0))
    known = ids[place] == predictions.annotation_ids if len(ids) else np.zeros(len(place), bool)
    if not known.all():
        first = predictions.annotation_ids[np.argmin(known)]
        raise InputError(
            f"expected the annotation_id of a labelled person in every prediction, got "
            f"{'none' if first < 0 else first} in {int((~known).sum())}; PCK compares person by "
            "person: predict from ground-truth boxes, or score otherwise (--match best_oks or "
            "--metric oks; in training evaluator=oks)"
        )
    _refuse_repeated(predictions.annotation_ids)
    pose_of = np.full(annotations.instances, -1)
    pose_of[order[place]] = np.arange(len(predictions))
    return pose_of


def _refuse_repeated(annotation_ids: Ints) -> None:
    values, counts = np.unique(annotation_ids, return_counts=True)
    if (counts > 1).any():
        raise InputError(
            f"expected one prediction a person, got {counts.max()} of annotation_id "
            f"{values[counts.argmax()]}; keep the best"
        )


def by_best_oks(predictions: Predictions, annotations: Annotations) -> Ints:
    """The prediction row of every labelled person (M,), -1 for none, whatever ids the poses name.

    In each image, poses in order of score take the still free person of greatest OKS, if that is
    above 0: the matching of COCO (Lin et al. 2014) without its threshold, its crowds and its limit
    of detections. Of equal scores the earlier pose goes first, and of equal OKS the later person
    is taken, as pycocotools does both. A person without area is found by an exact pose alone.

    Raises:
        InputError: a pose of an image that is not annotated.
    """
    image = rows_of(annotations.image_ids, predictions.image_ids)
    if (image < 0).any():
        raise InputError(
            f"expected image ids of {annotations.source}, got {int((image < 0).sum())} others "
            f"such as {predictions.image_ids[np.argmin(image)]}"
        )
    order = np.lexsort((-predictions.scores, image))
    images, begins = np.unique(image[order], return_index=True)
    ends = np.append(begins[1:], len(order))
    findable = (annotations.visibility > 0).any(axis=1) & ~annotations.crowd
    pose_of = np.full(annotations.instances, -1)
    for row, begin, end in zip(images.tolist(), begins, ends[: len(begins)], strict=True):
        poses, instances = order[begin:end], np.array(annotations.rows(row), dtype=np.int64)
        instances = instances[findable[instances]]
        if len(instances):
            taken = _take_turns(oks(predictions.keypoints[poses][:, None], annotations, instances))
            pose_of[instances[taken >= 0]] = poses[taken[taken >= 0]]
    return pose_of


def _take_turns(similarities: Floats) -> Ints:
    """The pose row (G,) that each person gets, -1 for none, when poses choose in row order."""
    left = similarities[:, ::-1].copy()  # reversed, so that argmax finds the last of equals
    taken = np.full(left.shape[1], -1)
    for pose, row in enumerate(left):
        person = int(row.argmax())
        if row[person] > 0:
            taken[person] = pose
            left[:, person] = 0
        if (taken >= 0).all():
            break
    return taken[::-1]


MATCHES = {"annotation_id": by_annotation_id, "best_oks": by_best_oks}


def check_match(match: str) -> None:
    """Refuse a rule that is none of :data:`MATCHES`.

    Raises:
        InputError: it is none.
    """
    if match not in MATCHES:
        raise InputError(f"expected match {' or '.join(MATCHES)}, got {match!r}")


def match_contract(match: str, annotations: Annotations) -> dict[str, Any]:
    """What figures depend on through the rule by which people were answered for."""
    if match == "annotation_id":
        return {"match": match}
    sigmas = list(annotations.skeleton.oks_sigmas)
    return {"match": match, "sigmas": sigmas, "area": annotations.area_rule}
