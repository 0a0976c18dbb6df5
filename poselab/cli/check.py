"""poselab check: try an experiment, and estimate its cost."""

from __future__ import annotations

import sys

_HELP = """usage: poselab check experiment=SUITE/NAME [key=value ...]

Try an experiment without training it: compose its config, open its data, frame one batch, take
four training steps, predict one batch, evaluate it. What would fail in training fails here. Prints
what training would cost on one device of this machine: parameters, GMACs, memory, images per
second, steps, hours. Takes the arguments of `poselab train`; writes nothing.

  poselab check experiment=quickstart/heatmap
  poselab check experiment=coco/hrnet_w32_256x192 data.sources.root=/data/coco data.batch_size=32
"""


def main(words: list[str]) -> int:
    """Try the experiment and print its cost."""
    if not words or {"-h", "--help"} & set(words):
        print(_HELP, file=sys.stdout if words else sys.stderr)
        return 0 if words else 2
    from poselab.experiments.cost_check import check_experiment

    print(check_experiment(words))
    return 0
