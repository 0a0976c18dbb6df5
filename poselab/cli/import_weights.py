"""poselab import-weights: a checkpoint of another zoo as a run of PoseLab."""

from __future__ import annotations

import argparse
import difflib
import hashlib
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from omegaconf import DictConfig

    from poselab.models.pretrained import Converted, Published
    from poselab.modules import PoseModule
    from poselab.structures import Skeleton

MODELS = """\
  simple_baseline_r{50,101,152}_{256x192,384x288,mpii_256x256}
  hrnet_w{32,48}_{256x192,384x288,mpii_256x256}
      microsoft/human-pose-estimation.pytorch, leoxiaobin/deep-high-resolution-net.pytorch
  dark_r50_128x96 dark_w{32,48}_128x96
  dark_r{50,101,152}_{256x192,384x288} dark_w{32,48}_{256x192,384x288}
      ilovepose/DarkPose
  udp_{r50,r101,r152,w32,w48}_{256x192,384x288,mpii_256x256}
  udp_offset_{r50,w32,w48}_{256x192,384x288}
      HuangJunJie2017/UDP-Pose (Gaussians; disc and offsets, of which files of UDPv1 want
      --set method.codec.radius=3.5)
  simcc_{r50,r101,w32,w48}_256x192 simcc_r50_384x288
  simcc_gaussian_{r50,w48}_384x288 simcc_gaussian_w48_256x192
      leeyegy/SimCC (simdr, sa_simdr)
  rle_r50_256x192
      Jeff-sjtu/res-loglikelihood-regression
  vitpose_{small,base,large,huge}_256x192 vitpose_{small,base,large,huge}_simple_256x192
      ViTAE-Transformer/ViTPose
  transformers_vitpose_{small,base,large,huge}_256x192
  transformers_vitpose_{small,base,large,huge}_simple_256x192
      VitPoseForPoseEstimation of transformers: model.safetensors or pytorch_model.bin
  mmpose_{heatmap,dark}_r{50,101,152}_{256x192,384x288}
  mmpose_{hrnet,dark,udp}_w{32,48}_{256x192,384x288} mmpose_udp_offset_w32_256x192
  mmpose_simcc_r50_{256x192,384x288}
  mmpose_{rle,deeppose}_r{50,101,152}_256x192 mmpose_rle_r152_384x288
  mmpose_vitpose_{small,base,large,huge}_256x192
  mmpose_vitpose_{small,base,large,huge}_simple_256x192
  rtmpose_{t,s,m,l}_256x192 rtmpose_{m,l}_384x288 mmpose_cspnext_{t,s,m,l}_256x192
      open-mmlab/mmpose 1.x
  keypoint_rcnn_r50 keypoint_rcnn_legacy_r50
      torchvision: COCO_V1's file; any other, be it COCO_LEGACY's or of your own training"""

_THEIR_NAMES = {
    "pose_resnet_": "simple_baseline_r",
    "pose_hrnet_": "hrnet_",
    "udp_regress": "udp_offset",
    "rtmpose_tiny": "rtmpose_t",
    "cspnext_tiny": "cspnext_t",
    "keypointrcnn_resnet50_fpn": "keypoint_rcnn_r50",
}

_DESCRIPTION = f"""Turn a checkpoint of another zoo into a run of PoseLab.

  poselab import-weights pose_hrnet_w32_256x192.pth --model hrnet_w32_256x192
  poselab import-weights vitpose-b.pth --model vitpose_base_256x192 --out runs/vitpose_b
  poselab predict runs/vitpose_b photo.jpg --out found
  poselab import-weights w32.pth --model hrnet_w32 --out runs/w32 --set data.sources.root=/data/coco
  poselab decode runs/w32 quarter       # its AP on the validation images

The run's folder holds config.yaml, run.json and checkpoints/best.ckpt. With the weights comes what
their authors' code does to pixels: the convention of coordinates, how images are normalised, how
flipped outputs are moved and how positions are read (poselab.codecs.reference_heatmaps). Keys are renamed
by explicit rules: one that is missing or unknown is an error, one that nothing here needs is listed
as left over. Only tensors, arrays and plain values of the file are read, nothing in it is executed.

models (height x width of the input; 256x192 may be left out):
{MODELS}

ViTPose+ and Caffe-style ResNets cannot be read; asking says why."""


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    arguments = argparse.ArgumentParser(
        description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("file", type=Path, help=".pth, .pt, .bin or .safetensors")
    arguments.add_argument("--model", required=True, metavar="NAME", help="what the file holds")
    arguments.add_argument(
        "--out", type=Path, metavar="RUN", help="the new run's folder (runs/imported/NAME/...)"
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
    """Run the command."""
    from poselab.experiments import runs

    published = chosen(arguments.model)
    _refuse_absent(arguments.file)
    config, skeleton = composed(published, arguments.set)
    module, taken = imported(arguments.file, published, config, skeleton)
    config.folder = None if arguments.out is None else str(arguments.out)
    folder = runs.new_folder(config, f"imported/{published.name}")
    _write(folder, config, skeleton, module, _origin(arguments.file, published, taken))
    print(f"{len(taken.weights)} tensors of {arguments.file} taken as {published.name}")
    print(f"left over: {', '.join(taken.left_over) or 'nothing'}")
    print(f"run: {folder}")
    return 0


def chosen(name: str) -> Published:
    """The entry called ``name``, or that with the usual input size; their files' names do too.

    Raises:
        InputError: there is none, or it cannot be read.
    """
    from poselab.models.pretrained import CATALOGUE, LEFT_OUT

    wanted = name.lower().replace("-", "_").replace("+", "_plus")
    for theirs, ours in _THEIR_NAMES.items():
        wanted = wanted.replace(theirs, ours)
    for full in (wanted, f"{wanted}_256x192"):
        if full in CATALOGUE:
            return CATALOGUE[full]
    for word, reason in LEFT_OUT.items():
        if word.replace("_", "") in wanted.replace("_", ""):
            raise InputError(f"expected weights that fit a network here, got {name}: {reason}")
    close = difflib.get_close_matches(wanted, CATALOGUE, n=3, cutoff=0.4)
    advice = f"did you mean {' or '.join(close)}? " if close else ""
    raise InputError(
        f"expected --model to be known, got {name!r}; {advice}`poselab import-weights --help` "
        "lists all"
    )


def _refuse_absent(file: Path) -> None:
    if not file.is_file():
        what = "a folder" if file.is_dir() else "no such file"
        raise InputError(f"expected a checkpoint at {file}, found {what}; check the path")


def composed(published: Published, overrides: Sequence[str] = ()) -> tuple[DictConfig, Skeleton]:
    """The config of the run that an entry makes, and its keypoints.

    What a paper reports for the experiment is left out: it is about other weights.
    """
    from poselab.experiments.compose import compose
    from poselab.skeletons import COCO17, MPII16

    words = [f"experiment={published.experiment}", *published.changes, *overrides]
    config, _ = compose("train", words)
    if "pretrained" in config.backbone:
        config.backbone.pretrained = False
    config.published = {}
    return config, {"coco": COCO17, "mpii": MPII16}[published.experiment.split("/")[0]]


def imported(
    file: Path, published: Published, config: DictConfig, skeleton: Skeleton
) -> tuple[PoseModule, Converted]:
    """The module of a config with the weights of ``file``, and what was taken from there.

    Raises:
        InputError: the file is no state dict, or not of that model.
    """
    from poselab.experiments import build
    from poselab.models.backbones.weights import read_state
    from poselab.models.pretrained import converted

    state = read_state(file, published.name)
    module = build.module(config, skeleton)
    try:
        taken = converted(state, published.keys, module.state_dict())
    except InputError as error:
        raise InputError(f"{file} as {published.name}: {error}") from error
    module.load_state_dict(taken.weights)
    return module.eval(), taken


def _origin(file: Path, published: Published, taken: Converted) -> dict[str, Any]:
    """Where the weights come from."""
    return {
        "file": file.name,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "model": published.name,
        "experiment": published.experiment,
        "changes": list(published.changes),
        "left_over": list(taken.left_over),
    }


def _write(
    folder: Path,
    config: DictConfig,
    skeleton: Skeleton,
    module: PoseModule,
    origin: dict[str, Any],
) -> None:
    """The run: manifest, config, checkpoint."""
    from omegaconf import OmegaConf

    from poselab import __version__
    from poselab.experiments import build
    from poselab.io.checkpoints import WholeCheckpoints
    from poselab.io.files import write_bytes, write_json
    from poselab.models.cost import cost

    height, width = build.framing(config).size
    manifest = {
        "experiment": f"imported/{origin['model']}",
        "seed": config.seed,
        "state": "imported",
        "imported": origin,
        "command": sys.argv,
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "environment": {"poselab": __version__},
        "cost": cost(module.net, (height, width))._asdict(),
    }
    conditions = _conditions(config, module)
    if conditions is not None:
        manifest["comparability"] = conditions
    content = {
        "state_dict": module.state_dict(),
        build.CHECKPOINT_KEY: build.described(config, skeleton),
    }
    write_json(folder / "run.json", manifest)
    write_bytes(folder / "config.yaml", OmegaConf.to_yaml(config, resolve=True).encode())
    WholeCheckpoints().save_checkpoint(content, folder / "checkpoints" / "best.ckpt")


def _conditions(config: DictConfig, module: PoseModule) -> dict[str, Any] | None:
    """What figures of the run depend on, where the data that it validates on is there."""
    from poselab.experiments import build
    from poselab.experiments.comparability import run_comparability

    try:
        return run_comparability(build.data(config), module)
    except InputError as error:
        print(f"predicts, but validates on nothing yet: {error}", file=sys.stderr)
        return None
