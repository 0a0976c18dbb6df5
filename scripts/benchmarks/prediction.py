"""What a prediction step costs over the bare network's forward pass.

    python scripts/benchmarks/prediction.py [--rounds 5] [--batch-size 8] [--threads 1]

SimpleBaseline ResNet-50 at 256×192 on the CPU, uint8 images in, poses in image pixels out, by
DARK's decoder. The network alone gets images that are normalised already. They take turns;
prints the ratio of the best times, without the flip test (limit 1.1) and with it (limit 2.2).
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

import torch

from poselab.experiments import build
from poselab.experiments.config.compose import compose
from poselab.skeletons import COCO17
from poselab.structures import Frame, Sample

LIMITS = {False: 1.1, True: 2.2}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    words = ["experiment=coco/heatmap_r50_256x192", "backbone.pretrained=false"]
    config, _ = compose("train", [*words, "method.codec.decoder=dark"])
    module = build.module(config, COCO17).eval()
    batch = synthetic_batch(arguments.batch_size)
    ready = (batch.image.float() - module.mean) / module.std
    times: dict[Any, float] = {}
    with torch.inference_mode():
        for _ in range(arguments.rounds):
            keep_best_time(times, "bare", lambda: module.net(ready))
            for flip in LIMITS:
                module.flip_test = flip
                keep_best_time(times, flip, lambda: module.predict_step(batch, 0))
    missed = False
    print(f"bare network   {times['bare']:8.3f} s a batch of {arguments.batch_size}")
    for flip, limit in LIMITS.items():
        ratio = times[flip] / times["bare"]
        missed |= ratio > limit
        name = "with flip test" if flip else "predict"
        print(f"{name:<15}{times[flip]:8.3f} s, {ratio:.3f} of it (limit {limit})")
    return int(missed)


def keep_best_time(times: dict[Any, float], name: Any, work: Any) -> None:
    """Keep the best time of some work."""
    start = time.perf_counter()
    work()
    times[name] = min(times.get(name, float("inf")), time.perf_counter() - start)


def synthetic_batch(size: int) -> Sample:
    image = torch.randint(0, 256, (size, 3, 256, 192), dtype=torch.uint8)
    frame = Frame(
        to_image=torch.eye(2, 3).expand(size, 2, 3),
        image_id=torch.arange(size),
        annotation_id=torch.arange(size),
        box=torch.tensor([0.0, 0.0, 192.0, 256.0]).expand(size, 4),
        box_score=torch.ones(size),
    )
    return Sample(image, torch.zeros(size, 1, 17, 2), torch.zeros(size, 1, 17), None, frame)


if __name__ == "__main__":
    sys.exit(main())
