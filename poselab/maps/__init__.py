"""Pure functions on heatmaps, batched over every leading axis and free of device synchronisation.

Cells are (x, y) in map cells, 0-based with integers at cell centres. All of them compute in
float32 or better, and avoid matrix products so that neither autocast nor TF32 coarsens a position.
"""

from poselab.maps.blurring import blur, blur_taps, blur_whole, blur_width, blurred_at
from poselab.maps.drawing import gaussians, splat
from poselab.maps.expectation import soft_argmax
from poselab.maps.mirroring import mirror_maps
from poselab.maps.peaks import (
    cells_of,
    highest_around,
    nearest,
    non_maximum_suppression,
    peaks,
    read_at,
)
from poselab.maps.refining import dark_refine, quarter_offset, udp_refine

__all__ = [
    "blur",
    "blur_taps",
    "blur_whole",
    "blur_width",
    "blurred_at",
    "cells_of",
    "dark_refine",
    "gaussians",
    "highest_around",
    "mirror_maps",
    "nearest",
    "non_maximum_suppression",
    "peaks",
    "quarter_offset",
    "read_at",
    "soft_argmax",
    "splat",
    "udp_refine",
]
