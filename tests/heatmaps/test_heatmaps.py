"""Heatmap functions against numbers worked out by hand, and published formulas in plain loops."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from poselab import heatmaps
from poselab.heatmaps import refining

E1, E2 = math.exp(-0.5), math.exp(-1.0)  # sigma 1, one cell straight and diagonally off


def test_biased_gaussian_by_hand() -> None:
    """Centre (0.6, 1.4) rounds to (1, 1)."""
    drawn = heatmaps.gaussians(torch.tensor([0.6, 1.4]), (3, 4), 1.0, biased=True)
    far = math.exp(-2.0), math.exp(-2.5)
    expected = [[E2, E1, E2, far[1]], [E1, 1.0, E1, far[0]], [E2, E1, E2, far[1]]]
    torch.testing.assert_close(drawn, torch.tensor(expected))


def test_unbiased_gaussian_by_hand() -> None:
    drawn = heatmaps.gaussians(torch.tensor([0.5, 1.0]), (3, 2), 1.0, biased=False)
    near, diagonal = math.exp(-0.125), math.exp(-0.625)
    expected = [[diagonal] * 2, [near] * 2, [diagonal] * 2]
    torch.testing.assert_close(drawn, torch.tensor(expected))


def test_biased_gaussian_is_cut_at_three_sigma() -> None:
    row = heatmaps.gaussians(torch.tensor([5.0, 0.0]), (1, 11), 1.0, biased=True)[0]
    assert (row > 0).tolist() == [False] * 2 + [True] * 7 + [False] * 2


def test_max_gaussians_is_the_maximum_of_its_gaussians() -> None:
    cells = torch.rand(2, 3, 4, 2, generator=torch.Generator().manual_seed(0)) * 24 - 2
    drawn = torch.rand(2, 3, 4, generator=torch.Generator().manual_seed(1)) > 0.3
    slow = heatmaps.gaussians(cells, (20, 18), 1.5, biased=False) * drawn[..., None, None]
    fast = heatmaps.max_gaussians(cells, drawn, (20, 18), 1.5)
    assert fast.shape == (2, 4, 20, 18)
    assert (fast - slow.amax(1)).abs().max() < math.exp(-0.5 * (4.5 / 1.5) ** 2)
    assert (fast <= slow.amax(1) + 1e-6).all()
    assert torch.equal(fast.flatten(2).argmax(-1), slow.amax(1).flatten(2).argmax(-1))


def golden() -> torch.Tensor:
    """A 5 x 5 heatmap with its peak at x 3, y 1, higher to the left and below."""
    return torch.tensor(
        [
            [0.0, 0.1, 0.2, 0.3, 0.0],
            [0.0, 0.2, 0.8, 0.9, 0.7],
            [0.0, 0.1, 0.3, 0.5, 0.1],
            [0.0, 0.6, 0.0, 0.0, 0.0],
            [0.5, 0.0, 0.0, 0.0, 0.4],
        ]
    )


def test_peak_by_hand() -> None:
    cells, values = heatmaps.peaks(golden())
    assert cells.tolist() == [3.0, 1.0]
    assert values.item() == pytest.approx(0.9)


def test_quarter_offset_by_hand() -> None:
    batch = torch.stack([golden(), golden().flip(-1), golden().flip(-2)])
    cells, _ = heatmaps.peaks(batch)
    assert heatmaps.quarter_offset(batch, cells).tolist() == [
        [2.75, 1.25],
        [1.25, 1.25],
        [2.75, 2.75],
    ]


def test_quarter_offset_leaves_the_border_along_its_axis() -> None:
    at_corner = torch.zeros(4, 4)
    at_corner[0, 1:3] = torch.tensor([1.0, 0.5])
    cells, _ = heatmaps.peaks(at_corner)
    assert heatmaps.quarter_offset(at_corner, cells).tolist() == [1.25, 0.0]


def test_non_maximum_suppression_by_hand() -> None:
    kept = heatmaps.non_maximum_suppression(golden()[None, None], window=3)[0, 0]
    expected = torch.zeros(5, 5)
    expected[1, 3], expected[3, 1], expected[4, 4] = 0.9, 0.6, 0.4
    torch.testing.assert_close(kept, expected)
    wide = heatmaps.non_maximum_suppression(golden()[None, None], window=5)[0, 0]
    assert wide.nonzero().tolist() == [[1, 3]]


@pytest.mark.parametrize("window", [1, 3, 5, 7])
def test_sliding_max_is_max_pooling(window: int) -> None:
    heatmap = torch.randn(2, 3, 9, 4, generator=torch.Generator().manual_seed(6))
    pooled = torch.nn.functional.max_pool2d(heatmap, window, 1, window // 2)
    assert torch.equal(heatmaps.sliding_max(heatmap, window), pooled)


def test_soft_argmax_by_hand() -> None:
    """Cells of a row of four lie at -3/8, -1/8, 1/8 and 3/8; shares 1:1:1:3 of them."""
    logits = torch.log(torch.tensor([[1.0, 1.0, 1.0, 3.0]]))
    u = heatmaps.soft_argmax(logits)
    torch.testing.assert_close(u, torch.tensor([(-3 - 1 + 1 + 9) / 8 / 6, 0.0]))


def test_soft_argmax_flips_to_its_negative() -> None:
    logits = torch.randn(2, 3, 7, 6, generator=torch.Generator().manual_seed(2))
    u, flipped = heatmaps.soft_argmax(logits), heatmaps.soft_argmax(logits.flip(-1))
    torch.testing.assert_close(flipped, u * torch.tensor([-1.0, 1.0]))


def test_soft_argmax_of_a_spike_is_its_cell() -> None:
    logits = torch.full((5, 8), -1e4)
    logits[4, 2] = 1e4
    torch.testing.assert_close(heatmaps.soft_argmax(logits), torch.tensor([2.5 / 8 - 0.5, 0.4]))


def test_soft_argmax_gradient() -> None:
    logits = torch.randn(
        2, 2, 4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(3)
    )
    assert torch.autograd.gradcheck(heatmaps.soft_argmax, (logits.requires_grad_(),))


def test_soft_argmax_keeps_its_precision_under_autocast() -> None:
    logits = 4 * torch.randn(2, 3, 16, 12, generator=torch.Generator().manual_seed(4))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        u = heatmaps.soft_argmax(logits)
    torch.testing.assert_close(u, heatmaps.soft_argmax(logits), rtol=0, atol=1e-6)


@pytest.mark.parametrize("width", [3, 5, 7, 11, 15, 17])
def test_blur_is_opencvs(width: int) -> None:
    cv2 = pytest.importorskip("cv2")
    image = np.random.default_rng(0).random((20, 24), dtype=np.float32)
    ours = heatmaps.blur_same(torch.from_numpy(image), heatmaps.blur_kernel(width)).numpy()
    np.testing.assert_allclose(ours, cv2.GaussianBlur(image, (width, width), 0), atol=1e-6)
    zeros = heatmaps.blur_same(torch.from_numpy(image), heatmaps.blur_kernel(width), "zero").numpy()
    theirs = cv2.GaussianBlur(image, (width, width), 0, borderType=cv2.BORDER_CONSTANT)
    np.testing.assert_allclose(zeros, theirs, atol=1e-6)
    at = torch.tensor([1.0, 18.0])
    assert heatmaps.blur_at(torch.from_numpy(image), at, width).item() == pytest.approx(ours[18, 1])


def test_blur_is_the_same_where_matrix_products_may_be_coarse() -> None:
    heatmap = torch.rand(2, 3, 20, 24, generator=torch.Generator().manual_seed(1))
    before = torch.get_float32_matmul_precision()
    found = []
    try:
        for precision in ("high", "medium"):
            torch.set_float32_matmul_precision(precision)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                blurred = [
                    heatmaps.blur_same(heatmap, heatmaps.blur_kernel(15), border)
                    for border in ("reflect", "zero")
                ]
                found.append(torch.stack(blurred))
    finally:
        torch.set_float32_matmul_precision(before)
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=1e-6)


def test_blur_kernel_size_is_what_dark_and_hrnet_pair() -> None:
    assert [heatmaps.blur_kernel_size(sigma) for sigma in (1.0, 2.0, 3.0)] == [3, 11, 17]


def dark_by_loops(heatmap: np.ndarray, kernel: int) -> tuple[float, float]:
    """Equations 6 to 9 of Zhang et al. 2020 on one heatmap, cell by cell."""
    h, w = heatmap.shape
    half = kernel // 2
    sigma = 0.3 * ((kernel - 1) * 0.5 - 1) + 0.8
    taps = np.exp(-((np.arange(kernel) - half) ** 2) / (2 * sigma**2))
    taps /= taps.sum()
    padded = np.zeros((h + 2 * half, w + 2 * half))
    padded[half:-half, half:-half] = heatmap
    smooth = np.zeros((h, w))
    for y in range(h):
        for x in range(w):
            smooth[y, x] = taps @ padded[y : y + kernel, x : x + kernel] @ taps
    m = np.log(np.maximum(smooth * heatmap.max() / smooth.max(), 1e-10))
    y, x = np.unravel_index(heatmap.argmax(), heatmap.shape)
    if not (1 < x < w - 2 and 1 < y < h - 2):
        return float(x), float(y)
    gradient = 0.5 * np.array([m[y, x + 1] - m[y, x - 1], m[y + 1, x] - m[y - 1, x]])
    xx = 0.25 * (m[y, x + 2] - 2 * m[y, x] + m[y, x - 2])
    yy = 0.25 * (m[y + 2, x] - 2 * m[y, x] + m[y - 2, x])
    xy = 0.25 * (m[y + 1, x + 1] - m[y - 1, x + 1] - m[y + 1, x - 1] + m[y - 1, x - 1])
    step = -np.linalg.inv(np.array([[xx, xy], [xy, yy]])) @ gradient
    return x + step[0], y + step[1]


def udp_by_loops(heatmap: np.ndarray, kernel: int, border: str) -> tuple[float, float]:
    """UDP's refinement of one heatmap, from the description of its code."""
    outside = {"zero": cv2.BORDER_CONSTANT, "reflect": cv2.BORDER_REFLECT_101}[border]
    smooth = cv2.GaussianBlur(heatmap, (kernel, kernel), 0, borderType=outside)
    m = np.pad(np.log(np.clip(smooth, 1e-3, 50)), 1, mode="edge")
    y, x = np.unravel_index(heatmap.argmax(), heatmap.shape)
    c = m[y : y + 3, x : x + 3]
    gradient = 0.5 * np.array([c[1, 2] - c[1, 0], c[2, 1] - c[0, 1]])
    xx, yy = c[1, 2] - 2 * c[1, 1] + c[1, 0], c[2, 1] - 2 * c[1, 1] + c[0, 1]
    xy = 0.5 * (c[2, 2] - c[1, 2] - c[2, 1] + 2 * c[1, 1] - c[1, 0] - c[0, 1] + c[0, 0])
    hessian = np.array([[xx, xy], [xy, yy]]) + np.finfo(np.float32).eps * np.eye(2)
    step = -np.linalg.inv(hessian) @ gradient
    return x + step[0], y + step[1]


def uneven_heatmaps() -> torch.Tensor:
    """Blobs with noise that no Gaussian fits, some of them near the border."""
    random = torch.Generator().manual_seed(5)
    cells = torch.rand(24, 2, generator=random) * torch.tensor([17.0, 21.0])
    heatmap = 0.8 * heatmaps.gaussians(cells, (22, 18), 2.0, biased=False)
    heatmap = torch.maximum(
        heatmap, 0.4 * heatmaps.gaussians(cells + 3, (22, 18), 3.0, biased=False)
    )
    return (heatmap + 0.02 * torch.rand(heatmap.shape, generator=random)).reshape(4, 6, 22, 18)


@pytest.mark.parametrize("kernel", [11, 17])
def test_dark_is_the_authors_formula(kernel: int) -> None:
    heatmap = uneven_heatmaps()
    ours = heatmaps.dark_refine(heatmap, heatmaps.peaks(heatmap)[0], heatmaps.Blur(kernel))
    theirs = [dark_by_loops(one.double().numpy(), kernel) for one in heatmap.flatten(0, 1)]
    np.testing.assert_allclose(ours.flatten(0, 1).numpy(), theirs, atol=2e-3)


def test_dark_leaves_a_peak_below_zero_alone() -> None:
    """As networks' heatmaps may be; the authors' logarithm is flat there."""
    heatmap = -1 - torch.rand(1, 1, 12, 12, generator=torch.Generator().manual_seed(0))
    cells = torch.tensor([[[6.0, 5.0]]])
    for kernel in (1, 11):
        assert torch.equal(heatmaps.dark_refine(heatmap, cells, heatmaps.Blur(kernel)), cells)


@pytest.mark.parametrize("refine", [heatmaps.dark_refine, heatmaps.udp_refine])
def test_heights_decide_only_where_values_are_clipped(
    refine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blurring whole heatmaps for their height, as on other devices, changes nothing."""
    heatmap = uneven_heatmaps() - torch.tensor([0.0, 0.2, 0.5, 0.01])[:, None, None, None]
    cells = heatmaps.peaks(heatmap)[0]
    found = refine(heatmap, cells)
    monkeypatch.setattr(refining, "eager_on_cpu", lambda _: False)
    torch.testing.assert_close(refine(heatmap, cells), found, atol=1e-3, rtol=0)


@pytest.mark.parametrize("border", ["reflect", "zero"])
@pytest.mark.parametrize("kernel", [3, 7, 11])
def test_udp_refinement_is_the_authors_formula(kernel: int, border: Any) -> None:
    heatmap = uneven_heatmaps()
    blur = heatmaps.Blur(kernel, border, rescale=None)
    ours = heatmaps.udp_refine(heatmap, heatmaps.peaks(heatmap)[0], blur)
    alone = [one.double().numpy() for one in heatmap.flatten(0, 1)]
    theirs = np.array([udp_by_loops(one, kernel, border) for one in alone])
    assert np.ptp(theirs - heatmaps.peaks(heatmap)[0].flatten(0, 1).numpy()) > 0.5
    np.testing.assert_allclose(ours.flatten(0, 1).numpy(), theirs, atol=2e-3)


@pytest.mark.parametrize(
    "refine", [heatmaps.dark_refine, heatmaps.udp_refine, heatmaps.quarter_offset]
)
def test_refinements_leave_flat_heatmaps_alone(refine: object) -> None:
    heatmap = torch.zeros(2, 3, 12, 12)
    cells = torch.full((2, 3, 2), 6.0)
    assert torch.equal(refine(heatmap, cells), cells)  # type: ignore[operator]


def test_flipping_heatmaps_swaps_names_and_shifts() -> None:
    heatmap = torch.arange(6.0).reshape(1, 2, 1, 3)
    names = torch.tensor([1, 0])
    assert heatmaps.flip_heatmaps(heatmap, names, 0).flatten().tolist() == [5, 4, 3, 2, 1, 0]
    assert heatmaps.flip_heatmaps(heatmap, names, 1).flatten().tolist() == [5, 5, 4, 2, 2, 1]


def test_the_first_of_equal_peaks_counts() -> None:
    heatmap = torch.zeros(1, 2, 3, 4)
    heatmap[0, 0, 1, 2] = heatmap[0, 0, 1, 3] = heatmap[0, 0, 2, 0] = 1.0
    cells, values = heatmaps.peaks(heatmap)
    assert cells.tolist() == [[[2.0, 1.0], [0.0, 0.0]]]
    assert values.tolist() == [[1.0, 0.0]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_row_peaks_are_the_same_with_numpy_and_torch(dtype: torch.dtype) -> None:
    """NumPy is used on CPUs, but not for bfloat16; strided rows and gradients are no obstacle."""
    rows = torch.randn(5, 7, 30, generator=torch.Generator().manual_seed(8)).to(dtype)
    for given in (rows, rows.mT.contiguous().mT, rows.clone().requires_grad_()):
        index, values = heatmaps.row_peaks(given)
        assert torch.equal(index, given.detach().max(-1).indices)
        assert torch.equal(values.detach(), rows.amax(-1))


def test_peak_values_pass_the_gradient_on() -> None:
    heatmap = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(9)).requires_grad_()
    heatmaps.peaks(heatmap)[1].sum().backward()
    assert heatmap.grad.sum() == 2
    assert ((heatmap.grad == 1) == (heatmap == heatmap.amax((-2, -1), keepdim=True))).all()


def test_one_hot_by_hand() -> None:
    drawn = heatmaps.one_hot(
        torch.tensor([[1.4, 0.6], [9.0, 0.0]]), (2, 3), torch.tensor([0.5, 1.0])
    )
    assert drawn.tolist() == [[[0, 0, 0], [0, 0.5, 0]], [[0, 0, 0], [0, 0, 0]]]


def test_height_scales_a_gaussian() -> None:
    cells, height = torch.tensor([[1.0, 1.0], [2.0, 0.5]]), torch.tensor([0.0, 0.25])
    plain = heatmaps.gaussians(cells, (3, 4), 1.0, biased=False)
    scaled = heatmaps.gaussians(cells, (3, 4), 1.0, biased=False, height=height)
    torch.testing.assert_close(scaled, plain * height[:, None, None])


def test_mean_positions_by_hand() -> None:
    """A row 0, -5, 1, 3, 0, 4: all of it 31/8; around cell 3 only 1 and 3."""
    heatmap = torch.tensor([[0.0, -5.0, 1.0, 3.0, 0.0, 4.0]])
    torch.testing.assert_close(heatmaps.mean_position(heatmap), torch.tensor([31 / 8, 0.0]))
    local = heatmaps.local_mean_position(heatmap, torch.tensor([3.0, 0.0]), 1)
    torch.testing.assert_close(local, torch.tensor([2.75, 0.0]))
    at_border = heatmaps.local_mean_position(heatmap, torch.tensor([5.0, 0.0]), 2)
    torch.testing.assert_close(at_border, torch.tensor([29 / 7, 0.0]))


def test_mean_positions_of_empty_heatmaps_are_finite() -> None:
    heatmap = torch.full((1, 5, 5), -1.0)
    assert heatmaps.mean_position(heatmap).tolist() == [[2.0, 2.0]]
    assert heatmaps.local_mean_position(heatmap, torch.tensor([[3.0, 1.0]]), 1).tolist() == [
        [3.0, 1.0]
    ]


def test_mean_position_gradient() -> None:
    heatmap = 0.1 + torch.rand(
        2, 4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(7)
    )
    shares = heatmap / heatmap.sum((-2, -1), keepdim=True)
    leaf = heatmap.float().requires_grad_()
    heatmaps.mean_position(leaf)[..., 0].sum().backward()
    x = torch.arange(3.0)
    mean = (shares * x).sum((-2, -1), keepdim=True)
    expected = (x - mean) / heatmap.sum((-2, -1), keepdim=True)
    torch.testing.assert_close(leaf.grad, expected.expand(2, 4, 3).float())
