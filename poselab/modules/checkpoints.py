"""Checkpoint files that are whole or absent, and say in one sentence what is wrong with them."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins import TorchCheckpointIO

from poselab.files import write_bytes
from poselab.structures import InputError


class WholeCheckpoints(TorchCheckpointIO):
    """Write beside the final name and rename.

    Lightning writes to the system's temporary folder and copies from there, which a killed process
    leaves half done where that is another file system.
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


def read_checkpoint(path: Path, key: str) -> dict[str, Any]:
    """The content of a checkpoint of PoseLab, which describes itself under ``key``.

    Raises:
        InputError: no such file, a broken one, or not one of PoseLab's.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(
            f"expected a checkpoint at {path}, found none; train first, or give another run"
        ) from None
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else "it ends too early"
        raise InputError(
            f"expected a checkpoint at {path}, but {reason}; is the file cut off?"
        ) from error
    if not (isinstance(content, dict) and "state_dict" in content and key in content):
        raise InputError(
            f"expected a checkpoint of PoseLab at {path}, found one without its config; give "
            "a run of PoseLab"
        )
    return content
