"""Pure functions on heatmaps, batched over every leading axis and free of device synchronisation.

Cells are (x, y) in map cells, 0-based with integers at cell centres. All of them compute in
float32 or better, and avoid matrix products so that neither autocast nor TF32 coarsens a position.
"""

from poselab.heatmaps.blurring import blur, blur_at, blur_kernel, blur_kernel_size, blur_same
from poselab.heatmaps.drawing import gaussians, spikes, splat
from poselab.heatmaps.flipping import flip_heatmaps
from poselab.heatmaps.peaks import (
    cells_of,
    nearest,
    non_maximum_suppression,
    peaks,
    places,
    sliding_max,
    values_at,
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
    "blur_at",
    "blur_kernel",
    "blur_kernel_size",
    "blur_same",
    "cells_of",
    "dark_refine",
    "expectation",
    "flip_heatmaps",
    "gaussians",
    "local_expectation",
    "nearest",
    "non_maximum_suppression",
    "peaks",
    "places",
    "quarter_offset",
    "sliding_max",
    "soft_argmax",
    "spikes",
    "splat",
    "udp_refine",
    "values_at",
    "window_radius",
]
