"""Pure functions on heatmaps, batched over every leading axis and free of device synchronisation.

Cells are (x, y) in heatmap cells, 0-based with integers at cell centres. All functions compute in
float32 or better, and avoid matrix products so that neither autocast nor TF32 rounds a position.
"""

from poselab.heatmaps.blurring import (
    Blur,
    blur_at,
    blur_kernel,
    blur_kernel_size,
    blur_same,
    blur_valid,
)
from poselab.heatmaps.drawing import gaussians, max_gaussians, one_hot
from poselab.heatmaps.flipping import flip_heatmaps
from poselab.heatmaps.peaks import (
    index_to_cells,
    nearest_cell,
    non_maximum_suppression,
    peaks,
    row_peaks,
    sliding_max,
    values_at,
)
from poselab.heatmaps.refining import dark_refine, quarter_offset, udp_refine
from poselab.heatmaps.soft_argmax import (
    local_mean_position,
    mean_position,
    soft_argmax,
    window_radius,
)

__all__ = [
    "Blur",
    "blur_at",
    "blur_kernel",
    "blur_kernel_size",
    "blur_same",
    "blur_valid",
    "dark_refine",
    "flip_heatmaps",
    "gaussians",
    "index_to_cells",
    "local_mean_position",
    "max_gaussians",
    "mean_position",
    "nearest_cell",
    "non_maximum_suppression",
    "one_hot",
    "peaks",
    "quarter_offset",
    "row_peaks",
    "sliding_max",
    "soft_argmax",
    "udp_refine",
    "values_at",
    "window_radius",
]
