"""Work in a second process: its result comes back, or is computed here if the process dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from poselab.io import background
from poselab.io.background import in_background

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = os.getpid()


@pytest.fixture(autouse=True)
def _copies(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a command of its own: the tests' process has torch, and may have one core."""
    if not hasattr(os, "memfd_create"):
        pytest.skip("copies are made on Linux only")
    monkeypatch.setattr(background, "possible", lambda: True)


def test_arrays_come_back_from_another_process() -> None:
    sent: dict[str, Any] = {
        "process": 0,
        "columns": (np.arange(7), np.ones((100_000, 2)), np.array([True]), None),
    }
    with in_background(lambda: sent | {"process": os.getpid()}) as result:
        got = result()
    assert got["process"] != HERE
    assert [np.shape(column) for column in got["columns"]] == [(7,), (100_000, 2), (1,), ()]
    assert all(map(np.array_equal, got["columns"], sent["columns"]))
    assert all(column.flags.aligned for column in got["columns"][:3])


def die(how: Callable[[], object]) -> int:
    """The process's number, unless it is a copy."""
    if os.getpid() != HERE:
        how()
    return os.getpid()


@pytest.mark.parametrize(
    "how",
    [
        partial(os._exit, 3),
        lambda: os.kill(os.getpid(), signal.SIGKILL),
        lambda: 1 / 0,
        lambda: [][0],
    ],
)
def test_work_is_repeated_here_if_the_copy_dies(how: Callable[[], object]) -> None:
    with in_background(partial(die, how)) as result:
        assert result() == HERE


def test_errors_are_raised_here() -> None:
    def wrong() -> None:
        raise ValueError("expected")

    with in_background(wrong) as result, pytest.raises(ValueError, match="expected"):
        result()


def test_an_unused_copy_is_terminated(monkeypatch: pytest.MonkeyPatch) -> None:
    started, fork = list[int](), os.fork

    def watched() -> int:
        started.append(fork())
        return started[-1]

    monkeypatch.setattr(os, "fork", watched)
    with pytest.raises(KeyError), in_background(threading.Event().wait):
        raise KeyError
    (copy,) = started
    with pytest.raises(ChildProcessError):
        os.waitpid(copy, os.WNOHANG)


def test_processes_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(6)))
    with in_background(background.cores) as one:
        with in_background(background.cores) as other:
            assert (background.cores(), other()) == (2, 2)
        assert (background.cores(), one()) == (3, 3)
    assert background.cores() == 6


def test_small_work_is_done_in_this_process() -> None:
    with in_background(os.getpid, worth_it=False) as result:
        assert result() == HERE


def test_work_is_done_here_if_no_copy_can_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise BlockingIOError

    monkeypatch.setattr(os, "fork", refuse)
    with in_background(os.getpid) as result:
        assert result() == HERE


WHEN_POSSIBLE = """
import os, sys, threading
from poselab.io.background import possible
os.sched_getaffinity = lambda process: {0, 1}
assert possible()
os.sched_getaffinity = lambda process: {0}
assert not possible()
os.sched_getaffinity = lambda process: {0, 1}
for library in ("torch", "hotcoco"):
    sys.modules[library] = None
    assert not possible(), library
    del sys.modules[library]
assert possible()
end = threading.Event()
threading.Thread(target=end.wait).start()
assert not possible()
end.set()
"""


def test_no_copy_on_one_core_or_beside_threads() -> None:
    subprocess.run([sys.executable, "-c", WHEN_POSSIBLE], check=True)
