"""Detectors of people: those of conf/detector by name, with changes, or those in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from poselab.experiments.config.names import config_names
from poselab.experiments.config.trust import trusted_modules
from poselab.experiments.detection.overrides import detector_overrides
from poselab.experiments.device import usable_device
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from omegaconf import DictConfig

    from poselab.annotations.formats.detections import Detections
    from poselab.datasets.base import Split

HELP = """A detector is one of
  {names}
with changes after commas, such as fasterrcnn,weights=FILE or jittered,iou=0.7,miss=0.1
(conf/detector/ holds all keys), or a file: .json a detections file, .onnx a YOLO network (needs
onnxruntime), .ckpt or a folder what `poselab detect train` made. Weights of torchvision's networks
come from its hub unless weights=FILE says otherwise. ultralytics is under the AGPL-3.0, no part of
PoseLab, and used only if you installed it and name it; its files can run code of their authors, so
that it needs the word trust=ultralytics."""


def detector_names() -> list[str]:
    """The detectors that PoseLab ships a config for."""
    return config_names("detector")


def help_text() -> str:
    """How to name a detector, for a command's help."""
    return HELP.format(names=" ".join(detector_names()))


def detect_people(
    detector: str,
    split: Split,
    device: str = "cpu",
    batch_size: int = 8,
    rules: Mapping[str, float] | None = None,
) -> Detections:
    """The boxes of people that a detector predicts in a split; a terminal shows a progress bar.

    ``detector`` is "NAME,KEY=VALUE,..." or a file, as on the command line. ``rules`` are values of
    :class:`poselab.detection.detect.BoxRules` that replace the detector's own.

    Raises:
        InputError: no such detector, or it cannot be made or be used on these images.
    """
    from poselab.detection import run_detector

    if batch_size < 1:
        raise InputError(f"expected a batch size of 1 or more, got {batch_size}; correct it")
    parts = _instantiated(detector, rules or {})
    try:
        box_rules = parts["rules"]()
        network = parts["make"](table=split.annotations, device=usable_device(device))
    except TypeError as error:
        raise InputError(
            f"expected values that fit the detector {detector}, but {error}; see its file in "
            "conf/detector"
        ) from error
    return run_detector(network, split, box_rules, batch_size, _progress_bar)


def _instantiated(detector: str, rules: Mapping[str, float]) -> Any:
    """The partials of a detector's network and of its rules."""
    from poselab.experiments import build
    from poselab.experiments.config.compose import compose

    changes = [f"detector.rules.{key}={value}" for key, value in rules.items()]
    overrides = detector_overrides(detector, detector_names())
    config = compose("detect", [*overrides, *changes])[0]
    _check_complete(config, detector)
    if "ultralytics" in config.detector.make["_target_"] and "ultralytics" not in trusted_modules():
        raise InputError(
            f"expected the word trust=ultralytics for the detector {detector}, because files of "
            "ultralytics can run their author's code; add it if you trust the file, or export the "
            "network to ONNX"
        )
    return build.instantiate_section(config, "detector")


def _check_complete(config: DictConfig, detector: str) -> None:
    from omegaconf import OmegaConf

    missing = [key for key in config.detector if OmegaConf.is_missing(config.detector, key)]
    if missing:
        raise InputError(
            f"expected {missing[0]}= for the detector {detector}, got none; write "
            f"{detector},{missing[0]}=FILE"
        )


def _progress_bar(starts: Sequence[int]) -> Iterable[int]:
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    hidden = not console.is_terminal
    return track(starts, "detecting people", transient=True, console=console, disable=hidden)
