"""What a prediction step costs over the bare network's forward pass.

    python scripts/benchmarks/prediction.py [--rounds 5] [--batch-size 8] [--threads 1]

SimpleBaseline ResNet-50 at 256×192 on the CPU, uint8 images in, poses in image pixels out, by
DARK's decoder. The network alone gets images that are normalised already. They take turns; printed
is the median of the rounds' ratios of CPU time with its lowest and highest tenth, without the flip
test (limit 1.1) and with it (limit 2.2).
"""

from __future__ import annotations

import argparse
import sys

import torch
from interleaved import interleaved

from poselab.experiments import build
from poselab.experiments.config.compose import compose
from poselab.skeletons import COCO17
from poselab.structures import Frame, Sample


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
    missed = False
    print(f"{'':<16}{'ms':>10}{'bare ms':>10}{'ratio':>8}{'range':>16}{'limit':>7}")
    with torch.inference_mode():
        for name, flip, limit in (("predict", False, 1.1), ("with flip test", True, 2.2)):
            module.flip_test = flip
            found = interleaved(
                lambda: module.net(ready), lambda: module.predict_step(batch, 0), arguments.rounds
            )
            missed |= found.median > limit
            spread = f"{found.low:.3f} to {found.high:.3f}"
            print(
                f"{name:<16}{found.peer_ms:10.0f}{found.ours_ms:10.0f}{found.median:8.3f}"
                f"{spread:>16}{limit:7g}"
            )
    return int(missed)


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
