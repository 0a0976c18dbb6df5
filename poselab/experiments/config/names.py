"""The names of experiments, suites and ablations in conf, without importing Hydra."""

from __future__ import annotations

import reprlib
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml  # type: ignore[import-untyped]

import poselab
from poselab.io.files import read_bytes
from poselab.io.yaml_text import check_size, check_yaml, not_yaml
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Overrides = dict[str, Any]
"""Options of config groups, and values by their dotted keys."""


def conf_folder() -> Path:
    """Where PoseLab's own configs lie: inside an installed package, or beside it in a checkout."""
    package = Path(poselab.__file__).parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


def config_names(group: str, folders: Sequence[Path] = ()) -> list[str]:
    """The options of a config group: files, also in the user's own ``folders``, and rows.

    Files named _* are parts of others.
    """
    places = [folder / group for folder in (conf_folder(), *folders)]
    files = [(place, file) for place in places for file in place.rglob("[!_]*.yaml")]
    names = {file.relative_to(place).with_suffix("").as_posix() for place, file in files}
    return sorted({*names, *group_rows(group, folders)})


def group_rows(group: str, folders: Sequence[Path] = ()) -> dict[str, dict[str, Any]]:
    """Options of a config group that need no files of their own: the rows of its ``_rows.yaml``."""
    return _rows_of(f"{group}/_rows", folders)


def experiment_names(folders: Sequence[Path] = ()) -> list[str]:
    """The names SUITE/NAME of all experiments: rows of suites, and files of their own."""
    suites = config_names("suite", folders)
    rows = [f"{suite}/{name}" for suite in suites for name in _rows_of(f"suite/{suite}", folders)]
    return sorted({*rows, *config_names("experiment", folders)})


def suite_names(folders: Sequence[Path] = ()) -> list[str]:
    """The names of all suites."""
    return sorted({name.rpartition("/")[0] or name for name in experiment_names(folders)})


def suite_rows(suite: str, folders: Sequence[Path] = ()) -> dict[str, Overrides]:
    """The experiments of a suite by their full names, each with what it overrides.

    An experiment with a file of its own (``experiment/SUITE/NAME.yaml``) overrides nothing here.

    Raises:
        InputError: there is no such suite.
    """
    rows = {f"{suite}/{name}": row for name, row in _rows_of(f"suite/{suite}", folders).items()}
    files = [n for n in config_names("experiment", folders) if n.rpartition("/")[0] == suite]
    rows = {**{name: {} for name in files}, **rows}
    if not rows:
        known = ", ".join(suite_names(folders))
        raise InputError(f"expected a suite out of {known}, got {suite!r}; choose one")
    return dict(sorted(rows.items()))


def suite_experiments(
    suite: str, wanted: Sequence[str] = (), folders: Sequence[Path] = ()
) -> list[str]:
    """The full names of a suite's experiments, or of those that are wanted.

    ``folders`` hold configs of the user's own.

    Raises:
        InputError: there is no such suite, or it has no such experiment.
    """
    experiments = {name.rpartition("/")[2]: name for name in suite_rows(suite.rstrip("/"), folders)}
    if unknown := [name for name in wanted if name not in experiments]:
        raise InputError(
            f"expected experiments of {suite} out of {', '.join(experiments)}, got {unknown[0]!r}; "
            "choose some of these, or none for all"
        )
    return [experiments[name] for name in wanted] or list(experiments.values())


def _rows_of(table: str, folders: Sequence[Path]) -> dict[str, Overrides]:
    """The rows of a table by their names; a later folder's replace an earlier one's."""
    rows: dict[str, Overrides] = {}
    for folder in (conf_folder(), *folders):
        file = folder / f"{table}.yaml"
        rows |= dict(rows_of_table(read_table(file), str(file))) if file.is_file() else {}
    return rows


@cache
def read_table(file: Path) -> dict[str, Any]:
    """The content of a YAML file that holds a table.

    Raises:
        InputError: it is not YAML, or no mapping of names to values.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = read_bytes(file, "a table of configs")
    check_yaml(text, str(file))
    try:
        content = yaml.load(text, loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise not_yaml(str(file), error) from None
    return mapping(content, str(file))


def mapping(value: Any, where: str) -> dict[str, Any]:
    """A mapping of names to values; an empty one for None.

    Raises:
        InputError: it is something else, or a name is no text.
    """
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise InputError(
            f"expected names with a value each (NAME: VALUE) in {where}, got "
            f"{reprlib.repr(value)}; correct it"
        )
    return value


def rows_of_table(table: dict[str, Any], file: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The rows of a file's table, each on top of what its group and the table have for ``every``.

    Raises:
        InputError: a part of the table is not a mapping, or its groups are no list.
    """
    every = mapping(table.get("every"), f"`every` of {file}")
    for name, row in mapping(table.get("rows"), f"`rows` of {file}").items():
        yield name, {**every, **mapping(row, f"row {name[:40]!r} of {file}")}
    groups = table.get("groups") or []
    if not isinstance(groups, list):
        raise InputError(
            f"expected `groups` of {file} as a list, got {reprlib.repr(groups)}; correct it"
        )
    for group in groups:
        for name, row in rows_of_table(mapping(group, f"a group of {file}"), file):
            yield name, {**every, **row}


def split_config_dirs(words: Sequence[str]) -> tuple[list[Path], list[str]]:
    """The folders of ``--config-dir DIR`` and ``--config-dir=DIR``, and the other words.

    Raises:
        InputError: one of them is not there.
    """
    rest, folders = [part for word in words for part in _split_flag(word)], list[Path]()
    while "--config-dir" in rest:
        where = rest.index("--config-dir")
        if where + 1 == len(rest):
            raise InputError("expected a folder after --config-dir, got none; name it")
        folder = Path(rest[where + 1]).resolve()
        if not folder.is_dir():
            raise InputError(f"expected a folder of configs at {folder}, found none; check it")
        for file in folder.rglob("*.yaml"):
            _check_size(file, file.stat().st_mtime_ns)
        folders.append(folder)
        del rest[where : where + 2]
    return folders, rest


@cache
def _check_size(file: Path, changed: int) -> None:
    """Check what the aliases of a file make of it; what is no YAML fails where it is used."""
    with suppress(yaml.YAMLError):
        check_size(file.read_bytes(), str(file))


def _split_flag(word: str) -> list[str]:
    """``--config-dir=DIR`` as the two words it stands for, any other word as it is."""
    flag, equals, folder = word.partition("=")
    return [flag, folder] if flag == "--config-dir" and equals else [word]
