"""Work that a second process does while this one goes on."""

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
"""Libraries with threads that Python does not know of."""


@contextmanager
def in_background(work: Callable[[], T], worth_it: bool = True) -> Iterator[Callable[[], T]]:
    """Do ``work`` in a copy of this process during the block; what is yielded waits for its result.

    Where nothing can be copied safely, or the copy fails or dies, the work is done here when its
    result is asked for, so that its errors are raised here too. It must change nothing.
    """
    if not (worth_it and possible()):
        yield work
        return
    with os.fdopen(os.memfd_create("poselab"), "w+b") as answer:
        running = _start(work, answer)
        try:
            yield lambda: _read(answer) if running and _ended_well(running) else work()
        finally:
            if running:  # nobody has the result, nor wants it
                with suppress(ProcessLookupError):
                    os.kill(running[0], signal.SIGKILL)
                _ended_well(running)


def possible() -> bool:
    """Whether there is a second core, and this process can be copied without surprises.

    A copy has none of the other threads, and waits for ever for what they were to do. Only Linux
    keeps anonymous files in memory.
    """
    return (
        hasattr(os, "memfd_create")
        and len(os.sched_getaffinity(0)) > 1
        and threading.active_count() == 1
        and _THREADED.isdisjoint(sys.modules)
    )


def _start(work: Callable[[], object], answer: BinaryIO) -> list[int]:
    """The number of a new process that writes its result and ends with status 0, or else with 1.

    No number where the system has no room for another.
    """
    try:
        process = os.fork()
    except OSError:
        return []
    if process:
        return [process]
    try:
        _write(work(), answer)
        os._exit(0)
    finally:  # the copy must never return into its parent's code, not even by an error
        os._exit(1)


def _ended_well(running: list[int]) -> bool:
    """Wait for the process on the list, and take it off."""
    try:
        status = os.waitpid(running[0], 0)[1]
    except ChildProcessError:  # somebody else has waited for it
        status = 1
    running.clear()
    return status == 0


def _write(result: object, answer: BinaryIO) -> None:
    """The result without its arrays, then these as they are, so that nobody copies them again."""
    arrays: list[pickle.PickleBuffer] = []
    rest = pickle.dumps(result, pickle.HIGHEST_PROTOCOL, buffer_callback=arrays.append)
    contents = [array.raw() for array in arrays]
    pickle.dump((rest, [content.nbytes for content in contents]), answer)
    for content in contents:
        answer.seek(_aligned(answer.tell()))
        answer.write(content)
    answer.flush()


def _read(answer: BinaryIO) -> Any:
    answer.seek(0)
    rest, sizes = pickle.load(answer)
    start, arrays = answer.tell(), []
    memory = memoryview(mmap.mmap(answer.fileno(), 0))
    for size in sizes:
        start = _aligned(start)
        arrays.append(memory[start : start + size])
        start += size
    return pickle.loads(rest, buffers=arrays)


def _aligned(place: int) -> int:
    return -(-place // _ALIGN) * _ALIGN
