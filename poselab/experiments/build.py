"""From conf to objects: the only file that knows both.

Every width is derived here: input channels from the backbone, keypoints from the skeleton, heatmap
sizes from input size and stride.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from omegaconf import OmegaConf

from poselab.annotations.check import check_some_images
from poselab.experiments.config.stored import stored_config, stored_skeleton
from poselab.experiments.config.targets import instantiate
from poselab.io.checkpoints import AtomicCheckpointIO, read_checkpoint
from poselab.models.pose_net import PoseNet
from poselab.structures import InputError, Skeleton

if TYPE_CHECKING:
    from pathlib import Path

    import pytorch_lightning as pl
    from omegaconf import DictConfig
    from torch import nn

    from poselab.codecs.base import Codec
    from poselab.data import PoseData
    from poselab.data.framing import Framing
    from poselab.evaluation.evaluator import Evaluator
    from poselab.modules import PoseModule
    from poselab.structures import Size

CHECKPOINT_KEY = "poselab"
"""Where a checkpoint keeps the resolved config and the skeleton it was trained with."""

_OF_SEVERAL = ("method", "logger", "detector")
"""Sections that describe several objects, each under a key of its own."""


def instantiate_section(config: DictConfig, key: str) -> Any:
    """The object that one section of the config describes.

    Raises:
        InputError: the section does not fit what it names, or names what it may not.
    """
    try:
        node = config[key]
        if OmegaConf.is_config(node):
            node = OmegaConf.to_container(node, resolve=True, throw_on_missing=True)
        if isinstance(node, dict) and "_target_" not in node and key not in _OF_SEVERAL:
            raise InputError(f"expected a class as `{key}._target_`, got none; see its config")
        return instantiate(node, key)
    except (InputError, MemoryError):
        raise
    except Exception as error:  # whatever a constructor raises for values that do not fit
        raise _section_error(key, error) from error


def _section_error(key: str, error: BaseException) -> InputError:
    return InputError(
        f"expected `{key}` to be complete and valid, but {_reason(error)}; see its config"
    )


def _reason(error: BaseException) -> str:
    """The first line of an error's message, or what the error is."""
    named = f"{type(error).__name__}: {error}" if isinstance(error, LookupError) else str(error)
    return (named.splitlines() or [type(error).__name__])[0][:300]


def data(config: DictConfig) -> PoseData:
    """The datamodule, with the framing and the augmentation that the config names.

    Raises:
        InputError: the dataset, or an image among some of each split, is missing or broken.
    """
    module: PoseData = instantiate_section(config, "data")
    for split in (module.train, module.val):
        check_some_images(split.annotations, split.images)
    module.set_transforms(framing(config), instantiate_section(config, "augment"), config.seed)
    return module


def framing(config: DictConfig) -> Framing:
    """How an image becomes network inputs: a crop of each person, or the whole image."""
    made: Framing = instantiate_section(config, "framing")
    return made


def module(config: DictConfig, skeleton: Skeleton) -> PoseModule:
    """The Lightning module: network, codec, loss and post-processing wired together.

    Raises:
        InputError: the parts do not fit together.
    """
    framed = framing(config)
    try:
        size = (int(framed.size[0]), int(framed.size[1]))
        parts = _method_parts(config, skeleton, size)
        built: PoseModule = instantiate_section(config, "module")(
            **parts._asdict(),
            postprocess=instantiate_section(config, "postprocess"),
            optimizer=_optimizer(config),
            schedule=_schedule(config),
            flip_test=config.flip_test,
        )
        _check_framing(framed, built)
    except (InputError, MemoryError):
        raise
    except Exception as error:  # whatever a part raises for values that do not fit
        raise InputError(
            f"expected parts that fit together, but {_reason(error)}; choose another method= or "
            "module="
        ) from error
    return built


class _MethodParts(NamedTuple):
    net: nn.Module
    codec: Codec[Any, Any]
    loss: nn.Module


def _method_parts(config: DictConfig, skeleton: Skeleton, size: Size) -> _MethodParts:
    """Network, codec and loss; ``net`` of a method is put around backbone, neck and head."""
    method = instantiate_section(config, "method")
    backbone = instantiate_section(config, "backbone")(input_size=size)
    neck = method["neck"](feature_info=backbone.feature_info)
    stride = neck.feature_info[-1].reduction
    _check_size(size, backbone.feature_info[-1].reduction, stride)
    codec = method["codec"](skeleton=skeleton, input_size=size, stride=stride)
    head = method["head"](
        feature_info=neck.feature_info, channels=codec.channels, **codec.head_sizes
    )
    net: nn.Module = PoseNet(
        backbone=backbone,
        neck=neck,
        head=head,
        frozen_statistics=method.get("frozen_statistics", False),
        renormalise=method.get("renormalise"),
    )
    if "net" in method:
        net = method["net"](net=net, keypoints=len(skeleton), input_size=size)
    return _MethodParts(net, codec, method["loss"]())


def _optimizer(config: DictConfig) -> Any:
    """The optimiser's partial, tried on a dummy parameter to find errors early."""
    made = instantiate_section(config, "optimizer")
    try:
        made([("any", torch.zeros(1, requires_grad=True))])
    except (ValueError, TypeError) as error:
        raise _section_error("optimizer", error) from error
    return made


def _schedule(config: DictConfig) -> Any:
    """The schedule, tried on a run of one step to find errors early."""
    made = instantiate_section(config, "schedule")
    made(1, 1)
    return made


def _check_size(size: Size, coarsest: int, stride: int) -> None:
    """Features that are upsampled fit the input only where the coarsest stride divides it."""
    if stride < coarsest and any(length % coarsest for length in size):
        raise InputError(
            f"expected framing.size in multiples of {coarsest}, the backbone's coarsest stride, "
            f"got {size}; choose another size or a shallower backbone"
        )


def _check_framing(framed: Framing, built: PoseModule) -> None:
    """A method for one person cannot learn from whole images, nor the reverse."""
    if (framed.max_instances > 1) != built.multi_person:
        raise InputError(
            f"expected framing of {'whole images' if built.multi_person else 'one person'} "
            f"for {type(built).__name__}, got {type(framed).__name__}; choose another framing= or "
            "module="
        )


def evaluator(config: DictConfig) -> Evaluator:
    """The evaluator that scores predictions."""
    scorer: Evaluator = instantiate_section(config, "evaluator")
    return scorer


def trainer(config: DictConfig, folder: Path | None, callbacks: list[pl.Callback]) -> pl.Trainer:
    """Lightning's trainer, its loggers writing into ``folder`` (None: nothing is logged).

    Raises:
        InputError: a setting that Lightning rejects, or a precision that rounds coordinates.
    """
    from lightning_fabric.utilities.exceptions import MisconfigurationException

    if str(config.trainer.get("precision")) in ("16-true", "bf16-true"):
        raise InputError(
            f"expected trainer.precision 32-true, 16-mixed or bf16-mixed, got "
            f"{config.trainer.precision}, which would round coordinates; choose one of these"
        )
    loggers = _loggers(config) if folder else ()
    make_trainer = instantiate_section(config, "trainer")
    try:
        made: pl.Trainer = make_trainer(
            logger=[make(save_dir=str(folder)) for make in loggers],
            callbacks=callbacks,
            plugins=[AtomicCheckpointIO()],
            default_root_dir=folder,
            enable_checkpointing=folder is not None,
            use_distributed_sampler=False,
        )
    except (ValueError, TypeError, ImportError, MisconfigurationException) as error:
        asked = config.trainer.get("accelerator")
        if asked in ("gpu", "cuda") and not torch.cuda.is_available():
            raise InputError(
                f"expected a GPU (trainer.accelerator={asked}), found none that torch can use; "
                "trainer.accelerator=cpu trainer.precision=32-true trains without"
            ) from error
        raise _section_error("trainer", error) from error
    return made


def _loggers(config: DictConfig) -> list[Any]:
    """The partials of the loggers, none of which writes outside of the run's folder.

    Raises:
        InputError: a value is a mapping, or a path that leaves the folder.
    """
    for name, settings in (config.logger or {}).items():
        for key, value in settings.items():
            for part in value if OmegaConf.is_list(value) else [value]:
                path = PurePosixPath(str(part).replace("\\", "/"))
                if OmegaConf.is_config(part) or path.is_absolute() or ".." in path.parts:
                    raise InputError(
                        f"expected logger.{name}.{key} to be a name inside the run's folder, got "
                        f"{str(value)[:100]}; choose another"
                    )
    return list(instantiate_section(config, "logger").values())


def checkpoint_record(config: DictConfig, skeleton: Skeleton) -> dict[str, Any]:
    """Config and skeleton as plain values, which a checkpoint keeps under ``CHECKPOINT_KEY``."""
    return {"config": OmegaConf.to_container(config, resolve=True), "skeleton": asdict(skeleton)}


def load(checkpoint: Path) -> tuple[PoseModule, DictConfig, Skeleton]:
    """A trained module with its config and skeleton.

    Raises:
        InputError: no such file, not a checkpoint of PoseLab, or weights of another method.
    """
    content = read_checkpoint(checkpoint, CHECKPOINT_KEY)
    record = content[CHECKPOINT_KEY]
    config = stored_config(record.get("config"), checkpoint)
    skeleton = stored_skeleton(record.get("skeleton"), checkpoint)
    leave_out_pretrained(config)  # the checkpoint has all weights
    built = module(config, skeleton)
    restore(built, content["state_dict"], checkpoint)
    return built.eval(), config, skeleton


def leave_out_pretrained(config: DictConfig) -> None:
    """Let no part of the network fetch or read pretrained weights, since others replace them."""
    pending: list[Any] = [config.backbone, config.method]
    while pending:
        node = pending.pop()
        if OmegaConf.is_dict(node):
            for key, off in (("weights", None), ("pretrained", False)):
                if isinstance(node.get(key), str | bool):
                    node[key] = off
        if OmegaConf.is_config(node):
            # Not +=, which would make the list an OmegaConf one.
            pending.extend(node.values() if OmegaConf.is_dict(node) else node)


def restore(built: PoseModule, weights: dict[str, Any], source: Path) -> None:
    """Load weights strictly.

    Raises:
        InputError: they are those of another network.
    """
    try:
        built.load_state_dict(weights)
    except RuntimeError as error:
        differing = len(str(error).splitlines()) - 1
        raise InputError(
            f"expected the weights of {type(built).__name__} as configured in {source}, got those "
            f"of another method ({differing} disagreements); choose the run that made them"
        ) from error
