"""How Hydra itself runs: said by the command line, never by a config file of anybody's.

Hydra calls what its own section names (callbacks, logging, launchers) and sets environment
variables from it, so that an experiment of somebody else must not change that section.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from omegaconf import OmegaConf

from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hydra.types import RunMode
    from omegaconf import DictConfig

_BY_JOB = ("mode", "runtime", "overrides", "job.name", "job.num", "job.id", "job.override_dirname")
"""What Hydra sets itself, for each job."""


@contextmanager
def fixed_section(expected: DictConfig) -> Iterator[None]:
    """Let Hydra use no config whose own section is not ``expected``."""
    loader = partial(_CheckedLoader, expected=_settings(expected))
    with patch("hydra._internal.hydra.ConfigLoaderImpl", loader):
        yield


class _CheckedLoader(ConfigLoaderImpl):
    """Hydra's loader of configs; launchers that start processes take it along."""

    def __init__(self, config_search_path: Any, expected: dict[str, Any]) -> None:
        super().__init__(config_search_path)
        self.expected = expected

    def load_configuration(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        config = super().load_configuration(
            config_name, overrides, run_mode, from_shell, validate_sweep_overrides
        )
        if not from_shell:  # composed within a job, which does without Hydra's section
            return config
        found = _settings(config.hydra)
        for key in (*found, *self.expected):
            if found.get(key) != self.expected.get(key):
                raise InputError(
                    f"expected settings of Hydra on the command line, got hydra.{key} in a config "
                    "file, from where it might run code; remove it there, or write it as a word of "
                    "the command"
                )
        return config


def _settings(section: DictConfig) -> dict[str, Any]:
    """The values by their dotted keys; references stay as they are written."""
    pending: list[tuple[str, Any]] = [("", OmegaConf.to_container(section))]
    values: dict[str, Any] = {}
    while pending:
        key, value = pending.pop()
        if isinstance(value, dict) and value:
            pending += [(f"{key}.{name}".lstrip("."), inner) for name, inner in value.items()]
        elif not any(key == own or key.startswith(f"{own}.") for own in _BY_JOB):
            values[key] = value
    return values
