"""Outputs of a network kept on disk, so that decoders can be compared without running it again."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import orjson
import torch
from torch.utils.data import DataLoader

from poselab.io.files import read_bytes, replacing
from poselab.outputs import map_tensors
from poselab.structures import Frame, InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from torch import Tensor

    from poselab.data import PoseDataset
    from poselab.modules.pose_module import PoseModule

_FRAMES = "frames.npz"


class RawOutputs(NamedTuple):
    """Merged outputs (N, C, h, w) of N inputs, mapped from a file, and what each one shows."""

    maps: Any
    frame: Frame

    def batches(self, size: int, device: str) -> Iterator[tuple[Tensor, Frame]]:
        """Outputs float32 and frames of ``size`` inputs at a time, on a device."""
        for start in range(0, len(self.maps), size):
            rows = slice(start, start + size)
            maps = torch.from_numpy(np.array(self.maps[rows])).to(device).float()
            yield maps, Frame(*(torch.from_numpy(part[rows]).to(device) for part in self.frame))


def key(checkpoint: Path, settings: Any) -> str:
    """What names the outputs of a checkpoint under settings (plain values): a digest of both.

    Raises:
        InputError: no such checkpoint.
    """
    digest = hashlib.sha256(read_bytes(checkpoint, "a checkpoint"))
    digest.update(orjson.dumps(settings, option=orjson.OPT_SORT_KEYS))
    return digest.hexdigest()[:24]


def read_outputs(folder: Path) -> RawOutputs | None:
    """The outputs that ``folder`` holds whole, if it does."""
    files = folder / "outputs.npy", folder / _FRAMES
    if not all(file.exists() for file in files):
        return None
    with np.load(files[1]) as parts:
        frame = Frame(*(parts[name] for name in Frame._fields))
    return RawOutputs(np.load(files[0], mmap_mode="r"), frame)


def write_outputs(
    folder: Path,
    module: PoseModule,
    samples: PoseDataset,
    batch_size: int,
    precision: str,
    track: Callable[[Any], Any],
) -> RawOutputs:
    """Run the module, flip test included, over all samples; its outputs, kept in ``folder``.

    precision: "float32", or "float16" for half the disk and positions good to about 0.01 cells.
    The maps get their name last, so that a folder is whole or not there.

    Raises:
        InputError: the output is no stack of maps, or the disk is full.
    """
    loader: Any = DataLoader(samples, batch_size=batch_size)
    frames: list[Frame] = []
    with replacing(folder / "outputs.npy") as temporary, torch.inference_mode():
        stored, row = None, 0
        for batch in track(loader):
            here = map_tensors(lambda part: part.to(module.device), batch)
            output = module.flip_tested(module(here.image), here.image)
            if not isinstance(output, torch.Tensor):
                raise InputError("expected a method whose output is maps, got another kind")
            values = output.cpu().numpy().astype(precision)
            if stored is None:
                stored = _room(temporary, len(samples), values)
            stored[row : row + len(values)] = values
            row += len(values)
            frames.append(batch.frame)
        _write_frames(folder / _FRAMES, frames)
        del stored  # written out before it gets its name
    made = read_outputs(folder)
    assert made is not None
    return made


def _room(file: Path, rows: int, like: Any) -> Any:
    """An empty array of ``rows`` such inputs, mapped to a file."""
    shape = (rows, *like.shape[1:])
    return np.lib.format.open_memmap(file, mode="w+", dtype=like.dtype, shape=shape)


def _write_frames(file: Path, frames: list[Frame]) -> None:
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(frame, name).numpy() for frame in frames])
        for name in Frame._fields
    }
    with replacing(file) as temporary:
        np.savez(temporary, **columns)
