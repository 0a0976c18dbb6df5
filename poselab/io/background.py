"""Work in a second process while this one continues.

A fork shares millions of parsed values with this process at no cost, and returns arrays without a
copy; ``multiprocessing`` pickles both ways, which takes longer than the work.
"""

from __future__ import annotations

import mmap
import os
import pickle
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")
_ALIGN = 64
_THREADED = frozenset({"torch", "hotcoco"})
"""Libraries with threads that Python's ``threading`` does not count."""

_working = 1
"""Processes that share the cores: this one and those that work for it, or beside it for another."""


def cores() -> int:
    """How many cores this process has for its threads: its part while others work beside it."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, (allowed or 1) // _working)


@contextmanager
def in_background(work: Callable[[], T], worth_it: bool = True) -> Iterator[Callable[[], T]]:
    """Run ``work`` in a fork of this process during the block; yields a function that waits for its
    result.

    Where this process cannot be forked safely, or the fork fails, ``work`` runs here when its
    result is requested, so that its errors are raised here. It must have no side effects.
    """
    global _working
    if not (worth_it and possible()):
        yield work
        return
    with os.fdopen(os.memfd_create("poselab"), "w+b") as result:
        _working += 1
        process = _start(work, result)
        try:
            yield lambda: _read(result) if process and _ended_well(process) else work()
        finally:
            _working -= 1
            if process:  # the block ended without requesting the result
                with suppress(ProcessLookupError):
                    os.kill(process[0], signal.SIGKILL)
                _ended_well(process)


def possible() -> bool:
    """Whether there is a second core, and this process can be forked safely.

    A fork has none of the other threads, and would wait forever for their locks. Only Linux has
    anonymous files in memory.
    """
    return (
        hasattr(os, "memfd_create")
        and len(os.sched_getaffinity(0)) > 1
        and threading.active_count() == 1
        and _THREADED.isdisjoint(sys.modules)
    )


def _start(work: Callable[[], object], result: BinaryIO) -> list[int]:
    """The id of a new process that writes its result and ends with status 0, or else with 1.

    Empty where the system cannot start another process.
    """
    try:
        process = os.fork()
    except OSError:
        return []
    if process:
        return [process]
    try:
        _write(work(), result)
        os._exit(0)
    finally:  # the fork must never return into its parent's code, not even by an error
        os._exit(1)


def _ended_well(process: list[int]) -> bool:
    """Wait for the process, and take its id off the list, so that it is not waited for again."""
    try:
        status = os.waitpid(process[0], 0)[1]
    except ChildProcessError:  # other code has waited for it
        status = 1
    process.clear()
    return status == 0


def _write(content: object, file: BinaryIO) -> None:
    """Write the content without its arrays, then the arrays' bytes, so that reading copies none."""
    arrays: list[pickle.PickleBuffer] = []
    rest = pickle.dumps(content, pickle.HIGHEST_PROTOCOL, buffer_callback=arrays.append)
    buffers = [array.raw() for array in arrays]
    pickle.dump((rest, [buffer.nbytes for buffer in buffers]), file)
    for buffer in buffers:
        file.seek(_aligned(file.tell()))
        file.write(buffer)
    file.flush()


def _read(file: BinaryIO) -> Any:
    file.seek(0)
    rest, sizes = pickle.load(file)
    start, arrays = file.tell(), []
    memory = memoryview(mmap.mmap(file.fileno(), 0))
    for size in sizes:
        start = _aligned(start)
        arrays.append(memory[start : start + size])
        start += size
    return pickle.loads(rest, buffers=arrays)


def _aligned(place: int) -> int:
    return -(-place // _ALIGN) * _ALIGN
