"""poselab decode: one checkpoint read by every decoder, without training or running it again."""

from __future__ import annotations

import argparse
from pathlib import Path

from poselab.cli.scoring import check_replicates
from poselab.experiments.device import add_device

_DESCRIPTION = """Compare decoders of heatmaps on a finished run: what is each worth?

The run's best checkpoint sees the validation images once; its heatmaps are kept in RUN/raw, so that
a second call only decodes. Each decoder's predictions are written and scored as the run's own were,
and the table says how they differ, with paired confidence intervals.

  poselab decode runs/coco/hrnet_w32_128x96/...                      every decoder
  poselab decode runs/coco/hrnet_w32_128x96/... quarter dark         these two

Writes RUN/predictions/DECODER.json (COCO results format, beside the run's own, so that `evaluate`
and `compare` find its comparability record), RUN/decoders/table.md and comparison.json; or all of
it into --out."""


def parser() -> argparse.ArgumentParser:
    """The command's words."""
    words = argparse.ArgumentParser(
        description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words.add_argument("run", type=Path, help="a run's folder")
    names = "argmax quarter dark udp soft_argmax local_soft_argmax"
    words.add_argument("decoders", nargs="*", help=names)
    words.add_argument("--out", type=Path, help="folder to write everything to")
    words.add_argument("--boxes", help="detections file in place of the run's own boxes")
    words.add_argument("--precision", choices=["float32", "float16"], default="float32")
    words.add_argument("--batch-size", type=int, default=32)
    add_device(words)
    words.add_argument("--replicates", type=int, default=1000, help="bootstrap replicates (1000)")
    words.add_argument("--seed", type=int, default=0, help="of the bootstrap (0)")
    return words


def run(arguments: argparse.Namespace) -> int:
    """Run the network once, decode in every way, print the table."""
    from poselab.experiments.decoders import DecodingOptions, compare_decoders

    check_replicates(arguments)
    options = DecodingOptions(
        arguments.boxes, arguments.precision, arguments.batch_size, arguments.device
    )
    compare_decoders(
        arguments.run,
        arguments.decoders,
        arguments.out,
        options,
        arguments.replicates,
        arguments.seed,
    )
    print(f"tables: {arguments.out or arguments.run / 'decoders'}")
    return 0
