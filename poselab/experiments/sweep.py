"""Runs that Hydra's sweepers start, one for each combination of values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hydra.core.hydra_config import HydraConfig

from poselab.experiments import runs
from poselab.experiments.config.compose import complete_training_config
from poselab.experiments.run import Run
from poselab.experiments.train import train_run

if TYPE_CHECKING:
    from omegaconf import DictConfig


def train_one_of_a_sweep(config: DictConfig) -> Run:
    """Train the run that Hydra composed, in a folder named by what the sweep changes.

    Raises:
        InputError: the config cannot be used, or asks for several devices.
    """
    hydra = HydraConfig.get()
    name = hydra.runtime.choices.get("experiment") or "custom"
    complete_training_config(config)
    runs.check_one_device(config)
    folder = runs.new_folder(config, f"{name}/{hydra.job.override_dirname or 'base'}")
    train_run(config, folder, name)
    return Run(folder)
