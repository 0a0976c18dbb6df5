"""Arguments of commands: a wrong word ends in one sentence and status 2, before any work."""

from __future__ import annotations

import argparse
import math
import re
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from poselab.io.folders import check_output_file, check_output_folder
from poselab.io.json_text import shortened
from poselab.ranges import MOST_SEED, check_number, check_whole
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_OPTION = "{option}"
"""Where a sentence names its option, which argparse knows and a converter of words does not."""

_LONGEST = 300


class Arguments(argparse.ArgumentParser):
    """A command's arguments."""

    def error(self, message: str) -> NoReturn:
        """Print one sentence, and the usage only where words are missing; exit with status 2."""
        if message.startswith("the following arguments are required"):
            self.print_usage(sys.stderr)
        named = re.fullmatch(r"argument (.+?): (expected .*)", message, re.DOTALL)
        if named:
            sentence = named[2].replace(_OPTION, named[1])
        else:  # argparse quotes words in full
            line = re.sub(r"\S{80,}", lambda word: f"{word[0][:77]}...", " ".join(message.split()))
            sentence = f"{line[:_LONGEST]}; `{self.prog} --help` shows what it takes"
        self.exit(2, f"{self.prog}: {sentence}\n")


def whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """A whole number of a range."""

    def whole_number(word: str) -> int:
        value = int(word) if re.fullmatch(r"[+-]?\d{1,99}", word) else word
        with argument_errors():
            check_whole(_OPTION, value, least, most)
        return int(value)

    return whole_number


seed = whole(0, MOST_SEED)


def number(low: float = -math.inf, high: float = math.inf) -> Callable[[str], float]:
    """A finite number of a range."""

    def finite_number(word: str) -> float:
        try:
            value: float | str = float(word)
        except ValueError:
            value = word
        with argument_errors():
            check_number(_OPTION, value, low, high)
        return float(value)

    return finite_number


def path(word: str) -> Path:
    """A path that the system can look up, whether or not something is there."""
    try:
        if not word:
            raise ValueError("an empty word")
        Path(word).stat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        pass  # what reads it says so
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise argparse.ArgumentTypeError(
            f"expected {_OPTION} to be a path, got {shortened(word)} ({reason}); correct it"
        ) from None
    return Path(word)


def output_file(word: str) -> Path:
    """The path of a file that can be written."""
    file = path(word)
    with argument_errors():
        check_output_file(file)
    return file


def output_folder(word: str) -> Path:
    """The path of a folder that can be written, or made."""
    folder = path(word)
    with argument_errors():
        check_output_folder(folder)
    return folder


@contextmanager
def argument_errors() -> Iterator[None]:
    """Pass on the sentence of an InputError, which argparse would replace by one of its own."""
    try:
        yield
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
