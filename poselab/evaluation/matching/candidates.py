"""COCO's greedy rule over pairs that are compared once, as often as other people are ignored, poses
moved or ranked otherwise.

An engine compares all poses with all people of an image each time. Decisions are the same; tests
hold them to both engines'.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from poselab.annotations.columns import rows_of
from poselab.evaluation.matching.coco import AREAS, THRESHOLDS, Matching
from poselab.evaluation.matching.pairs import (
    Pairs,
    oks_of_pairs,
    same_image_pairs,
    scorable_pairs,
    score_ranks,
    slices_of_pairs,
)
from poselab.evaluation.matching.similarity import oks_of_regions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Floats, Ints, Mask


class Candidates(NamedTuple):
    """The D best poses of the chosen images in COCO's order, and the people they can be matched to.

    row (D,) of the predictions, image (D,) row among image_ids (N,), scores (D,), rank (D,) in the
    image; outside (D,): larger than COCO's area range "all", so that it is ignored if unmatched.
    The pairs' poses are places among these D; pairs are sorted by rank, pose, OKS and person.
    """

    row: Ints
    image: Ints
    scores: Floats
    rank: Ints
    outside: Mask
    image_ids: Ints
    pairs: Pairs

    def moved(self, rows: Ints, poses: Predictions, pairs: Pairs) -> Candidates:
        """The same when some of the predictions, by their rows (n,), are now these poses (n) with
        these pairs."""
        place = np.full(max(rows.max(initial=-1), self.row.max(initial=-1)) + 1, -1)
        place[self.row] = np.arange(len(self.row))
        places = place[rows]
        outside = self.outside.copy()
        outside[places[places >= 0]] = _poses_out_of_range(poses)[places >= 0]
        old = self.pairs.take(~np.isin(self.pairs.pose, places))
        new = pairs._replace(pose=places[pairs.pose])
        return self._replace(outside=outside, pairs=_in_order([old, new], self.rank))


def pairs_to_match(
    predictions: Predictions,
    annotations: Annotations,
    sigmas: Sequence[float],
    scorable: Pairs | None = None,
) -> Pairs:
    """The pairs of a pose and any person of its image, ignored ones too, whose OKS reaches COCO's
    lowest threshold; ``scorable`` are those of :func:`scorable_pairs`, if they are known."""
    if scorable is None:
        scorable = scorable_pairs(predictions, annotations, sigmas)
    image = rows_of(annotations.image_ids, predictions.image_ids)
    poses = np.flatnonzero(image >= 0)
    labelled = np.asarray((annotations.visibility > 0).any(axis=1))

    def rows(people: Mask) -> tuple[Ints, Ints]:
        return same_image_pairs(poses, image[poses], np.flatnonzero(people), annotations)

    crowds = oks_of_pairs(rows(labelled & annotations.crowd), predictions, annotations, sigmas)
    pose, region = rows(~labelled)
    oks = np.empty(len(pose))
    for part in slices_of_pairs(len(pose), len(sigmas)):
        keypoints = predictions.keypoints[pose[part]]
        oks[part] = oks_of_regions(keypoints, annotations, region[part], sigmas)
    parts = (scorable, crowds, Pairs(pose, region, oks))
    similar = [pairs.take(pairs.oks >= THRESHOLDS[0]) for pairs in parts]
    return Pairs(*(np.concatenate(columns) for columns in zip(*similar, strict=True)))


def candidates(
    predictions: Predictions,
    annotations: Annotations,
    pairs: Pairs,
    images: Mask,
    max_detections: int,
) -> Candidates:
    """The ``max_detections`` best poses of each of the masked images (N,), with their ``pairs``."""
    image_ids = np.sort(annotations.image_ids[images])
    image = rows_of(image_ids, predictions.image_ids)
    rows = np.flatnonzero(image >= 0)
    rank = score_ranks(predictions.scores[rows], image[rows])
    rows, rank = rows[rank < max_detections], rank[rank < max_detections]
    # pycocotools sorts by merge sort: of equal scores the image of lower id comes first.
    order = np.lexsort((rank, image[rows], -predictions.scores[rows]))
    rows, rank = rows[order], rank[order]
    place = np.full(len(predictions), -1)
    place[rows] = np.arange(len(rows))
    return Candidates(
        row=rows,
        image=image[rows],
        scores=predictions.scores[rows],
        rank=rank,
        outside=_poses_out_of_range(predictions)[rows],
        image_ids=image_ids,
        pairs=_in_order([pairs._replace(pose=place[pairs.pose])], rank),
    )


def _in_order(parts: Sequence[Pairs], rank: Ints) -> Pairs:
    """The pairs of all parts in the candidates' order, without those whose pose is no candidate
    (-1); ``rank`` (D,) is that of the poses."""
    pose, person, oks = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = np.lexsort((person, oks, pose, rank[pose]))
    return Pairs(pose, person, oks).take(order[pose[order] >= 0])


def match_candidates(
    found: Candidates, annotations: Annotations, outside: Mask | None = None
) -> Matching:
    """What COCO matches in its area range "all", people with 0 recorded keypoints ignored.

    Unmatched poses are ignored if their rows are in the mask ``outside`` (N,).
    """
    ignored = annotations.crowd | (annotations.labelled() == 0) | _out_of_range(annotations.areas)
    person = _persons(found, ignored, annotations.crowd)
    or_none = np.append(ignored, False)  # -1 for no person takes the last
    ignored_pose = np.stack([or_none[of_threshold] for of_threshold in person])
    not_counted = found.outside if outside is None else found.outside | outside[found.row]
    ignored_pose |= (person < 0) & not_counted
    image_of_person = rows_of(found.image_ids, annotations.image_ids)[annotations.image_of()]
    counted = image_of_person[~ignored & (image_of_person >= 0)]
    return Matching(
        row=found.row,
        image=found.image,
        scores=found.scores,
        person=person[None],
        ignored=ignored_pose[None],
        counts=np.bincount(counted, minlength=len(found.image_ids))[None],
        image_ids=found.image_ids,
    )


def _out_of_range(areas: Floats) -> Mask:
    """Which areas (n,) are not in COCO's range "all"."""
    low, high = AREAS["all"]
    return np.asarray((areas < low) | (areas > high))


def _poses_out_of_range(predictions: Predictions) -> Mask:
    """Which poses (N,) are not in COCO's range "all"."""
    keypoints = predictions.keypoints
    if predictions.boxes is None and keypoints.size:
        widest = keypoints.max() - keypoints.min()
        if widest**2 <= AREAS["all"][1]:  # no pose is that wide
            return np.zeros(len(predictions), dtype=bool)
    return _out_of_range(predictions.areas())


def ignoring_instances(annotations: Annotations, instances: Mask) -> Annotations:
    """The annotations in which the evaluator ignores these instances (M,)."""
    # COCO's metric ignores instances that have 0 keypoints on record.
    labelled = np.where(instances, 0, annotations.labelled())
    return replace(annotations, recorded_keypoints=labelled, cache_file="")


def _persons(found: Candidates, ignored: Mask, crowd: Mask) -> Ints:
    """The person (T, D) matched to each pose at each threshold, -1 for none.

    Poses of an image choose in the order of their ranks: the person of greatest OKS who is not
    taken, of equals the later, and an ignored one only where no other is similar enough; a crowd
    can be taken again (pycocotools, ``evaluateImg``). Poses of one rank lie in different images and
    choose at once.
    """
    pose, person, oks = found.pairs
    preference = np.arange(len(pose)) + len(pose) * ~ignored[person]
    similar = oks >= THRESHOLDS[:, None]
    taken = np.zeros((len(THRESHOLDS), len(ignored)), dtype=bool)
    person_of = np.full((len(THRESHOLDS), len(found.row)), -1, np.int32)
    _, begins = np.unique(found.rank[pose], return_index=True)
    for begin, end in pairwise([*begins.tolist(), len(pose)]):
        of_rank = slice(begin, end)
        free = similar[:, of_rank] & (~taken[:, person[of_rank]] | crowd[person[of_rank]])
        first = np.flatnonzero(np.diff(pose[of_rank], prepend=-1))
        preferred = np.where(free, preference[of_rank], -1)
        chosen = np.maximum.reduceat(preferred, first, axis=1)
        threshold, choice = np.nonzero(chosen >= 0)
        pair = chosen[threshold, choice] % len(pose)
        person_of[threshold, pose[pair]] = person[pair]
        taken[threshold, person[pair]] = True
    return person_of
