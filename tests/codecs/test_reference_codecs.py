"""Reference codecs: by hand, and against OpenCV where the reference code blurs."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from poselab.codecs import coordinate
from poselab.codecs.heatmap import HeatmapCodec
from poselab.methods.simcc.codec import SimccCodec
from poselab.methods.udp_offset.codec import UdpOffsetCodec
from poselab.outputs import AxisLogits, Coordinates
from poselab.skeletons import COCO17
from poselab.structures import InputError

INPUT, CELLS = (256, 192), (64, 48)


WHERE: dict[str, Any] = {"skeleton": COCO17, "input_size": INPUT, "stride": 4}


def heatmaps_of(code: str, decoder: str = "quarter", blur: int = 11, **options: Any) -> Any:
    """The heatmap codec with the rules of an authors' code."""
    settings = {"decoder": decoder, "blur": blur, "pixels": "hrnet"} | options
    return HeatmapCodec(**WHERE, encoding="unbiased", code=code, **settings)


def simcc(code: str, smoothing: str = "gaussian", **options: Any) -> Any:
    return SimccCodec(**WHERE, pixels="hrnet", code=code, smoothing=smoothing, **options)


def peak_at(x: int, y: int, height: float = 1.0) -> Tensor:
    """Heatmaps (1, 17, h, w) that rise to one cell, higher towards the right and the bottom."""
    columns, rows = torch.arange(CELLS[1]), torch.arange(CELLS[0])[:, None]
    fall = (columns - x).abs() + (rows - y).abs() - 0.1 * (columns > x) - 0.1 * (rows > y)
    return (height - 0.01 * fall).expand(1, 17, *CELLS)


@pytest.mark.parametrize(
    ("name", "x", "y", "cell"),
    [
        ("hrnet", 20, 30, (20.25, 30.25)),
        ("hrnet", 1, 30, (1, 30)),  # their 1 < x leaves the second column alone, y with it
        ("hrnet", 2, 30, (2.25, 30.25)),
        ("hrnet", 46, 30, (46.25, 30.25)),
        ("hrnet", 47, 30, (47, 30)),
        ("mmpose", 1, 30, (1, 30.25)),  # y may step where x may not
        ("mmpose", 0, 30, (0, 30)),
        ("mmpose", 47, 30, (47, 30.25)),
        ("mmpose", 20, 63, (20.25, 63)),
    ],
)
def test_quarter_steps_near_the_border(
    name: str, x: int, y: int, cell: tuple[float, float]
) -> None:
    poses = heatmaps_of(name).decode(peak_at(x, y))
    assert poses.keypoints[0, 0, 0].tolist() == [4 * cell[0], 4 * cell[1]]


@pytest.mark.parametrize(("name", "cell"), [("hrnet", 0.0), ("mmpose", -1.0)])
def test_heatmaps_without_positive_values_are_decoded_at_the_corner(name: str, cell: float) -> None:
    poses = heatmaps_of(name).decode(peak_at(20, 30, height=0.0))
    assert (poses.keypoints == 4 * cell).all()


def test_other_decoders_are_those_of_the_heatmap_codec() -> None:
    other = heatmaps_of("hrnet").with_decoder("argmax")
    assert other.decode(peak_at(20, 30)).keypoints[0, 0, 0].tolist() == [80, 120]


@pytest.mark.parametrize(
    ("code", "pixels", "shift"),
    [("hrnet", "hrnet", 1), ("mmpose", "hrnet", 1), ("dark", "udp", 0), ("vitpose", "udp", 0)],
)
def test_flipped_heatmaps_move_as_the_authors_move_them(code: str, pixels: str, shift: int) -> None:
    made = heatmaps_of(code, pixels=pixels)
    assert made.grid.flip_shift == shift
    back = made.unflip(peak_at(10, 30))[0, 0]
    assert divmod(int(back.argmax()), CELLS[1]) == (30, CELLS[1] - 1 - 10 + shift)


def test_dark_scales_rows_by_the_ratio_of_widths() -> None:
    made = heatmaps_of("dark", "dark", pixels="udp")
    ratio = 191 / 47
    points = made.grid.to_pixels(torch.tensor([[0.0, 0.0], [47.0, 31.5]]))
    expected = torch.tensor([[0.0, 127.5 - 31.5 * ratio], [191.0, 127.5]])
    torch.testing.assert_close(points, expected)


def blurred(heatmap: np.ndarray, kernel: int) -> np.ndarray:
    """As their code does it: zeros around, OpenCV's blur, the old height."""
    margin = kernel // 2
    smooth = cv2.GaussianBlur(np.pad(heatmap, margin), (kernel, kernel), 0)
    smooth = smooth[margin:-margin, margin:-margin]
    return smooth * heatmap.max() / smooth.max()


def stepped(log: np.ndarray, x: int, y: int) -> np.ndarray:
    """UDP's Newton step from a cell, on a heatmap with its border repeated."""
    around = np.pad(log, 1, mode="edge")[y : y + 3, x : x + 3]
    slope = np.array([around[1, 2] - around[1, 0], around[2, 1] - around[0, 1]]) / 2
    xx, yy = around[1].sum() - 3 * around[1, 1], around[:, 1].sum() - 3 * around[1, 1]
    xy = (around[2, 2] - around[1, 2] - around[2, 1] + 2 * around[1, 1]) / 2
    xy += (around[0, 0] - around[1, 0] - around[0, 1]) / 2
    eps = np.finfo(np.float32).eps
    return np.array([x, y]) - np.linalg.solve([[xx + eps, xy], [xy, yy + eps]], slope)


@pytest.mark.parametrize("code", ["mmpose", "vitpose"])
def test_udp_steps_follow_opencvs_blur(code: str) -> None:
    made = heatmaps_of(code, "udp", pixels="udp")
    coarse = torch.rand(1, 17, 16, 12, generator=torch.Generator().manual_seed(0)) - 0.3
    heatmap = torch.nn.functional.interpolate(coarse, size=CELLS, mode="bicubic")
    found = made.grid.to_cells(made.decode(heatmap).keypoints[0, 0]).numpy()
    for map_, place in zip(heatmap[0].numpy(), found, strict=True):
        y, x = divmod(int(map_.argmax()), CELLS[1])
        smooth = blurred(map_, 11) if code == "mmpose" else cv2.GaussianBlur(map_, (11, 11), 0)
        expected = stepped(np.log(np.clip(smooth.astype(np.float64), 1e-3, 50)), x, y)
        np.testing.assert_allclose(place, expected, atol=2e-3)


def test_transformers_blurs_narrowly_and_repeats_borders() -> None:
    made = heatmaps_of("transformers", "udp", pixels="udp")
    heatmap = peak_at(1, 62)
    kernel = cv2.getGaussianKernel(11, 0.8)
    smooth = cv2.sepFilter2D(
        heatmap[0, 0].double().numpy(), -1, kernel, kernel, borderType=cv2.BORDER_REFLECT
    )
    found = made.grid.to_cells(made.decode(heatmap).keypoints[0, 0, 0]).numpy()
    np.testing.assert_allclose(found, stepped(np.log(np.clip(smooth, 1e-3, 50)), 1, 62), atol=2e-3)


@pytest.mark.parametrize(("code", "pixels"), [("dark", "udp"), ("mmpose", "hrnet")])
@pytest.mark.parametrize("lower", [0.0, 0.8])
def test_dark_steps_follow_opencvs_blur(code: str, pixels: str, lower: float) -> None:
    """With values below zero around peaks the logarithm depends on the whole heatmap's height."""
    made = heatmaps_of(code, "dark", pixels=pixels)
    coarse = torch.rand(1, 17, 16, 12, generator=torch.Generator().manual_seed(0)) - lower
    heatmap = torch.nn.functional.interpolate(coarse, size=CELLS, mode="bicubic")
    found = made.grid.to_cells(made.decode(heatmap).keypoints[0, 0]).numpy()
    moved = 0
    for map_, place in zip(heatmap[0].numpy(), found, strict=True):
        y, x = divmod(int(map_.argmax()), CELLS[1])
        if 1 < x < CELLS[1] - 2 and 1 < y < CELLS[0] - 2:
            m = np.log(np.maximum(blurred(map_, 11).astype(np.float64), 1e-10))
            slope = np.array([m[y, x + 1] - m[y, x - 1], m[y + 1, x] - m[y - 1, x]]) / 2
            xx = (m[y, x + 2] - 2 * m[y, x] + m[y, x - 2]) / 4
            yy = (m[y + 2, x] - 2 * m[y, x] + m[y - 2, x]) / 4
            xy = (m[y + 1, x + 1] - m[y - 1, x + 1] - m[y + 1, x - 1] + m[y - 1, x - 1]) / 4
            step = np.linalg.solve([[xx, xy], [xy, yy]], slope)
            np.testing.assert_allclose(place, np.array([x, y]) - step, atol=2e-3)
            moved += 1
    assert moved > 4


def test_unknown_rules_are_input_errors() -> None:
    with pytest.raises(InputError, match=r"codec\.code"):
        heatmaps_of("openpose")


def test_udps_gaussians_are_stretched_before_the_step() -> None:
    made = heatmaps_of("udp", "udp", blur=7, pixels="udp")
    coarse = torch.rand(1, 17, 16, 12, generator=torch.Generator().manual_seed(0)) - 0.3
    heatmap = torch.nn.functional.interpolate(coarse, size=CELLS, mode="bicubic")
    heatmap[0, 0] = -1.0
    found = made.grid.to_cells(made.decode(heatmap).keypoints[0, 0]).numpy()
    np.testing.assert_allclose(found[0], [0, 0], atol=1e-4)
    for map_, place in zip(heatmap[0, 1:].numpy(), found[1:], strict=True):
        y, x = divmod(int(map_.argmax()), CELLS[1])
        smooth = cv2.GaussianBlur(map_, (7, 7), 0).astype(np.float64)
        smooth = (smooth - smooth.min()) / (smooth.max() - smooth.min()) * map_.max()
        expected = stepped(np.log(np.clip(smooth, 1e-3, 50)), x, y)
        np.testing.assert_allclose(place, expected, atol=2e-3)


def test_mmposes_discs_are_blurred_widely_and_its_offsets_not() -> None:
    made = UdpOffsetCodec(**WHERE, code="mmpose", disc_blur=23, offset_blur=1)
    random = torch.rand(1, 51, *CELLS, generator=torch.Generator().manual_seed(0)) - 0.3
    random[:, 0] = -1.0
    found = made.grid.to_cells(made.decode(random).keypoints[0, 0]).numpy()
    assert np.abs(found[0] + 1).max() <= 3.5, "one cell before the first, and an offset"
    planes = random[0].unflatten(0, (17, 3)).numpy()
    for (disc, along_x, along_y), place in zip(planes[1:], found[1:], strict=True):
        y, x = divmod(int(cv2.GaussianBlur(disc, (23, 23), 0).argmax()), CELLS[1])
        expected = [x + 3.5 * along_x[y, x], y + 3.5 * along_y[y, x]]
        np.testing.assert_allclose(place, expected, atol=1e-4)


def test_bins_of_simcc() -> None:
    """x flipped and moved left by one, its last bin repeated; mmpose moves nothing."""
    x = torch.arange(384.0).expand(1, 17, 384)
    output = AxisLogits(x=x, y=torch.zeros(1, 17, 512))
    moved = simcc("simcc", "equal").unflip(output).x[0, 0]
    assert moved[:3].tolist() == [382, 381, 380]
    assert moved[-2:].tolist() == [0, 0]
    assert simcc("mmpose", score="logit").unflip(output).x[0, 0, 0] == 383


def test_scores_of_simcc() -> None:
    x, y = torch.zeros(1, 17, 384), torch.zeros(1, 17, 512)
    x[..., 100], y[..., 50] = 5.0, 3.0
    chance_x, chance_y = (r.softmax(-1).amax() for r in (x, y))
    for made, score in (
        (simcc("simcc", "equal"), chance_x),
        (simcc("simcc"), chance_y),
        (simcc("mmpose", score="logit"), torch.tensor(3.0)),
    ):
        poses = made.decode(AxisLogits(x=x, y=y))
        torch.testing.assert_close(poses.scores[0, 0, 0], score)
        assert poses.keypoints[0, 0, 0].tolist() == [50, 25]


def test_hrnet_coordinates_round_trip_and_flip() -> None:
    made = coordinate.HrnetCoordinateCodec(skeleton=COCO17, input_size=INPUT)
    points = torch.rand(2, 1, 17, 2) * 190
    target = made.encode(points, torch.full((2, 1, 17), 2), torch.ones(2, 256, 192))
    torch.testing.assert_close(target.xy[0, 0, 0], points[0, 0, 0, 0] / 192 - 0.5)
    output = Coordinates(target.xy, torch.ones(2, 17))
    torch.testing.assert_close(made.decode(output).keypoints, points, atol=1e-4, rtol=0)
    turned = made.decode(made.unflip(output)).keypoints[0, 0, 0]
    torch.testing.assert_close(turned[0], 191 - points[0, 0, 0, 0], atol=1e-4, rtol=0)


def test_discs_below_zero_are_decoded_at_the_first_cell_and_its_offset() -> None:
    made = UdpOffsetCodec(**WHERE, code="udp", radius=4.0)
    output = torch.full((1, 51, *CELLS), -1.0)
    output[:, 1::3], output[:, 2::3] = 0.5, 0.25
    output[:, 0, 30, 20] = 100.0
    keypoints = made.decode(output).keypoints[0, 0]
    torch.testing.assert_close(keypoints[0], torch.tensor([22 * 191 / 47, 31 * 255 / 63]))
    torch.testing.assert_close(keypoints[1], torch.tensor([2 * 191 / 47, 1 * 255 / 63]))
