"""A folder belongs to the process that made it, and only one writes to it at a time."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from poselab.io.folders import make_new, only_writer
from poselab.structures import InputError


def test_processes_that_start_together_get_different_folders(tmp_path: Path) -> None:
    # Spawned: a fork of the test process, in which torch has threads, may wait forever.
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        made = pool.map(make_new, [tmp_path / "runs" / "stamp"] * 40, chunksize=1)
    names = {"stamp", *(f"stamp-{n}" for n in range(2, 41))}
    assert {path.name for path in made} == names
    assert {path.name for path in (tmp_path / "runs").iterdir()} == names


def test_a_second_writer_is_told_of_the_first(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with only_writer(folder):
        (folder / "config.yaml").write_text("")
        with pytest.raises(InputError, match="no other process to write to"), only_writer(folder):
            pass
    with only_writer(folder):
        pass
    assert (folder / "config.yaml").exists()


def test_a_folder_that_stays_empty_is_removed(tmp_path: Path) -> None:
    with only_writer(tmp_path / "runs" / "failed"):
        pass
    assert not (tmp_path / "runs" / "failed").exists()


def test_a_folder_below_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "inside"):
        with pytest.raises(InputError, match="is a file; choose another"), only_writer(folder):
            pass
    with pytest.raises(InputError, match="is a file; choose another"):
        make_new(tmp_path / "file" / "inside")
