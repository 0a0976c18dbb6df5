"""Codecs of one person beyond the laws: by hand, and what they reject."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from poselab.codecs.coordinate import CoordinateCodec
from poselab.codecs.heatmap import HeatmapCodec
from poselab.heatmaps import gaussians
from poselab.methods.udp_offset.codec import UdpOffsetCodec
from poselab.outputs import Coordinates
from poselab.skeletons import COCO17
from poselab.structures import InputError


def codec(**settings: Any) -> HeatmapCodec:
    """A codec of 16 x 12 heatmaps."""
    return HeatmapCodec(skeleton=COCO17, input_size=(64, 48), stride=4, **settings)


def at(x: float, y: float) -> torch.Tensor:
    """All keypoints of one person at one place."""
    return torch.tensor([x, y]).expand(1, 1, 17, 2)


SEEN, ALL = torch.full((1, 1, 17), 2, dtype=torch.uint8), torch.ones(1, 1, 1, dtype=torch.uint8)


@pytest.mark.parametrize(
    ("pixels", "cell"), [("centre", (2.0, 3.0)), ("hrnet", (2.375, 3.375)), ("udp", None)]
)
def test_cells_of_pixels_by_hand(pixels: str, cell: tuple[float, float] | None) -> None:
    """Pixel (9.5, 13.5) of a 64 x 48 input at stride 4: (9.5 + 0.5)/4 - 0.5 = 2, and so on."""
    expected = cell or (9.5 * 11 / 47, 13.5 * 15 / 63)
    found = codec(pixels=pixels).grid.to_cells(torch.tensor([9.5, 13.5]))
    torch.testing.assert_close(found, torch.tensor(expected))


def test_weight_follows_the_reach_of_the_gaussian() -> None:
    """Sigma 2 reaches 6 cells; 24 pixels left of cell 0's centre it still touches, 28 not."""
    reaching, beyond = (codec().encode(at(1.5 - d, 20.0), SEEN, ALL) for d in (24, 28))
    assert (reaching.weight == 1).all()
    assert (reaching.heatmaps[0, 0] > 0).any()
    assert (beyond.weight == 0).all()
    assert (beyond.heatmaps == 0).all()


def test_a_mask_of_the_input_weighs_cells() -> None:
    loss_mask = torch.ones(1, 64, 48, dtype=torch.uint8)
    loss_mask[:, :32] = 0
    weight = codec().encode(at(20.0, 40.0), SEEN, loss_mask).weight
    assert weight.shape == (1, 17, 16, 12)
    assert weight[0, 0].mean().item() == 0.5


def test_changing_the_decoder_leaves_the_codec_alone() -> None:
    first = codec(encoding="unbiased")
    second = first.with_decoder("dark")
    assert (first.decoder, second.decoder) == ("quarter", "dark")
    assert second.resolution < first.resolution


def test_scores_are_the_peaks() -> None:
    target = codec().encode(at(20.0, 40.0), SEEN, ALL)
    poses = codec().decode(0.7 * target.heatmaps)
    assert poses.scores.flatten().tolist() == pytest.approx([0.7] * 17)


def test_half_precision_outputs_decode_in_full() -> None:
    heatmaps = codec(encoding="unbiased").encode(at(21.3, 39.9), SEEN, ALL).heatmaps
    for decoder in HeatmapCodec.decoders:
        this = codec(decoder=decoder)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            poses = this.decode(heatmaps)
        assert poses.keypoints.dtype == torch.float32
        torch.testing.assert_close(poses.keypoints, this.decode(heatmaps).keypoints)
        assert this.decode(heatmaps.bfloat16()).keypoints.dtype == torch.float32


def test_coordinates_by_hand() -> None:
    """u = 0 is the middle of a 48-wide input, pixel 23.5."""
    this = CoordinateCodec(skeleton=COCO17, input_size=(64, 48), stride=4)
    output = Coordinates(torch.tensor([0.0, -0.5]).expand(1, 17, 2), torch.full((1, 17), 0.5))
    assert this.decode(output).keypoints[0, 0, 0].tolist() == [23.5, -0.5]
    target = this.encode(at(23.5, 31.5), SEEN, ALL)
    assert target.xy.abs().max() == 0
    assert (target.weight == 1).all()


def test_offsets_by_hand() -> None:
    """Centre at cell (5, 6): the cell to its left is one over the radius away."""
    this = UdpOffsetCodec(skeleton=COCO17, input_size=(64, 48), stride=4, pixels="centre")
    target = this.encode(at(21.5, 25.5), SEEN, ALL)
    disc, x, y = target.heatmaps[0, :3]
    assert disc[6].tolist() == [0, 0, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0]
    assert x[6, 4].item() == pytest.approx(1 / 3.5)
    assert y[8, 5].item() == pytest.approx(-2 / 3.5)
    assert torch.equal(target.weight[0, 1], disc)
    assert (target.weight[0, 0] == 1).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"encoding": "smooth"}, "expected codec.encoding"),
        ({"decoder": "best"}, "expected codec.decoder"),
        ({"activation": "odds"}, "expected codec.activation"),
        ({"pixels": "corner"}, "expected a pixel convention"),
        ({"sigma": 0.0}, "expected a sigma"),
    ],
)
def test_bad_settings_raise(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        codec(**settings)


def test_a_stride_that_does_not_divide_raises() -> None:
    with pytest.raises(InputError, match="expected an input size that the stride 4 divides"):
        HeatmapCodec(skeleton=COCO17, input_size=(250, 190), stride=4)


@pytest.mark.parametrize("decoder", HeatmapCodec.decoders)
@pytest.mark.parametrize("sigma", [1.0, 2.0, 3.0])
def test_the_stated_resolution_holds_for_every_sigma(sigma: float, decoder: Any) -> None:
    this = HeatmapCodec(
        skeleton=COCO17,
        input_size=(128, 96),
        stride=4,
        sigma=sigma,
        encoding="unbiased",
        decoder=decoder,
    )
    inset = 12 * sigma
    share = torch.rand(32, 1, 17, 2, generator=torch.Generator().manual_seed(3))
    points = inset + share * (torch.tensor([95.0, 127.0]) - 2 * inset)
    target = this.encode(points, SEEN.expand(32, 1, 17), ALL.expand(32, 1, 1))
    error = (this.decode(target.heatmaps).keypoints - points).abs().max().item()
    assert error <= this.resolution * 1.001


def test_udp_decodes_noisy_heatmaps_more_exactly_after_a_wide_blur() -> None:
    """Mean errors at sigma 3, height 0.8 and noise of 0.02: 11 cells halve that of 3."""
    random = torch.Generator().manual_seed(0)
    cells = 20 + 8 * torch.rand(200, 1, 2, generator=random)
    heatmaps = 0.8 * gaussians(cells, (48, 48), 3.0, biased=False)
    heatmaps += 0.02 * torch.randn(heatmaps.shape, generator=random)

    def error(blur: int) -> float:
        codec = HeatmapCodec(
            skeleton=COCO17,
            input_size=(192, 192),
            stride=4,
            sigma=3.0,
            decoder="udp",
            blur=blur,
            pixels="udp",
        )
        found = codec.grid.to_cells(codec.decode(heatmaps).keypoints[:, 0])
        return float(torch.linalg.vector_norm(found - cells, dim=-1).mean())

    assert error(11) < 0.5 * error(3)
