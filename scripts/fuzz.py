"""Change small valid files of every format in odd ways, and report whatever ends badly.

    python scripts/fuzz.py --minutes 60                        every format, in turn
    python scripts/fuzz.py --cases 100 --format "COCO results" --seed 7

A command must accept a file or refuse it in one sentence. A fault is a traceback, a crash, more
than 20 s of processor time or 1 GB of memory, a line over 400 characters, or other metric values
from a damaged cache. Every fault is kept in OUT with its files, its words and its seed. Exit
status: 0 no fault, 1 faults. The changes are those of tests/fuzz, which tries a few in CI.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "fuzz"))
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "agg")

from fuzz_cases import Verdict, import_all, judge, make_case
from fuzz_formats import FORMATS, Format

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK = 20
"""Cases that one process runs; a fresh one follows, so that no case lives on in another."""

PATIENCE = 240
"""Seconds without a verdict after which a process is killed."""


def main() -> int:
    words = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    length = words.add_mutually_exclusive_group(required=True)
    length.add_argument("--minutes", type=float, help="how long to go on, all formats in turn")
    length.add_argument("--cases", type=int, help="cases of each format")
    words.add_argument("--seed", type=int, default=0, help="which cases (0)")
    words.add_argument("--format", action="append", choices=sorted(FORMATS), help="only this one")
    words.add_argument("--out", type=Path, default=Path("fuzz-faults"), help="(fuzz-faults)")
    arguments = words.parse_args()
    forms = [FORMATS[name] for name in arguments.format or FORMATS]
    with tempfile.TemporaryDirectory() as folder:
        counts, kinds = _fuzz(forms, Path(folder), arguments)
    _print(counts, kinds, arguments.out)
    return int(bool(kinds))


def _fuzz(
    forms: list[Format], scratch: Path, arguments: argparse.Namespace
) -> tuple[dict[str, Counter[str]], Counter[tuple[str, str]]]:
    """Counts of verdicts by format, and of faults by format and sentence."""
    from rich.progress import MofNCompleteColumn, Progress

    import_all()
    counts = {form.name: Counter[str]() for form in forms}
    kinds = Counter[tuple[str, str]]()
    with Progress(*Progress.get_default_columns(), MofNCompleteColumn()) as bar:
        total = len(forms) * arguments.cases if arguments.cases else None
        task = bar.add_task("cases", total=total)
        for form, numbers in _chunks(forms, arguments):
            valid = scratch / form.name.replace(" ", "_")
            if not valid.exists():
                _in_child(_write_valid, form, valid)
            for number, verdict in _run(form, valid, numbers, arguments):
                counts[form.name][verdict.kind] += 1
                if verdict.kind == "fault":
                    kinds[form.name, verdict.sentence] += 1
                bar.update(task, advance=1, description=f"{form.name} {number}")
    return counts, kinds


def _chunks(
    forms: list[Format], arguments: argparse.Namespace
) -> Iterator[tuple[Format, list[int]]]:
    """Formats in turn with the numbers of their next cases, until time or cases are used up."""
    end = time.monotonic() + 60 * (arguments.minutes or float("inf"))
    start, most = 0, arguments.cases or sys.maxsize
    while start < most:
        for form in forms:
            if time.monotonic() > end:
                return
            yield form, list(range(start, min(start + CHUNK, most)))
        start += CHUNK


def _run(
    form: Format, valid: Path, numbers: list[int], arguments: argparse.Namespace
) -> Iterator[tuple[int, Verdict]]:
    """The verdict on each case; a process that crashes or hangs is replaced by another."""
    while numbers:
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            os.close(reader)
            _judge_all(form, valid, numbers, arguments, writer)
        os.close(writer)
        for number, verdict in _verdicts(reader, child):
            numbers.remove(number)
            yield number, verdict
        os.close(reader)
        status = os.waitpid(child, 0)[1]
        if numbers and status:
            number = numbers.pop(0)
            code = os.waitstatus_to_exitcode(status)
            end = f"is killed by {signal.Signals(-code).name}" if code < 0 else f"exits with {code}"
            verdict = Verdict("fault", f"the process {end}")
            _keep_note(_folder(form, number, arguments), form, number, arguments, [], verdict)
            yield number, verdict


def _verdicts(reader: int, child: int) -> Iterator[tuple[int, Verdict]]:
    import select

    pending = b""
    while True:
        if not select.select([reader], [], [], PATIENCE)[0]:
            os.kill(child, signal.SIGKILL)
            return
        block = os.read(reader, 1 << 16)
        if not block:
            return
        *lines, pending = (pending + block).split(b"\n")
        for line in lines:
            number, *verdict = json.loads(line)
            yield number, Verdict(*verdict)


def _judge_all(
    form: Format, valid: Path, numbers: list[int], arguments: argparse.Namespace, writer: int
) -> None:
    """Judge cases in this process, a line to the pipe for each, and leave it."""
    quiet = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):  # libraries in C write here
        os.dup2(quiet, stream)
    for number in numbers:
        folder = _folder(form, number, arguments)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        words = make_case(form, valid, folder, Random(f"{arguments.seed} {form.name} {number}"))
        _keep_note(folder, form, number, arguments, words, None)
        verdict = judge(words, folder, expendable=True)
        if verdict.kind == "fault":
            _keep_note(folder, form, number, arguments, words, verdict)
        else:
            shutil.rmtree(folder, ignore_errors=True)
        os.write(writer, json.dumps([number, *verdict[:2]]).encode() + b"\n")
    os._exit(0)


def _folder(form: Format, number: int, arguments: argparse.Namespace) -> Path:
    return (arguments.out / f"{form.name.replace(' ', '_')}-{arguments.seed}-{number}").resolve()


def _keep_note(
    folder: Path,
    form: Format,
    number: int,
    arguments: argparse.Namespace,
    words: list[str],
    verdict: Verdict | None,
) -> None:
    note: dict[str, Any] = {"format": form.name, "seed": arguments.seed, "case": number}
    note |= {"words": words} if words else {}
    file = folder / "case.json"
    before = json.loads(file.read_text()) if file.exists() else {}
    ended = {"fault": verdict.sentence, "details": verdict.details.splitlines()} if verdict else {}
    file.write_text(json.dumps(before | note | ended, indent=1))


def _write_valid(form: Format, valid: Path) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    valid.mkdir(parents=True)
    form.write(valid)


def _in_child(function: Any, *given: Any) -> None:
    """Call a function in a process of its own, so that this one stays as it is."""
    child = os.fork()
    if not child:
        status = 1
        try:
            function(*given)
            status = 0
        finally:
            os._exit(status)
    if os.waitpid(child, 0)[1]:
        raise SystemExit(f"the valid files could not be made by {function.__name__} {given}")


def _print(counts: dict[str, Counter[str]], kinds: Counter[tuple[str, str]], out: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("format")
    columns = ("cases", "refused", "accepted", "faults")
    for column in columns:
        table.add_column(column, justify="right")
    rows = {
        name: [c.total(), c["refused"], c["accepted"], c["fault"]] for name, c in counts.items()
    }
    rows["all"] = [sum(column) for column in zip(*rows.values(), strict=True)]
    for name, row in rows.items():
        table.add_row(name, *map(str, row))
    console = Console()
    console.print(table)
    for (name, sentence), count in kinds.most_common():
        console.print(f"{count:4} {name}: {sentence}", markup=False, soft_wrap=True)
    if kinds:
        console.print(f"faults with their files: {out}")


if __name__ == "__main__":
    sys.exit(main())
