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
    squared = np.square(keypoints - annotations.keypoints[instances]).sum(axis=-1)
    oks_sigmas = annotations.skeleton.oks_sigmas if sigmas is None else sigmas
    spread = (2 * np.array(oks_sigmas)) ** 2
    areas = annotations.areas[instances][..., None] + np.spacing(
        1
    )  # pycocotools' guard against zero
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
