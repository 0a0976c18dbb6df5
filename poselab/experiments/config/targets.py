"""What a config may build: each section only what it needs, so that it runs no code of its author.

A config comes from anybody, with a checkpoint or a run. Its ``_target_`` keys name what is called,
so that each section has a list of what it may name; the user's own modules are added by trust=.
"""

from __future__ import annotations

import inspect
from fnmatch import fnmatchcase
from functools import partial
from importlib import import_module
from typing import Any

from poselab.experiments.config.trust import trusted_modules
from poselab.io.json_text import shortened
from poselab.structures import InputError

_PIXELS = (
    *("AdditiveNoise", "Blur", "CLAHE", "ChannelDropout", "ChannelShuffle", "CoarseDropout"),
    *("ColorJitter", "Defocus", "Downscale", "Emboss", "Equalize", "FancyPCA", "GaussNoise"),
    *("GaussianBlur", "HueSaturationValue", "ISONoise", "Illumination", "ImageCompression"),
    *("InvertImg", "MedianBlur", "MotionBlur", "MultiplicativeNoise", "OneOf", "PlanckianJitter"),
    *("PlasmaBrightnessContrast", "PlasmaShadow", "Posterize", "RGBShift", "RandomFog"),
    *("RandomBrightnessContrast", "RandomGamma", "RandomRain", "RandomShadow", "RandomSnow"),
    *("RandomSunFlare", "RandomToneCurve", "Sharpen", "ShotNoise", "Solarize", "SomeOf", "ToGray"),
    *("ToSepia", "UnsharpMask", "ZoomBlur"),
)
"""Transforms of albumentations that read no file and call no function that they are given."""

ALLOWED = {
    "data": ("poselab.data.PoseData", "poselab.datasets.*.files", "poselab.synthetic.generated"),
    "framing": ("poselab.data.*",),
    "augment": ("poselab.data.*", *(f"albumentations.{name}" for name in _PIXELS)),
    "backbone": ("poselab.models.backbones.*", "poselab.methods.*"),
    "method": (
        *("poselab.codecs.*", "poselab.losses.*", "poselab.grouping.*", "poselab.methods.*"),
        *("poselab.models.heads.*", "poselab.models.necks.*"),
        "poselab.models.backbones.renormalise.Renormalise",
    ),
    "module": ("poselab.modules.*", "poselab.methods.*"),
    "postprocess": ("poselab.modules.*", "poselab.methods.*"),
    "optimizer": (
        *(f"torch.optim.{name}" for name in ("Adam", "AdamW", "NAdam", "RAdam", "RMSprop", "SGD")),
        "poselab.training.layer_decay.layer_decay",
    ),
    "schedule": tuple(
        f"poselab.training.schedules.{name}" for name in ("constant", "cosine", "multi_step")
    ),
    "trainer": ("pytorch_lightning.Trainer",),
    "logger": tuple(
        f"pytorch_lightning.loggers.{name}"
        for name in ("CSVLogger", "TensorBoardLogger", "WandbLogger")
    ),
    "evaluator": ("poselab.evaluation.metrics.*",),
    "detector": (
        "poselab.detection.BoxFilter",
        *(f"poselab.detection.given_boxes.{name}" for name in ("from_file", "ground_truth")),
        "poselab.detection.given_boxes.jittered",
        "poselab.detection.*_detector.from_*",
    ),
}
"""By section of a config: names, or ``PACKAGE.*`` for the classes that a package defines."""

_UNKNOWN = ("_args_", "_recursive_")
"""Keys of Hydra's that no config here has."""


def instantiate(node: Any, key: str) -> Any:
    """The object that plain values describe: mappings with ``_target_`` are calls, inside out.

    ``key`` is where they lie in the config, and begins with the name of its section. Other keys
    than ``_target_`` and ``_partial_`` are keyword arguments.

    Raises:
        InputError: a target that the section may not name.
    """
    if isinstance(node, list):
        return [instantiate(value, f"{key}.{n}") for n, value in enumerate(node)]
    if not isinstance(node, dict):
        return node
    special = ("_target_", "_partial_", "_convert_")
    values = {
        name: instantiate(value, f"{key}.{name}")
        for name, value in node.items()
        if name not in special
    }
    if "_target_" not in node:
        return values
    target = find_target(node["_target_"], key)
    if unknown := [name for name in values if name in _UNKNOWN or not isinstance(name, str)]:
        raise InputError(
            f"expected names of arguments in `{key}`, got {shortened(unknown[0])}; remove it"
        )
    return partial(target, **values) if node.get("_partial_") is True else target(**values)


def find_target(name: Any, key: str) -> Any:
    """The class or function that ``_target_`` of the config's ``key`` names.

    Raises:
        InputError: it is not one that this section may name, or there is none of that name.
    """
    if not isinstance(name, str):
        raise InputError(
            f"expected {key}._target_ as MODULE.NAME, got {shortened(name)}; correct it"
        )
    module, _, last = name.rpartition(".")
    if not _is_allowed(name, key):
        raise _refusal(name, key, module)
    try:
        found = getattr(import_module(module), last)
    except Exception as error:  # a module that is imported may raise any error
        reason = " ".join(str(error).split())[:150]
        raise InputError(
            f"expected {key}._target_ to be there, got {shortened(name)}, but {reason}; correct it"
        ) from error
    defined = f"{getattr(found, '__module__', '')}.{getattr(found, '__qualname__', '')}"
    same_package = defined.partition(".")[0] == name.partition(".")[0]
    if not (
        (inspect.isclass(found) or inspect.isfunction(found))
        and (_is_allowed(defined, key, found) or (name in _allowed(key) and same_package))
    ):
        raise _refusal(name, key, module)
    return found


def _is_allowed(name: str, key: str, found: Any = None) -> bool:
    """Whether a section may name this; of a package, it may name classes only."""
    module = name.rpartition(".")[0]
    if not module or any(part[:1] in ("_", "") for part in name.split(".")[1:]):
        return False
    if any(module == own or module.startswith(f"{own}.") for own in trusted_modules()):
        return True
    patterns = [p for p in _allowed(key) if fnmatchcase(name, p)]
    return any(not p.endswith(".*") or found is None or inspect.isclass(found) for p in patterns)


def _allowed(key: str) -> tuple[str, ...]:
    return ALLOWED[key.partition(".")[0]]


def _refusal(name: str, key: str, module: str) -> InputError:
    section = key.partition(".")[0]
    return InputError(
        f"expected {key}._target_ to be a class that PoseLab has for `{section}`, got "
        f"{shortened(name)}, whose code this would run; if it is your own, add "
        f"trust={module if module.replace('.', '').isidentifier() else 'MODULE'}"
    )
