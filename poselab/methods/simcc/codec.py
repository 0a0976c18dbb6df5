"""Coordinates as two classifications, one per axis, into bins finer than pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch import Tensor

from poselab import geometry
from poselab.codecs.base import CodecDefaults
from poselab.codecs.grid import flip_indices, single_person, single_pose
from poselab.heatmaps import nearest_cell, row_peaks
from poselab.outputs import AxisLogits, AxisTarget
from poselab.structures import InputError, Poses, Size, Skeleton

if TYPE_CHECKING:
    from collections.abc import Sequence

Smoothing = Literal["equal", "gaussian", "laplace"]
Score = Literal["probability", "logit"]
Code = Literal["simcc", "mmpose"]
_BINS_TO_THE_RIGHT: dict[Code, int] = {"simcc": -1, "mmpose": 0}
_REACH = 3  # a keypoint counts up to this many sigma outside the bins


@dataclass(kw_only=True, eq=False)
class SimccCodec(CodecDefaults):
    """The bins nearest to a keypoint along x and along y.

    split: bins per pixel, k in the paper. A bin lies at (x + 0.5)·k - 0.5 under "centre" pixels, so
    that bins flip onto bins; at the paper's x·k under "hrnet", as published weights need.
    smoothing: "equal" gives the nearest bin 1 - ``share`` and the others the rest in equal parts;
    "gaussian" and "laplace" spread the target by sigma bins (or one number along x and one along
    y) around the exact position. Those sum to one, or have the height ``peak`` (1 in RTMPose, whose
    loss takes their softmax).
    score: "probability", that of the highest bin relative to a perfect output's, with equal
    smoothing of the axis where it is higher, else of the one where it is lower; or "logit", the
    smaller of the two highest logits (RTMPose).
    code: whose rules published weights are decoded by: "simcc", flipped bins move left by one and
    probabilities are not relative to a perfect output's (leeyegy/SimCC); "mmpose", flipped bins
    stay and keypoints of a score not above zero lie one bin before the first (mmpose 1.x,
    simcc_label.py and models/utils/tta.py, with score "logit"); None: bins move as ``pixels``
    requires.
    Source: SimCC, Li et al. 2022, section 3; sigma 6 and share 0.1 from its code and paper, scores
    and flip test from validate_simdr and validate_sa_simdr of its code (lib/core/function.py).

    Raises:
        InputError: split, sigma or peak not above 0, a share outside [0, 1), an unknown smoothing,
            score or convention, or a number of bins that is not whole.
    """

    skeleton: Skeleton
    input_size: Size
    stride: int = 1
    split: float = 2.0
    smoothing: Smoothing = "equal"
    share: float = 0.1
    sigma: float | Sequence[float] = 6.0
    peak: float | None = None
    score: Score = "probability"
    pixels: str = "centre"
    code: Code | None = None

    def __post_init__(self) -> None:
        sigma = self.sigma
        self.sigmas = (sigma, sigma) if isinstance(sigma, int | float) else tuple(sigma)
        self._check_settings()
        self.convention = geometry.convention(self.pixels)
        self.bins = _bins(self.input_size, self.split)
        self.channels = len(self.skeleton)
        cells = (self.input_size[0] // self.stride, self.input_size[1] // self.stride)
        self.head_sizes = {"bins": self.bins, "cells": cells}

    def _check_settings(self) -> None:
        split, sigmas, peak = self.split, self.sigmas, self.peak
        if len(sigmas) != 2:
            raise InputError(f"expected sigma to be one number or two, x and y, got {len(sigmas)}")
        if not (split > 0 and min(sigmas) > 0 and (peak is None or peak > 0)):
            raise InputError(
                f"expected split, sigma and peak above 0, got {split}, {sigmas} and {peak}"
            )
        if not 0 <= self.share < 1:
            raise InputError(f"expected a smoothing share of 0 to below 1, got {self.share}")
        if self.smoothing not in get_args(Smoothing):
            raise InputError(
                f"expected smoothing equal, gaussian or laplace, got {self.smoothing!r}"
            )
        if self.score not in get_args(Score):
            raise InputError(f"expected score probability or logit, got {self.score!r}")
        if self.code not in (None, *get_args(Code)):
            raise InputError(f"expected codec.code simcc, mmpose or null, got {self.code!r}")

    @property
    def resolution(self) -> float:
        """Half a bin in input pixels; half a pixel more beyond the centre of the outermost bin."""
        return 0.5 * max(scale for scale, _ in self._bin_to_pixel())

    def _bin_to_pixel(self) -> list[tuple[float, float]]:
        """(scale, offset) along x and y."""
        return [self.convention.grid_to_pixel(self.bins[a], self.input_size[a]) for a in (1, 0)]

    def encode(self, keypoints: Tensor, visibility: Tensor, loss_mask: Tensor) -> AxisTarget:
        """Targets of both axes; ``loss_mask`` is ignored, as for coordinates.

        A keypoint has weight zero where it is not labelled or, along either axis, too far outside
        the bins: with equal smoothing where its nearest bin does not exist, else from 3 sigma on,
        both as in mmpose (SimCC's code counts 3 sigma in pixels, where the target is as good as
        empty).
        """
        points, labelled = single_person(keypoints, visibility)
        positions = [(points[..., a] - o) / s for a, (s, o) in enumerate(self._bin_to_pixel())]
        lengths = self.bins[::-1]
        for position, length, sigma in zip(positions, lengths, self.sigmas, strict=True):
            reach = 0.5 if self.smoothing == "equal" else _REACH * sigma
            labelled = labelled & (position >= -reach) & (position <= length - 1 + reach)
        x, y = map(self._target, positions, lengths, self.sigmas)
        return AxisTarget(x=x, y=y, weight=labelled.float())

    def _target(self, position: Tensor, length: int, sigma: float) -> Tensor:
        """The target (B, K, n) of positions (B, K) in bins."""
        steps = torch.arange(length, device=position.device, dtype=position.dtype)
        if self.smoothing == "equal":
            nearest = nearest_cell(position).clamp(0, length - 1)[..., None] == steps
            return nearest * (1 - self.share) + ~nearest * (self.share / (length - 1))
        distance = (steps - position[..., None]) / sigma
        power = 0.5 * distance.square() if self.smoothing == "gaussian" else distance.abs()
        # Smaller values would be denormal, on which CPUs are very slow.
        return torch.exp(-power.clamp(max=40)) * (self.peak or self._highest_target(sigma))

    def _highest_target(self, sigma: float) -> float:
        """The most probable bin of a target that sums to one."""
        if self.smoothing == "equal":
            return 1 - self.share
        return 1 / (sigma * (math.sqrt(2 * math.pi) if self.smoothing == "gaussian" else 2))

    def decode(self, output: AxisLogits) -> Poses:
        """Poses at the most probable bins."""
        rows = (output.x.float(), output.y.float())
        (x, highest_x), (y, highest_y) = (row_peaks(row) for row in rows)
        (scale_x, first_x), (scale_y, first_y) = self._bin_to_pixel()
        points = torch.stack([x * scale_x + first_x, y * scale_y + first_y], dim=-1)
        scores = self._scores(rows, (highest_x, highest_y))
        if self.code == "mmpose":
            points = torch.where(scores[..., None] > 0, points, -1 / self.split)
        return single_pose(points, scores)

    def _scores(self, rows: tuple[Tensor, Tensor], highest: tuple[Tensor, Tensor]) -> Tensor:
        """Scores (B, K) from logits (B, K, n) and the highest (B, K) of each axis."""
        if self.score == "logit":
            return torch.minimum(*highest)
        x, y = (
            top - row.logsumexp(-1) - (0 if self.code else math.log(self._highest_target(sigma)))
            for top, row, sigma in zip(highest, rows, self.sigmas, strict=True)
        )
        return (torch.maximum if self.smoothing == "equal" else torch.minimum)(x, y).exp()

    def unflip(self, output: AxisLogits) -> AxisLogits:
        """Flip x, swap left and right, and shift as the pixel convention or ``code`` requires."""
        index = flip_indices(self.skeleton, output.x.device)
        if self.code is not None:
            shift = _BINS_TO_THE_RIGHT[self.code]
        else:
            shift = round(self.convention.flip_shift(self.bins[1], self.input_size[1]))
        x = output.x[:, index].flip(-1)
        if shift < 0:  # "hrnet" pixels with several bins per pixel
            x = torch.cat([x[..., -shift:], x[..., -1:].expand(*x.shape[:-1], -shift)], dim=-1)
        elif shift > 0:
            x = torch.cat([x[..., :1].expand(*x.shape[:-1], shift), x[..., :-shift]], dim=-1)
        return AxisLogits(x=x, y=output.y[:, index])

    def merge(self, first: AxisLogits, second: AxisLogits) -> AxisLogits:
        """The mean of the logits; with equal smoothing that of the probabilities, as logits."""
        pairs = zip(first, second, strict=True)
        if self.smoothing != "equal" or self.score == "logit":
            return AxisLogits(*((a + b) / 2 for a, b in pairs))
        both = (torch.logaddexp(a.log_softmax(-1), b.log_softmax(-1)) for a, b in pairs)
        return AxisLogits(*(sum_ - math.log(2) for sum_ in both))


def _bins(input_size: Size, split: float) -> Size:
    """(along y, along x), whole numbers."""
    rows, columns = (length * split for length in input_size)
    if rows != round(rows) or columns != round(columns):
        raise InputError(
            f"expected a split that makes whole numbers of bins of {tuple(input_size)}, got "
            f"{split}; choose 1, 1.5, 2 or 3"
        )
    return round(rows), round(columns)
