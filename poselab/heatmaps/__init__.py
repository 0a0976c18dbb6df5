"""Pure functions on heatmaps, batched over every leading axis and free of device synchronisation.

Cells are (x, y) in map cells, 0-based with integers at cell centres. All of them compute in
float32 or better, and avoid matrix products so that neither autocast nor TF32 coarsens a position.
"""

from poselab.heatmaps.blurring import blur, blur_taps, blur_whole, blur_width, blurred_at
from poselab.heatmaps.drawing import gaussians, spikes, splat
from poselab.heatmaps.flipping import flip_maps
from poselab.heatmaps.peaks import (
    cells_of,
    highest_around,
    nearest,
    non_maximum_suppression,
    peaks,
    places,
    read_at,
)
from poselab.heatmaps.refining import dark_refine, quarter_offset, udp_refine
from poselab.heatmaps.soft_argmax import (
    expectation,
    local_expectation,
    soft_argmax,
    window_radius,
)

__all__ = [
    "blur",
    "blur_taps",
    "blur_whole",
    "blur_width",
    "blurred_at",
    "cells_of",
    "dark_refine",
    "expectation",
    "flip_maps",
    "gaussians",
    "highest_around",
    "local_expectation",
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
