"""The left and right keypoints of a skeleton, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from poselab.structures import Skeleton

_MOST = 12


def sides_in_words(skeleton: Skeleton) -> str:
    """Which keypoints a horizontal flip swaps, and which stay what they are."""
    pairs = [f"{a} and {b}" for a, b in skeleton.left_right_pairs]
    alone = [name for k, name in enumerate(skeleton.keypoints) if skeleton.flip_index[k] == k]
    parts = [f"a flip swaps {_listed(pairs)}" if pairs else "a flip swaps no keypoints"]
    if pairs and alone:
        parts.append(f"without a side: {_listed(alone)}")
    return "; ".join(parts)


def unpaired_warning(skeleton: Skeleton) -> str:
    """That no keypoints are left and right of each other, and how to say it; empty if some are."""
    if skeleton.flip_pairs is not None or skeleton.left_right_pairs or len(skeleton) == 1:
        return ""
    return (
        "flipping is used but no left/right pairs were found among the keypoints "
        f"{_listed(list(skeleton.keypoints))}; set data.flip_pairs=[[LEFT,RIGHT],...], or "
        "data.flip_pairs=[] if none has a side, or turn flipping off with augment.flip=0 "
        "flip_test=false"
    )


def _listed(names: list[str]) -> str:
    more = len(names) - _MOST
    return ", ".join(names[:_MOST]) + (f" and {more} more" if more > 0 else "")
