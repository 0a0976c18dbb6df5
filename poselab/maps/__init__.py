"""Pure functions on heatmaps, batched over every leading axis and free of device synchronisation.

Cells are (x, y) in map cells, 0-based with integers at cell centres. All of them compute in
float32 or better, and avoid matrix products so that neither autocast nor TF32 coarsens a position.
"""

from poselab.maps.blurring import blur, blur_taps, blur_whole, blur_width, blurred_at
from poselab.maps.drawing import gaussians, spikes, splat
from poselab.maps.expectation import (
    expectation,
    local_expectation,
    soft_argmax,
    window_radius,
)
from poselab.maps.mirroring import mirror_maps
from poselab.maps.peaks import (
    cells_of,
    highest_around,
    nearest,
    non_maximum_suppression,
    peaks,
    places,
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
    "expectation",
    "gaussians",
    "highest_around",
    "local_expectation",
    "mirror_maps",
    "nearest",
    "non_maximum_suppression",
    "peaks",
    "places",
    "quarter_offset",
    "read_at",
    "soft_argmax",
    "spikes",
    "splat",
    "udp_refine",
    "window_radius",
]
