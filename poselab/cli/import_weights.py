"""poselab import-weights: a checkpoint of another model zoo as a run of PoseLab."""

from __future__ import annotations

import argparse

from poselab.cli.arguments import Arguments, output_folder, path
from poselab.experiments.pretrained.models import MODELS

_DESCRIPTION = f"""Turn a checkpoint of another model zoo into a run of PoseLab.

  poselab import-weights pose_hrnet_w32_256x192.pth --model hrnet_w32_256x192
  poselab import-weights vitpose-b.pth --model vitpose_base_256x192 --out runs/vitpose_b
  poselab predict runs/vitpose_b photo.jpg --out poses
  poselab import-weights w32.pth --model hrnet_w32 --out runs/w32 --set data.sources.root=/data/coco
  poselab decode runs/w32 quarter       # its AP on the validation images

The run's folder holds config.yaml, run.json and checkpoints/best.ckpt. It follows the conventions
of the authors' code: pixel coordinates, normalisation of images, shift of flipped outputs and
decoding of positions (poselab.codecs). Keys are renamed by explicit rules: a missing or unknown key
is an error, keys that PoseLab does not need are listed as left over. Only tensors, arrays and plain
values of the file are read; nothing in it is executed.

models (height x width of the input; 256x192 may be left out):
{MODELS}

ViTPose+ and Caffe-style ResNets cannot be imported; their names print the reason."""


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    arguments = Arguments(
        description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("file", type=path, help=".pth, .pt, .bin or .safetensors")
    arguments.add_argument("--model", required=True, metavar="NAME", help="the model in the file")
    arguments.add_argument(
        "--out",
        type=output_folder,
        metavar="RUN",
        help="the new run's folder (runs/imported/NAME/...)",
    )
    arguments.add_argument(
        "--set",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="values of the run's config, such as data.sources.root=FOLDER or framing.boxes=FILE",
    )
    return arguments


def run(arguments: argparse.Namespace) -> int:
    """Import the weights; print which tensors of the file are used and which are left over."""
    from poselab.experiments.pretrained.import_weights import import_run

    folder, imported = import_run(arguments.file, arguments.model, arguments.out, arguments.set)
    taken = imported.converted
    print(f"{len(taken.weights)} tensors of {arguments.file} taken as {imported.pretrained.name}")
    print(f"left over: {', '.join(taken.left_over) or 'nothing'}")
    print(f"run: {folder}")
    return 0
