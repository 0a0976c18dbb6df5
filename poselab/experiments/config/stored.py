"""The config that a run or a checkpoint keeps: plain values, checked before anything is built."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml  # type: ignore[import-untyped]
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from poselab.io.json_text import shortened
from poselab.io.yaml_text import MOST_LEVELS, MOST_VALUES, check_yaml, not_yaml
from poselab.structures import InputError, Skeleton

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SECTIONS = (
    *("data", "framing", "augment", "backbone", "method", "module", "postprocess"),
    *("optimizer", "schedule", "trainer", "evaluator"),
)
_DEFAULTS: dict[str, Any] = {
    **dict.fromkeys(("report", "ema", "batch", "weights", "folder")),
    "logger": {},
    "published": {},
    "runs": "runs",
}
"""Keys that older runs may lack."""

_TYPES: dict[str, tuple[str, Any]] = {
    **dict.fromkeys((*_SECTIONS, "logger", "published"), ("a section", dict)),
    "report": ("a section or null", dict | None),
    "seed": ("a whole number", int),
    "flip_test": ("true or false", bool),
    "ema": ("a number or null", int | float | None),
    "runs": ("text", str),
    **dict.fromkeys(("batch", "weights", "folder"), ("text or null", str | None)),
}


def stored_config(content: Any, source: Path | str) -> DictConfig:
    """The config of a run or a checkpoint, from the plain values that ``source`` holds.

    Whether annotations may name images outside of their folder is not taken over: the run may be
    somebody else's, so the user says it in each call.

    Raises:
        InputError: it is no config of PoseLab: a section is missing, a value is of another type or
            refers to others, or there are too many of them.
    """
    _check_plain(content, source)
    if not isinstance(content, dict):
        raise _error(source, "a mapping of sections", shortened(content))
    config = {**_DEFAULTS, **content}
    for key, (words, types) in _TYPES.items():
        value = config.get(key)
        if not isinstance(value, types) or (isinstance(value, bool) and types is not bool):
            found = shortened(value) if key in config else "nothing"
            raise _error(source, f"`{key}` as {words}", found)
    if "outside_images" in config["data"]:
        config["data"] = {**config["data"], "outside_images": False}
    try:
        return OmegaConf.create(config)
    except OmegaConfBaseException as error:
        raise _error(source, "plain values", shortened(str(error).splitlines()[0])) from None


def read_stored_config(text: bytes, source: Path | str) -> DictConfig:
    """The config in the YAML of a run's ``config.yaml``; errors as in :func:`stored_config`."""
    check_yaml(text, str(source))
    try:
        content = OmegaConf.to_container(OmegaConf.create(text.decode()))
    except (yaml.YAMLError, OmegaConfBaseException, ValueError, TypeError) as error:
        raise not_yaml(str(source), error) from None
    return stored_config(content, source)


def stored_skeleton(record: Any, source: Path | str) -> Skeleton:
    """The keypoints that a checkpoint was trained with.

    Raises:
        InputError: the record is no skeleton's.
    """
    _check_plain(record, source)
    try:
        skeleton = Skeleton.from_record(record)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise _error(
            source, "keypoints and limbs under `skeleton`", shortened(str(error))
        ) from None
    if not (isinstance(skeleton.name, str) and skeleton.keypoints):
        raise _error(source, "keypoints under `skeleton`", shortened(record))
    return skeleton


def _check_plain(content: Any, source: Path | str) -> None:
    """Check that values are plain, that mappings have names, and that nothing refers to others."""
    for count, (value, level) in enumerate(_values(content), start=1):
        if count > MOST_VALUES or level > MOST_LEVELS:
            raise _error(
                source,
                f"at most {MOST_VALUES} values in {MOST_LEVELS} levels, none inside itself",
                "more",
            )
        if not isinstance(value, str | int | float | dict | list | tuple | None):
            raise _error(source, "plain values", type(value).__name__)
        if isinstance(value, str) and ("${" in value or value == "???"):
            raise _error(source, "the values themselves", shortened(value))
        if isinstance(value, dict) and not all(isinstance(key, str) for key in value):
            other = next(key for key in value if not isinstance(key, str))
            raise _error(source, "names as keys", shortened(other))


def _values(content: Any) -> Iterator[tuple[Any, int]]:
    """All values inside one, itself the first, each with its level, without recursion."""
    pending = [(content, 0)]
    while pending:
        value, level = pending.pop()
        yield value, level
        inner = value.values() if isinstance(value, dict) else value
        if isinstance(value, dict | list | tuple):
            pending += [(part, level + 1) for part in inner]


def _error(source: Path | str, expected: str, found: str) -> InputError:
    return InputError(
        f"expected {expected} in the config of {source}, got {found}; give a run or a checkpoint "
        "that PoseLab made"
    )
