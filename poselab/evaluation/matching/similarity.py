"""Object keypoint similarity (Lin et al. 2014, cocodataset.org/#keypoints-eval)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.annotations.table import Annotations
    from poselab.structures import Floats, Ints


def joint_similarity(
    keypoints: Floats,
    annotations: Annotations,
    instances: Ints,
    sigmas: Sequence[float] | None = None,
) -> Floats:
    """Similarity (..., K) of poses (..., K, 2) in image pixels to the labelled person each has.

    ``instances`` (...) are person rows and broadcast against the poses. exp(-d² / (2·(2σ)²·area))
    at labelled keypoints, 0 elsewhere; to a person without area only exact keypoints are similar.
    """
    offset = keypoints - annotations.keypoints[instances]
    np.square(offset, out=offset)
    squared = offset[..., 0] + offset[..., 1]  # far faster than a sum over an axis of two
    oks_sigmas = annotations.skeleton.oks_sigmas if sigmas is None else sigmas
    spread = (2 * np.array(oks_sigmas)) ** 2  # COCO's k is twice the annotators' deviation sigma
    # The epsilon is pycocotools'. Areas are those of masks, about half of a person's box.
    areas = annotations.areas[instances][..., None] + np.spacing(1)
    similar: Floats = np.exp(-squared / (2 * spread * areas)) * (
        annotations.visibility[instances] > 0
    )
    return similar


def oks(
    keypoints: Floats,
    annotations: Annotations,
    instances: Ints,
    sigmas: Sequence[float] | None = None,
) -> Floats:
    """OKS (...) of poses (..., K, 2): the mean similarity of labelled keypoints, 0 without any.

    Arguments as for :func:`joint_similarity`; ``keypoints[:, None]`` gives all pairs.
    """
    similar = joint_similarity(keypoints, annotations, instances, sigmas)
    labelled = np.count_nonzero(annotations.visibility[instances], axis=-1)
    return np.asarray(similar.sum(axis=-1) / np.maximum(labelled, 1))


def oks_of_regions(
    keypoints: Floats, annotations: Annotations, regions: Ints, sigmas: Sequence[float]
) -> Floats:
    """OKS (Q,) of poses (Q, K, 2) with instances (Q,) without labelled keypoints: each distance is
    that to the box made three times as wide and high (pycocotools, ``computeOks``)."""
    boxes = annotations.boxes[regions][:, None]
    low, high = boxes[..., :2] - boxes[..., 2:], boxes[..., :2] + 2 * boxes[..., 2:]
    offset = np.maximum(low - keypoints, 0) + np.maximum(keypoints - high, 0)
    spread = 2 * (2 * np.array(sigmas)) ** 2
    areas = annotations.areas[regions][:, None] + np.spacing(1)
    return np.asarray(np.exp(-np.square(offset).sum(axis=-1) / (spread * areas)).mean(axis=-1))
