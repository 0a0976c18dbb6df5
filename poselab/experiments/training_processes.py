"""The server that training processes are forked from, its libraries imported once for all."""

from __future__ import annotations

import multiprocessing
from multiprocessing import forkserver

# A fork of this process, whose libraries have started threads, may wait forever for their locks;
# a new interpreter for each training imports PyTorch and Lightning again.
PROCESSES = multiprocessing.get_context("forkserver")


def start_fork_server() -> None:
    """Start the server: it imports what training needs while this process goes on."""
    PROCESSES.set_forkserver_preload(["poselab.experiments.parallel"])
    forkserver.ensure_running()
