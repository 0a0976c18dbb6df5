"""Decoding, encoding and OKS-NMS on one CPU core, against figures of mmpose 1.3 and plain NumPy.

    python scripts/benchmarks/decoding.py [--rounds 20]

Batch 64, 17 keypoints, 64×48 maps of a 256×192 input, float32, one thread; SimCC with two bins a
pixel, read by its raw scores as mmpose does; 1,000 people far apart for OKS-NMS. The plain NumPy
reference does the same, vectorised over the batch, checked to give the same answer, in turn with
ours; the best of all rounds counts. mmpose's figures were taken on another core, where that
reference decoded DARK at 11,600 samples a second: the last column scales the limit by what the
reference does here.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from poselab.codecs.heatmap import HeatmapCodec
from poselab.grouping.oks_nms import oks_nms
from poselab.methods.simcc.codec import SimccCodec
from poselab.outputs import AxisLogits
from poselab.skeletons import COCO17

if TYPE_CHECKING:
    from collections.abc import Callable

BATCH, PEOPLE, SIGMA, STRIDE = 64, 1000, 2.0, 4
REFERENCE_THERE = 11_600.0  # DARK in plain NumPy, samples a second, on the core of mmpose's figures
TAPS = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 2.0**2))
TAPS = (TAPS / TAPS.sum()).astype(np.float32)


class Question(NamedTuple):
    """What is timed: ours and the reference, units of work, mmpose's figure and the multiple."""

    name: str
    ours: Callable[[], Any]
    reference: Callable[[], Any]
    units: int
    mmpose: float
    multiple: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    with torch.inference_mode():
        timed = [(question, *seconds(question, rounds)) for question in questions()]
    core = BATCH / timed[0][2] / REFERENCE_THERE
    print(f"this core does {core:.2f} of the work of the one that mmpose's figures are of")
    header = ("", "ours /s", "NumPy /s", "of NumPy", "of mmpose", "limit", "on such a core")
    print("{:<16}{:>12}{:>12}{:>10}{:>11}{:>8}{:>16}".format(*header))
    missed = [printed(question, ours, there, core) for question, ours, there in timed]
    return int(any(missed))


def printed(question: Question, ours: float, reference: float, core: float) -> bool:
    """One line of the table; whether the limit was missed."""
    rate, other = question.units / ours, question.units / reference
    times = rate / question.mmpose
    print(
        f"{question.name:<16}{rate:12,.0f}{other:12,.0f}{rate / other:10.2f}{times:10.1f}x"
        f"{question.multiple:7.0f}x{times / core:15.1f}x"
    )
    return times < question.multiple


def seconds(question: Question, rounds: int) -> tuple[float, float]:
    """The best times of ours and of the reference, in turn."""
    same(question.ours(), question.reference())
    times = np.zeros((rounds, 2))
    for row in times:
        for n, work in enumerate((question.ours, question.reference)):
            start = time.perf_counter()
            work()
            row[n] = time.perf_counter() - start
    return float(times[:, 0].min()), float(times[:, 1].min())


def same(ours: Any, reference: Any) -> None:
    assert np.allclose(np.asarray(ours), reference, atol=2e-2), "the two do not do the same"


def questions() -> list[Question]:
    common = {"skeleton": COCO17, "input_size": (256, 192), "stride": STRIDE, "pixels": "hrnet"}
    random = torch.Generator().manual_seed(0)
    points = torch.rand(BATCH, 1, 17, 2, generator=random) * torch.tensor([140.0, 200.0]) + 24
    seen = torch.full((BATCH, 1, 17), 2, dtype=torch.uint8)
    loss_mask = torch.ones(BATCH, 1, 1, dtype=torch.uint8)
    codec = HeatmapCodec(**common, sigma=SIGMA, encoding="unbiased")
    dark, udp = codec.with_decoder("dark"), codec.with_decoder("udp")
    heat = codec.encode(points, seen, loss_mask).heatmaps
    heat = heat + 0.02 * torch.rand(heat.shape, generator=random)
    simcc = SimccCodec(**common, smoothing="gaussian", score="logit")
    bins = AxisLogits(*simcc.encode(points, seen, loss_mask)[:2])
    cells = points[:, 0].numpy() / STRIDE
    instances = crowd()
    return [
        Question(
            "DARK decode",
            lambda: dark.decode(heat).keypoints[:, 0],
            lambda: numpy_dark(heat.numpy()) * STRIDE,
            *(BATCH, 427, 24),
        ),
        Question(
            "UDP decode",
            lambda: udp.decode(heat).keypoints[:, 0],
            lambda: numpy_udp(heat.numpy()) * STRIDE,
            *(BATCH, 542, 20),
        ),
        Question(
            "Gaussian encode",
            lambda: codec.encode(points, seen, loss_mask).heatmaps,
            lambda: numpy_gaussians(cells),
            *(BATCH, 1443, 10),
        ),
        Question(
            "SimCC decode",
            lambda: simcc.decode(bins).keypoints[:, 0],
            lambda: numpy_simcc(bins.x.numpy(), bins.y.numpy()) / 2,
            *(BATCH, 16_011, 10),
        ),
        Question(
            "OKS-NMS", lambda: oks_nms(*instances), lambda: numpy_nms(*instances), *(1, 0.1, 80)
        ),
    ]


def crowd() -> tuple[Any, ...]:
    """1,000 people of about the same size, hardly any two alike."""
    random = np.random.default_rng(0)
    corners = random.uniform(0, 2000, (PEOPLE, 1, 2))
    keypoints = corners + random.uniform(0, 1, (PEOPLE, 17, 2)) * [60, 150]
    oks_sigmas = np.array(COCO17.oks_sigmas)
    return keypoints, random.random(PEOPLE), np.full(PEOPLE, 9000.0), oks_sigmas, 0.9


def patches(heat: Any, reach: int, mode: str) -> tuple[Any, Any, Any]:
    """Squares around the highest cells, with the cells' x and y."""
    b, k, _, w = heat.shape
    y, x = np.divmod(heat.reshape(b, k, -1).argmax(-1), w)
    sides = ((0, 0), (0, 0), (reach, reach), (reach, reach))
    padded = np.pad(heat, sides, mode=mode)  # type: ignore[call-overload]
    view = np.lib.stride_tricks.sliding_window_view(padded, (2 * reach + 1,) * 2, axis=(2, 3))
    return view[np.arange(b)[:, None], np.arange(k), y, x], x, y


def blurred(square: Any, taps: Any) -> Any:
    for axis in (-2, -1):
        view = np.lib.stride_tricks.sliding_window_view(square, len(taps), axis=axis)
        square = view @ taps
    return square


def newton(x: Any, y: Any, slope: tuple[Any, Any], hessian: tuple[Any, Any, Any]) -> Any:
    (gx, gy), (xx, yy, xy) = slope, hessian
    determinant = xx * yy - xy * xy
    return np.stack(
        [x - (yy * gx - xy * gy) / determinant, y - (xx * gy - xy * gx) / determinant], axis=-1
    )


def numpy_dark(heat: Any) -> Any:
    square, x, y = patches(heat, 7, "constant")
    smooth = blurred(square, TAPS)
    scale = square.max((-2, -1)) / smooth.max((-2, -1))
    m = np.log(np.maximum(smooth * scale[..., None, None], 1e-10))
    slope = (m[..., 2, 3] - m[..., 2, 1]) / 2, (m[..., 3, 2] - m[..., 1, 2]) / 2
    xx = (m[..., 2, 4] - 2 * m[..., 2, 2] + m[..., 2, 0]) / 4
    yy = (m[..., 4, 2] - 2 * m[..., 2, 2] + m[..., 0, 2]) / 4
    xy = (m[..., 3, 3] - m[..., 1, 3] - m[..., 3, 1] + m[..., 1, 1]) / 4
    return newton(x, y, slope, (xx, yy, xy))


def numpy_udp(heat: Any) -> Any:
    square, x, y = patches(heat, 2, "reflect")
    m = np.log(np.clip(blurred(square, np.array([0.25, 0.5, 0.25], np.float32)), 1e-3, 50))
    centre = m[..., 1, 1]
    slope = (m[..., 1, 2] - m[..., 1, 0]) / 2, (m[..., 2, 1] - m[..., 0, 1]) / 2
    xx, yy = (
        a + b - 2 * centre for a, b in ((m[..., 1, 2], m[..., 1, 0]), (m[..., 2, 1], m[..., 0, 1]))
    )
    beyond = m[..., 2, 2] - m[..., 1, 2] - m[..., 2, 1] + centre
    before = m[..., 0, 0] - m[..., 1, 0] - m[..., 0, 1] + centre
    return newton(x, y, slope, (xx, yy, (beyond + before) / 2))


def numpy_gaussians(cells: Any) -> Any:
    x, y = (
        np.exp(-((np.arange(n, dtype=np.float32) - cells[..., a, None]) ** 2) / (2 * SIGMA**2))
        for a, n in ((0, 48), (1, 64))
    )
    return y[..., :, None] * x[..., None, :]


def numpy_simcc(x: Any, y: Any) -> Any:
    best = [axis.argmax(-1) for axis in (x, y)]
    np.minimum(
        *(np.take_along_axis(a, b[..., None], -1) for a, b in zip((x, y), best, strict=True))
    )
    return np.stack(best, axis=-1)


def numpy_nms(keypoints: Any, scores: Any, areas: Any, oks_sigmas: Any, threshold: float) -> Any:
    order, kept = np.argsort(-scores), []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(best)
        distance = ((keypoints[order] - keypoints[best]) ** 2).sum(-1)
        area = (areas[order] + areas[best]) / 2
        oks = np.exp(-distance / (8 * oks_sigmas**2 * area[:, None])).mean(-1)
        order = order[oks <= threshold]
    return np.array(kept)


if __name__ == "__main__":
    sys.exit(main())
