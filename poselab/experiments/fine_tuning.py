"""Training that starts from the weights of a run, trained here or imported."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from poselab.experiments import build, runs
from poselab.experiments.config.stored import stored_config
from poselab.io.checkpoints import read_checkpoint
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from poselab.modules import PoseModule

    State = Mapping[str, Tensor]

_INPUT_KEYS = ("framing.pixels", "backbone.input", "method.codec.labels")
"""What weights depend on besides their network: with other values, they are wrong."""


def start_from_weights(source: Path, module: PoseModule, config: DictConfig) -> None:
    """Load the network of a run's best checkpoint, or of a checkpoint file, into a module.

    The parameters of the loss are loaded, too, where the loss is the same. Warns if the weights
    were trained with other pixel conventions, normalisation or units than those of ``config``.

    Raises:
        InputError: no such checkpoint, or its network has other tensors.
    """
    file = runs.best_checkpoint(source) if source.is_dir() else source
    content = read_checkpoint(file, build.CHECKPOINT_KEY)
    state, wanted = content["state_dict"], module.state_dict()
    _check_same_network(file, _network_state(state), _network_state(wanted))
    if not differing_tensors(state, wanted):
        module.load_state_dict(state)
    else:
        module.net.load_state_dict(
            {k.removeprefix("net."): v for k, v in _network_state(state).items()}
        )
    theirs = stored_config(content[build.CHECKPOINT_KEY].get("config"), file)
    _warn_of_different_inputs(file, theirs, config)


def differing_tensors(state: State, wanted: State) -> list[str]:
    """Names, each with both shapes, of tensors that only one state has or that differ in shape."""

    def shape(of: State, name: str) -> str:
        return str(tuple(of[name].shape)) if name in of else "none"

    return [
        f"{name} {shape(state, name)} instead of {shape(wanted, name)}"
        for name in (*wanted, *(name for name in state if name not in wanted))
        if shape(state, name) != shape(wanted, name)
    ]


def _network_state(state: State) -> dict[str, Tensor]:
    return {name: value for name, value in state.items() if name.startswith("net.")}


def _check_same_network(file: Path, state: State, wanted: State) -> None:
    different = differing_tensors(state, wanted)
    if different:
        raise InputError(
            f"expected weights={file} to be of this config's network, found {len(different)} of "
            f"{len(wanted)} tensors different, such as {different[0]}; choose the backbone, method "
            "and keypoints that they were trained with"
        )


def _warn_of_different_inputs(file: Path, theirs: Any, ours: DictConfig) -> None:
    for key in _INPUT_KEYS:
        before, now = (OmegaConf.select(config, key) for config in (theirs, ours))
        if before != now:
            warnings.warn(
                f"weights={file} were trained with {key}={before}, this run has {now}; "
                "set it to the same value unless the difference is intended",
                UserWarning,
                stacklevel=3,
            )
