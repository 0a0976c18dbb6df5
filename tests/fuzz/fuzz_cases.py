"""Run one command on one odd file, within limits of time and memory, and judge how it ends."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import resource
import signal
import traceback
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from fuzz_formats import Format
from mutate_values import odd_word

SECONDS = 20
"""Processor time that a command may take for a file of a few kilobytes."""

MEGABYTES = 1000
"""Memory that it may take beyond what the process has."""

UNPACKED = "300M"
"""What a file may unpack to; the usual limit would let a bomb take all of MEGABYTES first."""

LONGEST_LINE = 400
"""Characters of a line on stderr; argparse (status 2) repeats a wrong word however long it is."""

CHECKS = ("data check", "data leaks")
"""Commands whose status 1 is a finding that they print as a result."""


class Verdict(NamedTuple):
    """``kind`` is accepted, refused or fault; the sentence, or what is wrong and where."""

    kind: str
    sentence: str
    details: str = ""


class TooLong(BaseException):
    """The time limit is over; no handler of ordinary errors catches it."""


def import_all() -> None:
    """Import what commands import, before the limits: torch alone takes more than MEGABYTES."""
    import h5py  # noqa: F401
    import hotcoco  # noqa: F401
    import matplotlib.pyplot  # noqa: F401
    import pytorch_lightning  # noqa: F401
    import scipy.io  # noqa: F401
    import torch
    import torchvision  # noqa: F401

    import poselab.data
    import poselab.evaluation.api
    import poselab.experiments.api
    import poselab.experiments.prediction.predictor
    import poselab.report.page  # noqa: F401

    torch.set_num_threads(1)


def make_case(form: Format, valid: Path, folder: Path, random: Random) -> list[str]:
    """Fill ``folder`` with the valid files, one of them changed; the command's words."""
    for file in sorted(path for path in valid.rglob("*") if path.is_file()):
        copy = folder / file.relative_to(valid)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
    targets = [file for pattern in form.targets for file in sorted(folder.glob(pattern))]
    if targets:
        target = random.choice(targets)
        target.write_bytes(form.mutate(target.read_bytes(), random))
    words = random.choice(form.commands).split()
    return [
        odd_word(random) if word == "ODD" else word.replace("ODD", odd_word(random))
        for word in words
    ]


def judge(words: list[str], folder: Path, expendable: bool = False) -> Verdict:
    """Run ``poselab WORDS`` in a folder, and judge how it ends.

    ``expendable``: the system may end this process where it takes too much memory. Libraries that
    get none abort, so that tests only look afterwards how much it was.
    """
    out, err = io.StringIO(), io.StringIO()
    status, failure, peak = -1, None, _peak_megabytes()
    environment = dict(os.environ)
    os.environ["POSELAB_CACHE"] = str(folder / "cache")
    os.environ["POSELAB_MAX_MEMORY"] = UNPACKED
    try:
        with (
            _within(folder),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            _time_limit(),
            _memory_limit() if expendable else contextlib.nullcontext(),
        ):
            status = _main(words)
    except (Exception, TooLong) as error:
        failure = _failure(error)
    except BaseException as error:  # a panic of a library in Rust is no Exception
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        failure = _failure(error)
    finally:
        os.environ.clear()
        os.environ.update(environment)
    if failure is None and _peak_megabytes() - peak > MEGABYTES:
        failure = Verdict("fault", f"over {MEGABYTES} MB")
    return failure or _verdict(status, out.getvalue(), err.getvalue(), folder)


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _main(words: list[str]) -> int:
    from poselab import cli

    return cli.main(words)


def _failure(error: BaseException) -> Verdict:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "/poselab/" in f.filename]
    place = f"{frames[-1].filename.rpartition('/poselab/')[2]}:{frames[-1].name}" if frames else "?"
    text = "".join(traceback.format_exception(error, limit=-30))
    return Verdict("fault", f"{type(error).__name__} in {place}", text[-6000:])


def _verdict(status: int, out: str, err: str, folder: Path) -> Verdict:
    said = ("error:", "warning:")
    lines = [*err.splitlines(), *(line for line in out.splitlines() if line.startswith(said))]
    sentences = [line for line in err.splitlines() if line.startswith("poselab ")]
    wrong = None
    if "Traceback (most recent call last)" in err + out:
        wrong = "a traceback is printed"
    elif status != 2 and (too_long := [line for line in lines if len(line) > LONGEST_LINE]):
        wrong = f"a line of {LONGEST_LINE}+ characters: {re.sub(r'[0-9]+', '0', too_long[0])[:60]}"
    elif status not in (0, 1, 2):
        wrong = f"exit status {status}"
    elif status == 1 and len(sentences) != 1 and not (out and not sentences):
        wrong = f"{len(sentences)} sentences"
    elif status == 0 and (changed := changed_values(folder)):
        wrong = "other metric values than those of the whole cache"
        err += changed
    if wrong:
        return Verdict("fault", wrong, f"status {status}\n{out[-3000:]}\n{err[-3000:]}")
    return Verdict("refused" if status else "accepted", (sentences or [""])[0])


def changed_values(folder: Path) -> str | None:
    """How ``metrics.json`` differs from ``expected.json``, where a folder has both."""
    files = folder / "expected.json", folder / "metrics.json"
    if not all(file.exists() for file in files):
        return None
    expected, found = (json.loads(file.read_bytes())["AP"] for file in files)
    return None if expected == found else f"expected AP {expected}, got {found}"


@contextlib.contextmanager
def _within(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@contextlib.contextmanager
def _time_limit() -> Iterator[None]:
    """Raise TooLong after SECONDS of processor time."""

    def stop(*_: Any) -> None:
        raise TooLong(f"over {SECONDS} s")

    handler = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS, 1)  # again, where a library catches it
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, handler)


@contextlib.contextmanager
def _memory_limit() -> Iterator[None]:
    """Raise MemoryError beyond MEGABYTES more than the process has."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEGABYTES * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
