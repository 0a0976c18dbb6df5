"""For commands that read, compute and print: no garbage to look for, in millions of live values."""

from __future__ import annotations

import atexit
import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def brief() -> Iterator[None]:
    """Pause the garbage collector, from before NumPy is imported, and spare it the process's end.

    The interpreter's last collections over all that was imported take as long as a good part of
    NumPy's import; frozen, it is passed over.
    """
    was_running = gc.isenabled()
    gc.disable()
    atexit.register(gc.freeze)
    try:
        yield
    finally:
        if was_running:
            gc.enable()
