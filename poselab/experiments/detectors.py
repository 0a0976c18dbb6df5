"""Which detector a person means: a name of conf/detector with changes, or a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from poselab.experiments.configs import conf_folder
from poselab.experiments.device import usable_device
from poselab.structures import InputError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from poselab.annotations.formats.detections import Detections
    from poselab.data import Split

_BY_SUFFIX = {".json": "file", ".onnx": "yolo", ".ckpt": "tiny"}

HELP = """A detector is one of
  {names}
with changes after commas, such as fasterrcnn,weights=FILE or jittered,iou=0.7,miss=0.1
(conf/detector/ holds all keys), or a file: .json a detections file, .onnx a YOLO network (needs
onnxruntime), .ckpt or a folder what `poselab detect train` made. Weights of torchvision's networks
come from its hub unless weights=FILE says otherwise. ultralytics is under the AGPL-3.0, no part of
PoseLab, and used only if you installed it and name it."""


def names() -> list[str]:
    """The detectors that PoseLab ships a config for."""
    files = sorted((conf_folder() / "detector").glob("[!_]*.yaml"))
    return [file.stem for file in files]


def help_text() -> str:
    """How to say which detector, for a command's help."""
    return HELP.format(names=" ".join(names()))


def add_rules(arguments: argparse.ArgumentParser) -> None:
    """The words that change which boxes stay."""
    arguments.add_argument("--threshold", type=float, help="least score of a box (0.05)")
    arguments.add_argument("--nms", type=float, help="IoU at which the worse box falls (0.65)")
    arguments.add_argument("--most", type=int, help="most boxes of an image (100)")


def rules_of(arguments: argparse.Namespace) -> dict[str, float]:
    """The rules that a person changed."""
    given = {key: getattr(arguments, key) for key in ("threshold", "nms", "most")}
    return {key: value for key, value in given.items() if value is not None}


def find(
    detector: str,
    split: Split,
    device: str = "cpu",
    batch_size: int = 8,
    rules: dict[str, float] | None = None,
) -> Detections:
    """The people that the detector finds in a split, behind a progress bar.

    Raises:
        InputError: no such detector, or it cannot be made or be used on these images.
    """
    from rich.console import Console
    from rich.progress import track

    from poselab.detection import find_people
    from poselab.experiments import build
    from poselab.experiments.compose import compose

    changes = [f"detector.rules.{key}={value}" for key, value in (rules or {}).items()]
    config = compose("detect", [*_overrides(detector), *changes])[0]
    _refuse_missing(config, detector)
    if batch_size < 1:
        raise InputError(f"expected a batch size of 1 or more, got {batch_size}; correct it")
    parts = build.node(config, "detector")
    try:
        chosen = parts["rules"]()
        made = parts["make"](table=split.annotations, device=usable_device(device))
    except TypeError as error:
        raise InputError(
            f"expected values that fit the detector {detector}, but {error}; see its file in "
            "conf/detector"
        ) from error

    def watch(starts: Sequence[int]) -> Iterable[int]:
        bar = Console(stderr=True)
        shown = bar.is_terminal
        return track(starts, "finding people", transient=True, console=bar, disable=not shown)

    return find_people(made, split, chosen, batch_size, watch)


def _overrides(detector: str) -> list[str]:
    """Hydra's words for a detector as a person says it."""
    name, *changes = detector.split(",")
    if name in names():
        return [f"detector={name}", *map(_inside, changes)]
    path = Path(name)
    kind = _BY_SUFFIX.get(path.suffix.lower(), "tiny" if path.is_dir() else None)
    if kind is None:
        raise InputError(
            f"expected a detector out of {', '.join(names())}, or a file (.json, .onnx, .ckpt), "
            f"got {name!r}; see `poselab detect --help`"
        )
    if not path.exists():
        raise InputError(f"expected a detector at {name}, found no such file; check the path")
    return [f"detector={kind}", f"detector.weights={_quoted(name)}", *map(_inside, changes)]


def _inside(change: str) -> str:
    key, equals, value = change.partition("=")
    if not equals:
        raise InputError(f"expected KEY=VALUE after a detector's comma, got {change!r}")
    return f"detector.{key}={_quoted(value)}"


def _quoted(value: str) -> str:
    """Paths may hold what Hydra's grammar would read as its own; numbers stay numbers."""
    plain = value.lower() in ("null", "true", "false") or _is_number(value)
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return value if plain else f"'{escaped}'"


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def _refuse_missing(config: Any, detector: str) -> None:
    from omegaconf import OmegaConf

    missing = [key for key in config.detector if OmegaConf.is_missing(config.detector, key)]
    if missing:
        raise InputError(
            f"expected {missing[0]}= for the detector {detector}, found none; say "
            f"{detector},{missing[0]}=FILE"
        )
