"""Any file is accepted, or refused in one sentence: odd files of every format that PoseLab reads.

``scripts/fuzz.py`` does the same for an hour, in processes of its own.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from random import Random
from typing import Any

import pytest
from fuzz_cases import import_all, judge, make_case
from fuzz_formats import FORMATS, Write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

EXAMPLES = 25

IN_SECONDS = [name for name, form in FORMATS.items() if not form.heavy]
"""Formats that are tried here; those whose readers train or load a network, by the script."""


@pytest.fixture(scope="module", autouse=True)
def _imported() -> None:
    import_all()


@pytest.fixture(scope="module")
def valid_files(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The folder of valid files that a format's ``write`` makes, made once."""
    folders: dict[Write, Path] = {}

    def folder(write: Write) -> Path:
        if write not in folders:
            folders[write] = tmp_path_factory.mktemp("valid")
            write(folders[write])
        return folders[write]

    return folder


@pytest.mark.parametrize("name", IN_SECONDS)
def test_odd_files_are_accepted_or_refused_in_one_sentence(name: str, valid_files: Any) -> None:
    form = FORMATS[name]
    valid = valid_files(form.write)

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(random=st.randoms(use_true_random=False))
    def ends_well(random: Random) -> None:
        folder = Path(tempfile.mkdtemp())
        try:
            words = make_case(form, valid, folder, random)
            verdict = judge(words, folder)
            assert verdict.kind != "fault", f"{words}: {verdict.sentence}\n{verdict.details}"
        finally:
            shutil.rmtree(folder)

    ends_well()


@pytest.mark.parametrize("name", IN_SECONDS)
def test_the_valid_files_are_accepted(name: str, valid_files: Any, tmp_path: Path) -> None:
    """Otherwise every odd file would be refused for the same reason."""
    form = FORMATS[name]
    shutil.copytree(valid_files(form.write), tmp_path, dirs_exist_ok=True)
    for command in form.commands:
        finds_leaks = command.startswith("data leaks")
        verdict = judge(command.split(), tmp_path)
        assert verdict.kind == ("refused" if finds_leaks else "accepted"), verdict
