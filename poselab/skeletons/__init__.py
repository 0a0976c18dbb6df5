"""The skeletons of public datasets; look them up by name with :func:`skeleton`."""

from __future__ import annotations

from poselab.skeletons.body import (
    AIC14,
    COCO17,
    CROWDPOSE14,
    FLIC10,
    FLIC11,
    LSP14,
    MPII16,
    PARSE14,
)
from poselab.skeletons.whole_body import HALPE136, WHOLEBODY133
from poselab.structures import InputError, Skeleton

__all__ = [
    "AIC14",
    "COCO17",
    "CROWDPOSE14",
    "FLIC10",
    "FLIC11",
    "HALPE136",
    "LSP14",
    "MPII16",
    "PARSE14",
    "SKELETONS",
    "WHOLEBODY133",
    "skeleton",
]

SKELETONS = {
    s.name: s
    for s in (
        *(COCO17, MPII16, CROWDPOSE14, AIC14, LSP14, FLIC11),
        *(PARSE14, FLIC10, WHOLEBODY133, HALPE136),
    )
}


def skeleton(name: str) -> Skeleton:
    """The skeleton called ``name``.

    Raises:
        InputError: no skeleton has that name.
    """
    if name not in SKELETONS:
        raise InputError(f"expected a skeleton out of {', '.join(SKELETONS)}, got {name!r}")
    return SKELETONS[name]
