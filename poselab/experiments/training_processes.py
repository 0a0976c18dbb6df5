"""How training processes start: forked from a server that imported their libraries once for all."""

from __future__ import annotations

import multiprocessing
from multiprocessing import forkserver
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext

_SERVER = multiprocessing.get_context("forkserver")
_started = False


def start_fork_server() -> None:
    """Start the server: it imports what training needs while this process goes on.

    Its children write to what were standard output and error then.
    """
    global _started
    _SERVER.set_forkserver_preload(["poselab.experiments.parallel"])
    forkserver.ensure_running()
    _started = True


def process_context() -> BaseContext:
    """The server's, if it was started; otherwise every process is a new interpreter.

    Never a fork of this process: its libraries have started threads, whose locks it may wait for
    forever.
    """
    return _SERVER if _started else multiprocessing.get_context("spawn")
