"""Weights in whole states of training: read without running what the files name."""

from __future__ import annotations

import io
import os
import pickle
import sys
import tarfile
import types
import zipfile
from collections import OrderedDict, defaultdict, deque
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from poselab.io.weight_files import IGNORED, read_weights
from poselab.models.backbones.weights import read_state
from poselab.structures import InputError


class HistoryBuffer:
    """As mmengine's: arrays, and methods that a pickle looks up with getattr."""

    def __init__(self) -> None:
        self._log_history = np.arange(3.0)
        self._statistics_methods = OrderedDict(mean=HistoryBuffer.mean)

    def mean(self) -> float:
        return float(self._log_history.mean())


class Config(dict[str, Any]):
    """As configs of mmengine and yacs: a dictionary with attributes."""


@pytest.fixture
def network() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)).to(torch.float32)


def runner_state(network: nn.Module, prefix: str = "") -> dict[str, Any]:
    """What mmengine's runner saves."""
    weights = OrderedDict((prefix + key, value) for key, value in network.state_dict().items())
    optimizer = torch.optim.AdamW(network.parameters())
    network(torch.ones(4, 3)).sum().backward()
    optimizer.step()
    config = Config(model={"type": "TopdownPoseEstimator"})
    config.filename = "td-hm.py"  # type: ignore[attr-defined]
    return {
        "meta": {
            "cfg": "model = dict()\n",
            "seed": np.int64(3),
            "sigmas": np.ones(17),
            "c": config,
        },
        "message_hub": {
            "log_scalars": OrderedDict(loss=HistoryBuffer()),
            "runtime_info": OrderedDict(best=np.float64(0.7), last=deque([1, 2], 5)),
            "resumed_keys": defaultdict(bool, loss=True),
        },
        "optimizer": optimizer.state_dict(),
        "param_schedulers": [{"_step": {1, 2}, "where": Path("/data")}],
        "state_dict": weights,
        "ema_state_dict": OrderedDict(steps=torch.tensor(5)),
    }


def equal(found: dict[str, Tensor], network: nn.Module) -> bool:
    wanted = network.state_dict()
    return set(found) == set(wanted) and all(torch.equal(found[k], wanted[k]) for k in wanted)


@pytest.mark.parametrize("archive", [True, False])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_weights_of_a_runner_are_read(
    network: nn.Module, archive: bool, prefix: str, tmp_path: Path
) -> None:
    state, path = runner_state(network, prefix), tmp_path / "epoch_3.pth"
    torch.save(state, path, _use_new_zipfile_serialization=archive)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)
    assert equal(read_state(path, "x"), network)


@pytest.mark.parametrize("archive", [True, False])
def test_objects_of_classes_that_are_not_installed_are_ignored(
    archive: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = types.ModuleType("elsewhere")
    made = type("Made", (HistoryBuffer,), {"__module__": "elsewhere", "__qualname__": "Made"})
    module.Made = made  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "elsewhere", module)
    path = tmp_path / "x.pth"
    torch.save({"o": made(), "w": torch.ones(2)}, path, _use_new_zipfile_serialization=archive)
    monkeypatch.delitem(sys.modules, "elsewhere")
    content = read_weights(path)
    assert content["o"] is IGNORED
    assert torch.equal(content["w"], torch.ones(2))


def test_weights_are_found_under_the_names_that_programs_use(
    network: nn.Module, tmp_path: Path
) -> None:
    path, weights = tmp_path / "x.pth", network.state_dict()
    other = {key: torch.zeros_like(value) for key, value in weights.items()}
    for content in (
        weights,
        {"epoch": 3, "model": "pose_hrnet", "state_dict": weights, "best_state_dict": other},
        {"model": weights, "args": types.SimpleNamespace(lr=1e-3)},
        {"state_dict": other, "state_dict_ema": weights},
    ):
        torch.save(content, path)
        assert equal(read_state(path, "x"), network)
    parameters = {
        key: nn.Parameter(value, value.is_floating_point()) for key, value in weights.items()
    }
    torch.save(parameters, path)
    assert equal(read_state(path, "x"), network)


@pytest.mark.parametrize("archive", [True, False])
def test_tensors_are_those_of_torch(archive: bool, tmp_path: Path) -> None:
    whole = torch.arange(24.0).reshape(4, 6)
    kinds = (
        "float64",
        "float32",
        "float16",
        "bfloat16",
        "int64",
        "int32",
        "int16",
        "int8",
        "uint8",
    )
    content = {
        **{kind: torch.arange(5).to(getattr(torch, kind)) for kind in kinds},
        "bool": torch.tensor([True, False]),
        "view": whole[1:3, ::2],
        "transposed": whole.T,
        "empty": torch.empty(0, 3),
        "scalar": torch.tensor(2.5),
    }
    path = tmp_path / "x.pth"
    torch.save(content, path, _use_new_zipfile_serialization=archive)
    found = read_weights(path)
    assert all(torch.equal(found[key], value) for key, value in content.items())
    assert all(found[key].dtype == value.dtype for key, value in content.items())


class Call:
    """An object whose pickle calls a function, and sets the state of what that returns."""

    def __init__(self, *reduced: Any) -> None:
        self.reduced = reduced

    def __reduce__(self) -> Any:
        return self.reduced


RUN = Call(os.system, ("touch ran",))
SYSTEM = pickle.dumps(RUN, 2)
TEXT = b"X\x09\x00\x00\x00touch ran"
CALLED = b"X\x08\x00\x00\x00__call__"
HOSTILE = {
    "a function": SYSTEM,
    "a function, protocol 0": b"cposix\nsystem\n(S'touch ran'\ntR.",
    "a function, protocol 4": pickle.dumps(RUN, 4),
    "an instance": b"(S'touch ran'\niposix\nsystem\n.",
    "an object": b"(cposix\nsystem\nS'touch ran'\no.",
    "a new object": b"\x80\x02cposix\nsystem\n" + TEXT + b"\x85\x81.",
    "an attribute": b"c__builtin__\ngetattr\ncposix\nsystem\n"
    + CALLED
    + b"\x86R"
    + TEXT
    + b"\x85R.",
    "code": pickle.dumps(Call(eval, ("open('ran', 'w')",)), 2),
    "a pickle inside": pickle.dumps(Call(pickle.loads, (SYSTEM,)), 2),
    "a file inside": pickle.dumps(Call(torch.load, (io.BytesIO(SYSTEM),)), 2),
    "a storage": pickle.dumps(Call(torch.storage._load_from_bytes, (SYSTEM,)), 2),
    "a state": pickle.dumps(Call(OrderedDict, (), {"items": RUN}), 2),
    "a setter of states": pickle.dumps(Call(HistoryBuffer, (), {"__setstate__": RUN}), 2),
    "a key": pickle.dumps({RUN: 1}, 2),
    "a list in a list": pickle.dumps([{"state_dict": [RUN]}], 2),
    "a reference": b"\x80\x02" + SYSTEM[2:-1] + b"Q.",
    "a reference in words": b"Pposix.system\n.",
}


def archive_of(pickled: bytes, *storages: bytes) -> bytes:
    """A file of torch 1.6 or later with that pickle."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", pickled)
        for number, content in enumerate(storages):
            archive.writestr(f"x/data/{number}", content)
    return buffer.getvalue()


def pickles_of(pickled: bytes, *storages: bytes) -> bytes:
    """A file of an older torch with that pickle."""
    head = [pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, {})]
    keys = pickle.dumps([str(n) for n in range(len(storages))], 2)
    return b"".join([*head, pickled, keys, *storages])


@pytest.mark.parametrize("form", [archive_of, pickles_of, bytes])
@pytest.mark.parametrize("kind", HOSTILE)
def test_nothing_that_a_file_names_runs(
    kind: str, form: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "x.pth"
    path.write_bytes(form(HOSTILE[kind]))
    with pytest.raises(InputError, match="expected a state dict"):
        read_state(path, "x")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "kind", ["a function", "an attribute", "a setter of states", "a pickle inside"]
)
def test_the_hostile_pickles_do_run_elsewhere(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pickle.loads(HOSTILE[kind])
    assert (tmp_path / "ran").exists()


def test_functions_of_the_reader_do_not_change(tmp_path: Path) -> None:
    defaults = b"N}X\x0c\x00\x00\x00__defaults__K\x01\x85s\x86b"
    path = tmp_path / "x.pth"
    path.write_bytes(archive_of(b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n" + defaults + b"."))
    assert read_weights(path).__defaults__ is None


def tensor_of(reference: tuple[Any, ...], size: tuple[int, ...], offset: int = 0) -> bytes:
    """The pickle of a tensor that refers to a storage."""

    class Storage:
        pass

    class Pickler(pickle.Pickler):
        def persistent_id(self, thing: Any) -> Any:
            return reference if isinstance(thing, Storage) else None

    buffer = io.BytesIO()
    strides = torch.empty(size, device="meta").stride()
    arguments = (Storage(), offset, size, strides, False, OrderedDict())
    Pickler(buffer, 2).dump(Call(torch._utils._rebuild_tensor_v2, arguments))
    return buffer.getvalue()


FLOATS = ("storage", torch.FloatStorage, "0", "cpu", 4)


@pytest.mark.parametrize(
    "content",
    [
        archive_of(tensor_of(FLOATS, (5,)), bytes(16)),
        archive_of(tensor_of(FLOATS, (4,), offset=1), bytes(16)),
        archive_of(tensor_of(FLOATS, (4,), offset=-1), bytes(16)),
        archive_of(tensor_of((*FLOATS[:4], 2**40), (2**40,)), bytes(16)),
        archive_of(tensor_of(("storage", torch.FloatStorage, "../../passwd", "cpu", 4), (4,))),
        archive_of(tensor_of(("file", torch.FloatStorage, "0", "cpu", 4), (4,)), bytes(16)),
        pickles_of(tensor_of((*FLOATS, None), (5,)), b"\4" + bytes(7 + 16)),
        pickles_of(tensor_of((*FLOATS, None), (4,)), b"\4" + bytes(7 + 15)),
        pickles_of(tensor_of((*FLOATS, None), (4,)), b"\5" + bytes(7 + 20)),
        pickles_of(tensor_of((*FLOATS[:4], 2**40, None), (2**40,)), bytes(24)),
        pickles_of(tensor_of((*FLOATS, ("v", 2, 4)), (4,)), b"\4" + bytes(7 + 16)),
        archive_of(b"\x80\x02Nr\xff\xff\xff\x7fcx\ny\nr\xff\xff\xff\x7f\x85."),
        archive_of(b"\x80\x05\x96" + bytes(7) + b"\x01."),
    ],
)
def test_tensors_stay_within_their_files(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    path.write_bytes(content)
    with pytest.raises(InputError, match="expected a state dict"):
        read_state(path, "x")


def test_an_archive_that_unpacks_to_more_than_the_limit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSELAB_MAX_MEMORY", "1M")
    path = tmp_path / "x.pth"
    path.write_bytes(archive_of(tensor_of(FLOATS, (4,)), bytes(2 << 20)))
    with pytest.raises(InputError, match="expected at most 1 MiB in .*x.pth, got 2 MiB"):
        read_state(path, "x")
    torch.save({"w": torch.zeros(1 << 19)}, path)  # as large on the disk
    assert read_state(path, "x")["w"].shape == (1 << 19,)


def test_an_archive_of_the_first_torch_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        for name in ("storages", "tensors", "pickle"):
            member = tarfile.TarInfo(name)
            member.size = len(SYSTEM)
            archive.addfile(member, io.BytesIO(SYSTEM))
    with pytest.raises(InputError, match="was not made by torch.save, or is broken"):
        read_state(path, "x")


def test_a_traced_network_is_refused(network: nn.Module, tmp_path: Path) -> None:
    torch.jit.save(torch.jit.trace(network.eval(), torch.ones(1, 3)), tmp_path / "x.pt")
    with pytest.raises(InputError, match="found other values; save state_dict"):
        read_state(tmp_path / "x.pt", "x")
