"""Training that begins with the weights of a run, trained here or imported."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from poselab.experiments import build, runs
from poselab.io.checkpoints import read_checkpoint
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from poselab.modules import PoseModule

    State = Mapping[str, Tensor]

_SEEN = ("framing.pixels", "backbone.input", "method.codec.labels")
"""What the same network must be shown in the same way, or its weights mean something else."""


def start_from_weights(source: Path, module: PoseModule, config: DictConfig) -> None:
    """Give a module the network of a run's best checkpoint, or of a checkpoint file.

    What the loss has learnt comes along where it is the same loss. Warns where inputs were shown
    otherwise than ``config`` says.

    Raises:
        InputError: no such checkpoint, or its network has other tensors.
    """
    file = runs.best_checkpoint(source) if source.is_dir() else source
    content = read_checkpoint(file, build.CHECKPOINT_KEY)
    state, wanted = content["state_dict"], module.state_dict()
    _expect_equal(file, _of_net(state), _of_net(wanted))
    if not differing(state, wanted):
        module.load_state_dict(state)
    else:
        module.net.load_state_dict({k.removeprefix("net."): v for k, v in _of_net(state).items()})
    _warn_of_other_inputs(file, OmegaConf.create(content[build.CHECKPOINT_KEY]["config"]), config)


def differing(state: State, wanted: State) -> list[str]:
    """Names, each with both shapes, of tensors that only one state has or that differ in shape."""

    def shape(of: State, name: str) -> str:
        return str(tuple(of[name].shape)) if name in of else "none"

    return [
        f"{name} {shape(state, name)} instead of {shape(wanted, name)}"
        for name in (*wanted, *(name for name in state if name not in wanted))
        if shape(state, name) != shape(wanted, name)
    ]


def _of_net(state: State) -> dict[str, Tensor]:
    return {name: value for name, value in state.items() if name.startswith("net.")}


def _expect_equal(file: Path, state: State, wanted: State) -> None:
    other = differing(state, wanted)
    if other:
        raise InputError(
            f"expected weights={file} to be of this config's network, found {len(other)} of "
            f"{len(wanted)} tensors otherwise, such as {other[0]}; choose the backbone, method and "
            "keypoints that they were trained with"
        )


def _warn_of_other_inputs(file: Path, theirs: Any, ours: DictConfig) -> None:
    for key in _SEEN:
        before, now = (OmegaConf.select(config, key) for config in (theirs, ours))
        if before != now:
            warnings.warn(
                f"weights={file} were trained with {key}={before}, this run has {now}; "
                "give it the same unless you mean it",
                UserWarning,
                stacklevel=3,
            )
