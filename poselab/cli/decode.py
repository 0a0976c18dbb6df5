"""poselab decode: the heatmaps of one checkpoint, decoded by every decoder."""

from __future__ import annotations

import argparse

from poselab.cli.annotation_words import add_outside_images
from poselab.cli.arguments import Arguments, output_folder, path, seed, whole
from poselab.evaluation.statistics import MOST_REPLICATES
from poselab.experiments.device import add_device
from poselab.io.folders import only_writer

_DESCRIPTION = """Compare decoders of heatmaps on a finished run.

The run's best checkpoint predicts the heatmaps of the validation images once; they are kept in
RUN/raw, so that a second call only decodes. Each decoder's predictions are written and scored like
the run's own, and the table shows how they differ, with paired confidence intervals.

  poselab decode runs/coco/hrnet_w32_128x96/...                      every decoder
  poselab decode runs/coco/hrnet_w32_128x96/... quarter dark         these two

Writes RUN/predictions/DECODER.json (COCO results format, beside the run's own, so that `evaluate`
and `compare` find its comparability record), RUN/decoders/table.md and comparison.json; or all of
it into --out."""


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    arguments = Arguments(
        description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("run", type=path, help="a run's folder")
    names = "argmax quarter dark udp soft_argmax local_soft_argmax"
    arguments.add_argument("decoders", nargs="*", help=names)
    arguments.add_argument("--out", type=output_folder, help="folder to write everything to")
    arguments.add_argument("--boxes", help="detections file in place of the run's own boxes")
    arguments.add_argument("--precision", choices=["float32", "float16"], default="float32")
    arguments.add_argument("--batch-size", type=whole(1), default=32)
    add_device(arguments)
    add_outside_images(arguments)
    arguments.add_argument(
        "--replicates",
        type=whole(1, MOST_REPLICATES),
        default=1000,
        help="bootstrap replicates (1000)",
    )
    arguments.add_argument("--seed", type=seed, default=0, help="of the bootstrap (0)")
    return arguments


def run(arguments: argparse.Namespace) -> int:
    """Run the network once, decode in every way, print the table."""
    from poselab.experiments.prediction.decoders import DecodingOptions, compare_decoders

    options = DecodingOptions(
        arguments.boxes,
        arguments.precision,
        arguments.batch_size,
        arguments.device,
        arguments.outside_images,
    )
    with only_writer(arguments.out or arguments.run):
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
