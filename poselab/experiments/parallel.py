"""Experiments trained at the same time on the cores of one machine, one process each."""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import redirect_stderr, redirect_stdout
from io import TextIOBase
from multiprocessing import active_children
from typing import TYPE_CHECKING

import cv2
import torch

from poselab.experiments.config.compose import compose
from poselab.experiments.config.trust import trusted_modules, trusting
from poselab.experiments.library_messages import hide_library_messages
from poselab.experiments.train import train_run
from poselab.experiments.training_processes import process_context
from poselab.io.processes import end_with_parent
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import TextIO

    from omegaconf import DictConfig


def parallel_runs(configs: Sequence[DictConfig]) -> int:
    """How many of these runs to train at once: one for each of torch's threads if all of them
    train on the CPU, otherwise one.

    A network small enough for a CPU gains little from a second thread.
    """
    on_cpu = all(config.trainer.accelerator == "cpu" for config in configs)
    return max(1, min(len(configs), torch.get_num_threads())) if on_cpu else 1


def train_in_parallel(
    folders: Mapping[str, Path], overrides: Sequence[str], processes: int
) -> None:
    """Train experiments in their folders, ``processes`` at a time; each shares torch's threads.

    Lines that they print start with the experiment's name. If one fails, those that run finish
    first.

    Raises:
        InputError: an experiment cannot be trained, or a process was killed.
    """
    threads = max(1, torch.get_num_threads() // processes)
    width = max(len(_short(name)) for name in folders)
    pool = ProcessPoolExecutor(processes, process_context(), initializer=end_with_parent)
    try:
        started = [
            pool.submit(_train, name, folder, [*overrides], threads, width, trusted_modules())
            for name, folder in folders.items()
        ]
        for training in as_completed(started):
            training.result()
    except BrokenProcessPool:
        raise InputError(
            "expected every training process to finish, but one was killed (too little memory?); "
            "run the suite again, finished epochs are kept"
        ) from None
    except (KeyboardInterrupt, SystemExit):
        for process in active_children():  # else the pool waits for their last epoch
            process.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _train(
    name: str, folder: Path, overrides: list[str], threads: int, width: int, trust: list[str]
) -> None:
    hide_library_messages()
    torch.set_num_threads(threads)
    cv2.setNumThreads(0)
    label = f"{_short(name):{width}}  "
    out, errors = LabelledLines(sys.stdout, label), LabelledLines(sys.stderr, label)
    with redirect_stdout(out), redirect_stderr(errors), trusting(trust):
        config, _ = compose("train", [f"experiment={name}", *overrides])
        train_run(config, folder, name)


def _short(experiment: str) -> str:
    return experiment.rpartition("/")[2]


class LabelledLines(TextIOBase):
    """A stream of text that writes whole lines to another one, a label in front of each."""

    def __init__(self, stream: TextIO, label: str) -> None:
        self.stream, self.label, self._rest = stream, label, ""

    def write(self, text: str) -> int:
        """Write the lines that ``text`` completes."""
        *lines, self._rest = (self._rest + text).split("\n")
        if lines:
            self.stream.write("".join(f"{self.label}{line}\n" for line in lines))
            self.stream.flush()
        return len(text)
