"""Pretrained weights of other projects, as a module of PoseLab and as a run."""

from __future__ import annotations

import hashlib
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from poselab import __version__
from poselab.experiments import build, manifest, runs
from poselab.experiments.comparability import sample_comparability
from poselab.experiments.config.compose import compose
from poselab.experiments.pretrained.models import pretrained_model
from poselab.io.checkpoints import AtomicCheckpointIO
from poselab.models.backbones.weights import read_state
from poselab.models.pretrained import convert_state
from poselab.skeletons import COCO17, MPII16
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from omegaconf import DictConfig

    from poselab.models.pretrained import ConvertedState, PretrainedModel
    from poselab.modules import PoseModule
    from poselab.structures import Skeleton


class ImportedModel(NamedTuple):
    """A module with pretrained weights, its config and keypoints, and the converted weights."""

    pretrained: PretrainedModel
    module: PoseModule
    config: DictConfig
    skeleton: Skeleton
    converted: ConvertedState


def load_pretrained(file: Path, model: str, overrides: Sequence[str] = ()) -> ImportedModel:
    """The module that a pretrained checkpoint makes; ``model`` is its name in the catalogue.

    Raises:
        InputError: no such model or file, or the file holds another model.
    """
    pretrained = pretrained_model(model)
    if not file.is_file():
        found = "a folder" if file.is_dir() else "no such file"
        raise InputError(f"expected a checkpoint at {file}, found {found}; check the path")
    config, skeleton = pretrained_config(pretrained, overrides)
    module, taken = load_weights(file, pretrained, config, skeleton)
    return ImportedModel(pretrained, module, config, skeleton, taken)


def pretrained_config(
    pretrained: PretrainedModel, overrides: Sequence[str] = ()
) -> tuple[DictConfig, Skeleton]:
    """The config of the run that a catalogue entry makes, and its keypoints.

    The metric values that a paper reports for the experiment are left out: they belong to weights
    trained by its recipe.
    """
    recipe = (f"experiment={pretrained.experiment}", "++method.renormalise=null")
    images = "framing.reduced_jpeg=false"  # the authors' code decodes whole images
    words = [*recipe, images, *pretrained.overrides, *overrides]
    config, _ = compose("train", words)
    build.leave_out_pretrained(config)
    config.published = {}
    return config, {"coco": COCO17, "mpii": MPII16}[pretrained.experiment.split("/")[0]]


def load_weights(
    file: Path, pretrained: PretrainedModel, config: DictConfig, skeleton: Skeleton
) -> tuple[PoseModule, ConvertedState]:
    """The module of a config with the weights of ``file``, and what was taken from the file.

    Raises:
        InputError: the file holds no state dict, or that of another model.
    """
    state = read_state(file, pretrained.name)
    module = build.module(config, skeleton)
    try:
        taken = convert_state(state, pretrained.keys, module.state_dict())
    except InputError as error:
        raise InputError(f"{file} as {pretrained.name}: {error}") from error
    module.load_state_dict(taken.weights)
    return module.eval(), taken


def import_run(
    file: Path, model: str, folder: Path | None, overrides: Sequence[str] = ()
) -> tuple[Path, ImportedModel]:
    """Write a pretrained checkpoint as a run; its folder (default: RUNS/imported/NAME/STAMP).

    Raises:
        InputError: as :func:`load_pretrained`, or the folder has files in it.
    """
    imported = load_pretrained(file, model, overrides)
    config = imported.config
    config.folder = None if folder is None else str(folder)
    folder = runs.new_folder(config, f"imported/{imported.pretrained.name}")
    _write(folder, imported, _source_record(file, imported))
    return folder, imported


def _source_record(file: Path, imported: ImportedModel) -> dict[str, Any]:
    pretrained = imported.pretrained
    return {
        "file": file.name,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "model": pretrained.name,
        "experiment": pretrained.experiment,
        "changes": list(pretrained.overrides),
        "left_over": list(imported.converted.left_over),
    }


def _write(folder: Path, imported: ImportedModel, source: dict[str, Any]) -> None:
    """``run.json``, ``config.yaml`` and the checkpoint."""
    config, module = imported.config, imported.module
    record = {
        "experiment": f"imported/{imported.pretrained.name}",
        "seed": config.seed,
        "state": "imported",
        "imported": source,
        "command": sys.argv,
        "started": manifest.now(),
        "environment": {"poselab": __version__},
        "cost": manifest.cost_record(config, module),
    }
    comparability = _comparability(config, module)
    if comparability is not None:
        record["comparability"] = comparability
    content = {
        "state_dict": module.state_dict(),
        build.CHECKPOINT_KEY: build.checkpoint_record(config, imported.skeleton),
    }
    manifest.write_run(folder, config, record)
    AtomicCheckpointIO().save_checkpoint(content, folder / "checkpoints" / "best.ckpt")


def _comparability(config: DictConfig, module: PoseModule) -> dict[str, Any] | None:
    """The comparability record; None where the run's dataset is missing.

    It says nothing of training: the authors' images are not the local training file.
    """
    try:
        return sample_comparability(build.data(config).val_samples, module)
    except InputError as error:
        print(f"the run can predict, but not validate yet: {error}", file=sys.stderr)
        return None
