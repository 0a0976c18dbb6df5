"""Decoding, encoding and OKS-NMS on one CPU core, against the authors' algorithms image by image.

    python scripts/benchmarks/decoding.py [--rounds 20]

Batch 64, 17 keypoints, 64×48 heatmaps of a 256×192 input, float32, one thread; SimCC with two bins
a pixel; 300 people far apart for OKS-NMS. The peer works as mmpose 1.3 does: one image at a time in
NumPy and OpenCV, keypoint by keypoint where its code is. Both sides must give the same answer. They
run in turn; the median of the rounds' ratios counts, printed with its lowest and highest tenth.
"imported" decodes by mmpose's rules, as runs of its weights do. Exit status 1 where a median misses
its aim.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np
import torch
from interleaved import interleaved

from poselab.codecs.heatmap import HeatmapCodec
from poselab.grouping.oks_nms import oks_nms
from poselab.methods.simcc.codec import SimccCodec
from poselab.outputs import AxisLogits
from poselab.skeletons import COCO17

if TYPE_CHECKING:
    from collections.abc import Callable

BATCH, PEOPLE, SIGMA, STRIDE, BLUR = 64, 300, 2.0, 4, 11


class Question(NamedTuple):
    """What is timed: ours and the peer, and the multiple that is aimed at."""

    name: str
    ours: Callable[[], Any]
    peer: Callable[[], Any]
    aim: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    print(f"{'':<24}{'ours ms':>10}{'peer ms':>10}{'times':>8}{'range':>16}{'aim':>6}")
    missed = False
    with torch.inference_mode():
        for question in questions():
            same(question.ours(), question.peer())
            found = interleaved(question.ours, question.peer, rounds)
            missed |= found.median < question.aim
            print(
                f"{question.name:<24}{found.ours_ms:10.2f}{found.peer_ms:10.1f}"
                f"{found.median:8.1f}{f'{found.low:.1f} to {found.high:.1f}':>16}{question.aim:6g}"
            )
    return int(missed)


def same(ours: Any, peer: Any) -> None:
    assert np.allclose(np.asarray(ours), peer, atol=2e-2), "the two do not do the same"


def questions() -> list[Question]:
    common: dict[str, Any] = {"skeleton": COCO17, "input_size": (256, 192), "stride": STRIDE}
    random = torch.Generator().manual_seed(0)
    points = torch.rand(BATCH, 1, 17, 2, generator=random) * torch.tensor([140.0, 200.0]) + 24
    seen = torch.full((BATCH, 1, 17), 2, dtype=torch.uint8)
    loss_mask = torch.ones(BATCH, 1, 1, dtype=torch.uint8)
    codec = HeatmapCodec(**common, pixels="hrnet", sigma=SIGMA, encoding="unbiased", blur=BLUR)
    heat = codec.encode(points, seen, loss_mask).heatmaps
    heat = heat + 0.02 * torch.randn(heat.shape, generator=random)
    simcc = SimccCodec(**common, pixels="hrnet", smoothing="gaussian", score="logit")
    bins = AxisLogits(*simcc.encode(points, seen, loss_mask)[:2])

    def decoded(decoder: str, code: str | None) -> Callable[[], Any]:
        made = HeatmapCodec(
            **common,
            pixels="hrnet",
            sigma=SIGMA,
            encoding="unbiased",
            blur=BLUR,
            decoder=decoder,
            code=code,
        )
        return lambda: made.decode(heat).keypoints[:, 0]

    def classified(code: str | None) -> Callable[[], Any]:
        made = SimccCodec(**common, pixels="hrnet", smoothing="gaussian", score="logit", code=code)
        return lambda: made.decode(bins).keypoints[:, 0]

    instances = crowd()
    maps, x, y = heat.numpy(), bins.x.numpy(), bins.y.numpy()
    cells = (points[:, 0] / STRIDE).numpy()
    made: list[Question] = []
    for name, code in (("", None), (", imported", "mmpose")):
        made += [
            Question(f"DARK{name}", decoded("dark", code), lambda: each(peer_dark, maps), 24),
            Question(f"UDP{name}", decoded("udp", code), lambda: each(peer_udp, maps), 20),
            Question(f"SimCC{name}", classified(code), lambda: each(peer_simcc, x, y), 10),
        ]
    return [
        *made,
        Question(
            "Gaussian targets",
            lambda: codec.encode(points, seen, loss_mask).heatmaps,
            lambda: each(peer_gaussians, cells),
            10,
        ),
        Question("OKS-NMS", lambda: oks_nms(*instances), lambda: peer_nms(*instances), 80),
    ]


def each(function: Callable[..., Any], *batches: Any) -> Any:
    """The function's result for every image of the batches."""
    return np.stack([function(*parts) for parts in zip(*batches, strict=True)])


def crowd() -> tuple[Any, ...]:
    """People of about the same size, hardly any two alike."""
    random = np.random.default_rng(0)
    corners = random.uniform(0, 2000, (PEOPLE, 1, 2))
    keypoints = corners + random.uniform(0, 1, (PEOPLE, 17, 2)) * [60, 150]
    oks_sigmas = np.array(COCO17.oks_sigmas)
    return keypoints, random.random(PEOPLE), np.full(PEOPLE, 9000.0), oks_sigmas, 0.9


def peer_peaks(maps: Any) -> tuple[Any, Any]:
    """The highest cells (K, 2) of heatmaps (K, h, w) and their values, as the authors find them."""
    rows = maps.reshape(len(maps), -1)
    y, x = np.unravel_index(np.argmax(rows, axis=1), maps.shape[1:])
    values = np.amax(rows, axis=1)
    cells = np.stack([x, y], axis=-1).astype(np.float32)
    cells[values <= 0] = -1
    return cells, values


def peer_blur(maps: Any) -> Any:
    """Every heatmap blurred with zeros around it and brought back to its height."""
    margin = BLUR // 2
    blurred = np.empty_like(maps)
    for k, heatmap in enumerate(maps):
        padded = np.zeros([n + 2 * margin for n in heatmap.shape], np.float32)
        padded[margin:-margin, margin:-margin] = heatmap
        smooth = cv2.GaussianBlur(padded, (BLUR, BLUR), 0)[margin:-margin, margin:-margin]
        blurred[k] = smooth * (heatmap.max() / smooth.max())
    return blurred


def peer_dark(maps: Any) -> Any:
    cells, _ = peer_peaks(maps)
    logs = np.log(np.maximum(peer_blur(maps), 1e-10))
    h, w = maps.shape[1:]
    for m, cell in zip(logs, cells, strict=True):
        x, y = cell.astype(int)
        if not (1 < x < w - 2 and 1 < y < h - 2):
            continue
        dx, dy = (m[y, x + 1] - m[y, x - 1]) / 2, (m[y + 1, x] - m[y - 1, x]) / 2
        xx = (m[y, x + 2] - 2 * m[y, x] + m[y, x - 2]) / 4
        yy = (m[y + 2, x] - 2 * m[y, x] + m[y - 2, x]) / 4
        xy = (m[y + 1, x + 1] - m[y - 1, x + 1] - m[y + 1, x - 1] + m[y - 1, x - 1]) / 4
        if xx * yy - xy**2 != 0:
            inverse = np.linalg.inv(np.array([[xx, xy], [xy, yy]]))
            cell -= (inverse @ np.array([[dx], [dy]]))[:, 0]
    return cells * STRIDE


def peer_udp(maps: Any) -> Any:
    cells, _ = peer_peaks(maps)
    k, _, w = maps.shape
    logs = np.log(np.clip(peer_blur(maps), 1e-3, 50))
    flat = np.pad(logs, ((0, 0), (1, 1), (1, 1)), mode="edge").reshape(k, -1)
    middle = ((cells[:, 1] + 1) * (w + 2) + cells[:, 0] + 1).astype(int)

    def at(dx: int, dy: int) -> Any:
        return flat[np.arange(k), middle + dx + dy * (w + 2)]

    c, right, left, below, above = at(0, 0), at(1, 0), at(-1, 0), at(0, 1), at(0, -1)
    slope = np.stack([right - left, below - above], axis=-1)[..., None] / 2
    xx, yy = right - 2 * c + left, below - 2 * c + above
    xy = (at(1, 1) - right - below + 2 * c - left - above + at(-1, -1)) / 2
    hessian = np.stack([xx, xy, xy, yy], axis=-1).reshape(k, 2, 2)
    inverse = np.linalg.inv(hessian + np.finfo(np.float32).eps * np.eye(2))
    return (cells - (inverse @ slope)[..., 0]) * STRIDE


def peer_simcc(x: Any, y: Any) -> Any:
    found = np.stack([np.argmax(x, axis=1), np.argmax(y, axis=1)], axis=-1).astype(np.float32)
    scores = np.minimum(np.amax(x, axis=1), np.amax(y, axis=1))
    found[scores <= 0] = -1
    return found / 2


def peer_gaussians(cells: Any) -> Any:
    """Unbiased targets, keypoint by keypoint."""
    maps = np.zeros((len(cells), 64, 48), np.float32)
    x, y = np.arange(48, dtype=np.float32), np.arange(64, dtype=np.float32)[:, None]
    for heatmap, (mean_x, mean_y) in zip(maps, cells, strict=True):
        reach = 3 * SIGMA
        if not (-reach <= mean_x < 48 + reach and -reach <= mean_y < 64 + reach):
            continue
        gaussian = np.exp(-((x - mean_x) ** 2 + (y - mean_y) ** 2) / (2 * SIGMA**2))
        np.maximum(heatmap, gaussian, out=heatmap)
    return maps


def peer_nms(keypoints: Any, scores: Any, areas: Any, oks_sigmas: Any, threshold: float) -> Any:
    """Greedy, the OKS of every pair by itself."""
    order, kept = np.argsort(scores)[::-1], []
    variances = (2 * oks_sigmas) ** 2
    while len(order):
        best, order = order[0], order[1:]
        kept.append(best)
        oks = np.zeros(len(order))
        for n, other in enumerate(order):
            dx, dy = (keypoints[other] - keypoints[best]).T
            area = (areas[other] + areas[best]) / 2 + np.spacing(1)
            oks[n] = np.exp(-(dx**2 + dy**2) / variances / area / 2).sum() / len(dx)
        order = order[oks <= threshold]
    return np.array(kept)


if __name__ == "__main__":
    sys.exit(main())
