"""For commands that read, compute and print: no garbage to look for, in millions of live values."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def brief() -> Iterator[None]:
    """Pause the garbage collector, from before NumPy is imported."""
    was_running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_running:
            gc.enable()
