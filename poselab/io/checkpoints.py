"""Checkpoints that are written whole or not at all, and read with one clear error."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from lightning_fabric.plugins import TorchCheckpointIO
from pytorch_lightning.callbacks import ModelCheckpoint

from poselab.io.files import read_tensors, write_bytes
from poselab.io.json_text import shortened
from poselab.structures import InputError

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from torch import Tensor


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its final name and renames it.

    Lightning copies it from the system's temporary folder instead: where that is another file
    system, a killed process leaves half a file.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        """Write a checkpoint.

        Raises:
            InputError: the folder cannot be written, or the disk is full.
        """
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        write_bytes(Path(path), buffer.getvalue())

    def load_checkpoint(self, path: Any, *_: Any, **__: Any) -> dict[str, Any]:
        """The content of a checkpoint, never more than tensors, arrays and plain values.

        Raises:
            ValueError: it holds something else, or is broken.
        """
        content: dict[str, Any] = read_tensors(Path(path))
        return content


class LatestBestCheckpoint(ModelCheckpoint):
    """Keeps the latest of epochs with equal scores, and finds checkpoints after a folder was moved.

    Lightning keeps the first of such epochs, which is untrained while the metric is still 0.
    """

    def check_monitor_top_k(self, trainer: pl.Trainer, current: Tensor | None = None) -> bool:
        """Whether Lightning should keep the current epoch."""
        if super().check_monitor_top_k(trainer, current):
            return True
        kept = self.best_k_models.get(self.kth_best_model_path)
        tie = current is not None and kept is not None and bool(current == kept)
        return trainer.strategy.reduce_boolean_decision(tie)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Called by Lightning when a run is resumed.

        Paths of the state are of the folder that the run was in, and Lightning deletes what they
        name when a better epoch comes: only the callback's own file, here, may be meant.
        """
        own = f"{self.dirpath}/{self.filename}{self.FILE_EXTENSION}"
        paths = ("best_model_path", "kth_best_model_path", "last_model_path")
        scores = list((state_dict.get("best_k_models") or {}).values())[-1:]
        super().load_state_dict(
            {
                "dirpath": self.dirpath,
                "best_model_score": state_dict.get("best_model_score"),
                "kth_value": state_dict.get("kth_value"),
                "best_k_models": dict(zip([own], scores, strict=False)),
                **{key: own if state_dict.get(key) else "" for key in paths},
            }
        )


def read_checkpoint(path: Path, key: str) -> dict[str, Any]:
    """The content of a checkpoint of PoseLab, which holds its config under ``key``.

    Raises:
        InputError: no such file, a broken one, or not one of PoseLab's.
    """
    try:
        content = read_tensors(path)
    except FileNotFoundError:
        raise InputError(
            f"expected a checkpoint at {path}, found none; train first, or give another run"
        ) from None
    except ValueError as error:
        raise InputError(
            f"expected a checkpoint at {path}, but {error}; give a whole file of PoseLab"
        ) from error
    if not (isinstance(content, dict) and "state_dict" in content and key in content):
        raise InputError(
            f"expected a checkpoint of PoseLab at {path}, found one without its config; give "
            "a run of PoseLab"
        )
    if not (isinstance(content[key], dict) and _is_state_dict(content["state_dict"])):
        raise InputError(
            f"expected a config and tensors by their names in {path}, found other values; give a "
            "checkpoint that PoseLab made"
        )
    return content


def epochs_trained(content: dict[str, Any], path: Path) -> int:
    """The number of epochs after which a checkpoint of training was written.

    Raises:
        InputError: it holds no such number.
    """
    epoch = content.get("epoch")
    if not isinstance(epoch, int) or not 0 <= epoch < 2**31:
        raise InputError(
            f"expected the number of its epoch in {path}, got {shortened(epoch)}; give a "
            "checkpoint of training that PoseLab made"
        )
    return epoch + 1


def _is_state_dict(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(name, str) and isinstance(tensor, torch.Tensor) for name, tensor in value.items()
    )
