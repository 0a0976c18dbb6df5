"""How many images a method predicts per second."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import torch

from poselab.outputs import map_tensors

if TYPE_CHECKING:
    from torch import Tensor

    from poselab.modules.pose_module import PoseModule
    from poselab.structures import Sample


def images_per_second(
    module: PoseModule, batch: Sample[Tensor], device: str, seconds: float = 1.0
) -> float:
    """Inputs per second of the whole prediction step: network, decoding, scoring.

    Without flip test, in the weights' own precision; the best of the repeats in ``seconds``.
    Images lie on ``device`` already, poses are brought back from it.
    """
    module = module.to(device).eval()
    ready = map_tensors(lambda tensor: tensor.to(device), batch)
    flip_test, module.flip_test = module.flip_test, False
    best, started = float("inf"), time.perf_counter()
    with torch.inference_mode():
        module.predict_step(ready, 0)  # warms up kernels and caches
        while best == float("inf") or time.perf_counter() - started < seconds:
            before = time.perf_counter()
            module.predict_step(ready, 0)
            # The best, because other programs only ever make it slower.
            best = min(best, time.perf_counter() - before)
    module.flip_test = flip_test
    return len(batch.image) / best
