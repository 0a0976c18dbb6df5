"""Outputs of a network on disk, so that decoders can be compared without running it again."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
import orjson
import torch
from rich.progress import track
from torch.utils.data import DataLoader

from poselab.io.files import read_bytes, replacing
from poselab.outputs import map_tensors
from poselab.structures import Frame, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch import Tensor

    from poselab.data import PoseDataset
    from poselab.modules.pose_module import PoseModule

_FRAMES = "frames.npz"


class RawOutputs(NamedTuple):
    """Heatmaps (N, C, h, w) of N inputs, memory-mapped, and the frame of each input."""

    heatmaps: Any
    frame: Frame[Any]

    def batches(self, size: int, device: str) -> Iterator[tuple[Tensor, Frame[Tensor]]]:
        """Heatmaps (float32) and frames of ``size`` inputs at a time, on a device."""
        for start in range(0, len(self.heatmaps), size):
            rows = slice(start, start + size)
            heatmaps = torch.from_numpy(np.array(self.heatmaps[rows])).to(device).float()
            yield heatmaps, Frame(*(torch.from_numpy(part[rows]).to(device) for part in self.frame))


def outputs_key(checkpoint: Path, settings: Any) -> str:
    """The folder name of a checkpoint's outputs under settings (plain values): a digest of both.

    Raises:
        InputError: no such checkpoint.
    """
    digest = hashlib.sha256(read_bytes(checkpoint, "a checkpoint"))
    digest.update(orjson.dumps(settings, option=orjson.OPT_SORT_KEYS))
    return digest.hexdigest()[:24]


def read_outputs(folder: Path) -> RawOutputs | None:
    """The outputs in ``folder``; None unless they are complete and whole."""
    files = folder / "outputs.npy", folder / _FRAMES
    if not all(file.exists() for file in files):
        return None
    try:
        with np.load(files[1]) as parts:
            frame = Frame(*(parts[name] for name in Frame._fields))
        heatmaps = np.load(files[0], mmap_mode="r")
    except (ValueError, OSError, EOFError, KeyError, BadZipFile):
        return None
    whole = heatmaps.ndim == 4 and all(len(part) == len(heatmaps) for part in frame)
    return RawOutputs(heatmaps, frame) if whole else None


def write_outputs(
    folder: Path, module: PoseModule, samples: PoseDataset, batch_size: int, precision: str
) -> RawOutputs:
    """Run the module over all samples, flip test included; its outputs, kept in ``folder``.

    precision: "float32", or "float16" for half the disk and positions good to about 0.01 cells.
    The heatmaps' file gets its name last, so that a folder is complete or not there.

    Raises:
        InputError: the output is not a tensor of heatmaps, or the disk is full.
    """
    loader: Any = DataLoader(samples, batch_size=batch_size)
    frames: list[Frame[Tensor]] = []
    with replacing(folder / "outputs.npy") as temporary, torch.inference_mode():
        stored, row = None, 0
        for batch in track(loader, "running the network", transient=True):
            on_device = map_tensors(lambda part: part.to(module.device), batch)
            output = module.flip_tested(module(on_device.image), on_device.image)
            if not isinstance(output, torch.Tensor):
                raise InputError("expected a method whose output is heatmaps, got another kind")
            values = output.cpu().numpy().astype(precision)
            if stored is None:
                # Mapped from disk: heatmaps of all validation images do not fit into memory.
                shape = (len(samples), *values.shape[1:])
                stored = np.lib.format.open_memmap(temporary, "w+", values.dtype, shape)
            stored[row : row + len(values)] = values
            row += len(values)
            frames.append(batch.frame)
        _write_frames(folder / _FRAMES, frames)
        del stored  # flushes before the file gets its name
    outputs = read_outputs(folder)
    assert outputs is not None
    return outputs


def _write_frames(file: Path, frames: list[Frame[Tensor]]) -> None:
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(frame, name).numpy() for frame in frames])
        for name in Frame._fields
    }
    with replacing(file) as temporary:
        np.savez(temporary, **columns)
