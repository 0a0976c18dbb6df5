"""The command line: one thin file for each command, imported only when it is called.

A command's file has ``parser()`` → argparse.ArgumentParser, whose description is its help, and
``run(arguments)`` → exit status. Commands with Hydra's grammar take the raw words instead:
``main(words)``. A file that never imports torch may set ``LIGHT = True``, to start faster.
"""

from __future__ import annotations

import atexit
import errno
import gc
import importlib
import os
import signal
import sys
from typing import Any

import poselab
from poselab.experiments.config.trust import split_trust, trusting
from poselab.io.json_text import shortened
from poselab.structures import InputError

_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EACCES, errno.EPERM}
"""Errors of a disk that is full or not writable."""
_TERMINATED = 128 + signal.SIGTERM
"""The exit status of a process that the system asked to end."""

COMMANDS = {
    "train": "train one experiment: poselab train experiment=SUITE/NAME key=value ...",
    "list": "list experiments, methods, backbones, suites, ablations, models, datasets or metrics",
    "check": "try an experiment, and estimate what training it would cost",
    "report": "score a trained run again, and write its metrics, curves and page",
    "suite": "train every experiment of a suite, and print one table",
    "ablate": "answer one question with many runs: poselab ablate ablation=PAPER/QUESTION ...",
    "evaluate": "score a predictions file of any project against annotations",
    "evaluate joints": "score every joint by itself, and check the calibration of keypoint scores",
    "compare": "compare results: which is better, by how much, and how certain that is",
    "detect": "detect people in images, and write their boxes as a detections file",
    "detect train": "train a small detector of people in minutes",
    "detect costs": "measure what a top-down run loses to undetected people and to poor boxes",
    "predict": "predict the poses in images with a trained run or a pretrained model",
    "decode": "compare decoders of heatmaps on one trained run",
    "doctor": "check that every codec decodes what it encodes, as a table and a plot",
    "import-weights": "turn a checkpoint of another model zoo into a run",
    "data synth": "generate people in COCO or MPII layout",
    "data check": "report what is missing or broken in a dataset, and how to get it",
    "data leaks": "find images and people that training and evaluation sets share",
    "data sigmas": "estimate OKS sigmas of keypoints from repeated annotations, or residuals",
    "data browse": "draw a contact sheet of training samples",
}


def main(words: list[str] | None = None) -> int:
    """Run ``poselab`` with these words (default: the process's).

    Returns the exit status: 0 success; 1 a failed check or run, or input that cannot be used, such
    as a file or a config; 2 words that the command does not take; 130 and 143 interrupted.
    """
    own_process = words is None
    words = sys.argv[1:] if words is None else words
    if words[:1] == ["--version"]:
        print(poselab.__version__)
        return 0
    if wrong := [word for word in words if not _is_unicode(word)]:
        print(
            f"poselab: expected words in UTF-8, got {wrong[0][:80]!a}; rename what it names",
            file=sys.stderr,
        )
        return 2
    name, rest = _split(words)
    if own_process:  # else Python would end at once, with locks and files left behind
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(_TERMINATED))
    try:
        status = _overview(words) if name is None else _dispatch(name, rest, own_process)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # the reader of a pipe, such as `head`, has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (InputError, FloatingPointError, OSError) as error:
        sentence = _sentence(error)
        if sentence is None or os.environ.get("POSELAB_TRACEBACK"):
            raise
        print(f"poselab {name}: {sentence}", file=sys.stderr)
        return 1
    except MemoryError:
        if os.environ.get("POSELAB_TRACEBACK"):
            raise
        print(
            f"poselab {name}: expected room in memory, found too little; free some", file=sys.stderr
        )
        return 1
    except KeyboardInterrupt:
        return _interrupted(name, 128 + signal.SIGINT)
    except SystemExit as stop:
        if stop.code != _TERMINATED:
            raise
        return _interrupted(name, _TERMINATED)


def _interrupted(name: str | None, status: int) -> int:
    print(f"poselab {name}: interrupted; finished epochs are kept", file=sys.stderr)
    return status


def _is_unicode(word: str) -> bool:
    """Whether a word has no bytes of other encodings, which no JSON or YAML file could hold."""
    return not any("\ud800" <= letter <= "\udfff" for letter in word)


def _sentence(error: Exception) -> str | None:
    """An error as one sentence for a person; None where only a traceback helps."""
    if isinstance(error, OSError):
        if error.errno == errno.ENAMETOOLONG:
            return f"expected a path, got {shortened(str(error.filename))} (too long); correct it"
        if error.errno not in _DISK:
            return None
        place = f"to write {error.filename}" if error.filename else "room to write"
        return f"expected {place}, but {error.strerror}; free or choose another place"
    # An error in a worker of the data loader arrives as the text of its traceback.
    text = str(error)
    from_worker = text.startswith("Caught ") and " in DataLoader worker process" in text
    return text.rstrip().rpartition(f"{type(error).__name__}: ")[2] if from_worker else text


def _split(words: list[str]) -> tuple[str | None, list[str]]:
    """The command that the words begin with, and the words after it."""
    for length in (2, 1):
        name = " ".join(words[:length])
        if len(words) >= length and name in COMMANDS:
            return name, words[length:]
    return None, words


def _dispatch(name: str, rest: list[str], own_process: bool) -> int:
    module = importlib.import_module("poselab.cli." + name.replace(" ", "_").replace("-", "_"))
    if not getattr(module, "LIGHT", False):
        from poselab.experiments.library_messages import hide_library_messages

        hide_library_messages()
    elif own_process:  # the collections at exit take a third as long as NumPy's import
        atexit.register(gc.freeze)
    trusted, rest = split_trust(rest)
    with trusting(trusted):
        return _call(module, name, rest)


def _call(module: Any, name: str, rest: list[str]) -> int:
    if hasattr(module, "main"):
        return int(module.main(rest))
    parser = module.parser()
    parser.prog = f"poselab {name}"
    try:
        arguments = parser.parse_args(rest)
    except SystemExit as stop:
        return int(stop.code or 0)
    return int(module.run(arguments))


def _overview(words: list[str]) -> int:
    """Print the commands; status 2 when the words name none of them."""
    asked_for_help = words in ([], ["--help"], ["-h"])
    group = [c for c in COMMANDS if words and c.startswith(words[0] + " ")]
    width = max(map(len, COMMANDS)) + 2
    lines = ["usage: poselab COMMAND ...   (poselab COMMAND --help explains each)", ""]
    lines += [f"  {name:<{width}}{COMMANDS[name]}" for name in group or COMMANDS]
    if not asked_for_help and not group:
        print(f"poselab: expected a command, got {words[0]!r}\n", file=sys.stderr)
    right_use = asked_for_help or (bool(group) and words[1:] in (["--help"], ["-h"], []))
    print("\n".join(lines), file=sys.stdout if right_use else sys.stderr)
    return 0 if right_use else 2
