"""From conf to objects: the only file that knows both.

Every width is derived here: input channels from the backbone, keypoints from the skeleton, map
sizes from input size and stride.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import OmegaConf

from poselab.io.checkpoints import WholeCheckpoints, read_checkpoint
from poselab.models.pose_net import PoseNet
from poselab.structures import InputError, Skeleton

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from omegaconf import DictConfig

    from poselab.data import PoseData
    from poselab.data.framing import Framing
    from poselab.evaluation.evaluator import Evaluator
    from poselab.modules import PoseModule

CHECKPOINT_KEY = "poselab"
"""Where a checkpoint keeps the resolved config and the skeleton it was trained with."""


def node(config: DictConfig, key: str) -> Any:
    """The object that one node of the config describes.

    Raises:
        InputError: the node does not fit what it names.
    """
    try:
        return instantiate(config[key])
    except InstantiationException as error:
        if isinstance(error.__cause__, InputError):
            raise error.__cause__ from None
        raise _unfit(key, error.__cause__ or error) from error


def _unfit(key: str, error: BaseException) -> InputError:
    reason = " ".join(str(error).split("\n", 1)[0].split())
    return InputError(f"expected `{key}` to be complete and right, but {reason}; see its config")


def data(config: DictConfig) -> PoseData:
    """The datamodule, showing what framing and augmentation say.

    Raises:
        InputError: the dataset is missing or broken.
    """
    module: PoseData = node(config, "data")
    module.show(framing(config), node(config, "augment"), config.seed)
    return module


def framing(config: DictConfig) -> Framing:
    """What one network input shows."""
    shown: Framing = node(config, "framing")
    return shown


def module(config: DictConfig, skeleton: Skeleton) -> PoseModule:
    """The Lightning module: network, codec and loss wired together.

    Raises:
        InputError: the parts do not fit together.
    """
    shown = framing(config)
    size = (int(shown.size[0]), int(shown.size[1]))
    parts = node(config, "method")
    try:
        backbone = node(config, "backbone")(input_size=size)
        neck = parts["neck"](features=backbone.features)
        _refuse_uneven(size, backbone.features[-1].reduction, neck.features[-1].reduction)
        codec = parts["codec"](
            skeleton=skeleton, input_size=size, stride=neck.features[-1].reduction
        )
        sizes = getattr(codec, "head_sizes", {})
        head = parts["head"](features=neck.features, channels=codec.channels, **sizes)
        estimator = parts["estimator"](
            net=PoseNet(backbone=backbone, neck=neck, head=head),
            codec=codec,
            loss=parts["loss"](),
            optimizer=_optimizer(config),
            schedule=_schedule(config),
            flip_test=config.flip_test,
        )
        built: PoseModule = node(config, "module")(estimator=estimator)
    except InputError:
        raise
    except (ValueError, TypeError) as error:
        raise InputError(f"expected parts that fit together, but {error}") from error
    _refuse_mismatch(shown, built)
    _refuse_untrained(estimator, built)
    return built


def _optimizer(config: DictConfig) -> Any:
    """The optimiser's partial, tried on a parameter nobody needs."""
    made = node(config, "optimizer")
    try:
        made([("any", torch.zeros(1, requires_grad=True))])
    except (ValueError, TypeError) as error:
        raise _unfit("optimizer", error) from error
    return made


def _schedule(config: DictConfig) -> Any:
    """The schedule, tried on a run of one step."""
    made = node(config, "schedule")
    made(1, 1)
    return made


def _refuse_uneven(size: tuple[int, int], coarsest: int, used: int) -> None:
    """Maps that are made finer again fit the input only where the coarsest stride divides it."""
    if used < coarsest and any(length % coarsest for length in size):
        raise InputError(
            f"expected framing.size in multiples of {coarsest}, the backbone's coarsest stride, "
            f"got {size}; choose another size or a shallower backbone"
        )


def _refuse_mismatch(shown: Framing, built: PoseModule) -> None:
    """A method for one person on whole images, or the reverse, would train to nonsense."""
    one = shown.max_instances == 1
    if one != (built.instances == "one"):
        raise InputError(
            f"expected framing of {'one person' if built.instances == 'one' else 'whole images'} "
            f"for {type(built).__name__}, got {type(shown).__name__}; choose another framing= or "
            "module="
        )


def _refuse_untrained(estimator: PoseModule, built: PoseModule) -> None:
    """A method with a training step of its own would silently be trained by another."""
    wanted = getattr(estimator, "trained_by", None)
    if wanted is not None and not isinstance(built, wanted):
        fitting = ", ".join(
            f"{kind.__module__}.{kind.__name__}" for kind in wanted.__subclasses__()
        )
        raise InputError(
            f"expected module._target_ to train as {type(estimator).__name__} does ({fitting}), "
            f"got {type(built).__name__}; choose one of these"
        )


def unchanged(estimator: PoseModule) -> PoseModule:
    """The module variant that is the method itself, with nothing around it."""
    return estimator


def evaluator(config: DictConfig) -> Evaluator:
    """What scores predictions."""
    scorer: Evaluator = node(config, "evaluator")
    return scorer


def trainer(config: DictConfig, folder: Path | None, callbacks: list[pl.Callback]) -> pl.Trainer:
    """Lightning's trainer, its loggers writing into ``folder`` (None: nothing is logged).

    Raises:
        InputError: Lightning refuses what the config says.
    """
    from lightning_fabric.utilities.exceptions import MisconfigurationException

    if str(config.trainer.get("precision")) in ("16-true", "bf16-true"):
        raise InputError(
            f"expected trainer.precision 32-true, 16-mixed or bf16-mixed, got "
            f"{config.trainer.precision}, which would round coordinates; choose one of these"
        )
    loggers = node(config, "logger").values() if folder else ()
    make_trainer = node(config, "trainer")
    try:
        made: pl.Trainer = make_trainer(
            logger=[make(save_dir=str(folder)) for make in loggers],
            callbacks=callbacks,
            plugins=[WholeCheckpoints()],
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
        raise _unfit("trainer", error) from error
    return made


def described(config: DictConfig, skeleton: Skeleton) -> dict[str, Any]:
    """What a checkpoint remembers of its making: plain values only."""
    return {"config": OmegaConf.to_container(config, resolve=True), "skeleton": asdict(skeleton)}


def load(checkpoint: Path) -> tuple[PoseModule, DictConfig, Skeleton]:
    """A trained module with its config and skeleton.

    Raises:
        InputError: no such file, not one of PoseLab's, or of another method than it says.
    """
    content = read_checkpoint(checkpoint, CHECKPOINT_KEY)
    made = content[CHECKPOINT_KEY]
    config = OmegaConf.create(made["config"])
    # The weights follow; a hub or a file of pretrained ones is not needed any more.
    for key in ("pretrained", "weights"):
        if config.backbone.get(key):
            config.backbone[key] = None if key == "weights" else False
    skeleton = _skeleton(made["skeleton"])
    built = module(config, skeleton)
    restore(built, content["state_dict"], checkpoint)
    return built.eval(), config, skeleton


def restore(built: PoseModule, weights: dict[str, Any], source: Path) -> None:
    """Load weights strictly.

    Raises:
        InputError: they belong to another network.
    """
    try:
        built.load_state_dict(weights)
    except RuntimeError as error:
        differing = len(str(error).splitlines()) - 1
        raise InputError(
            f"expected the weights of {type(built).__name__} as configured in {source}, got those "
            f"of another method ({differing} disagreements); choose the run that made them"
        ) from error


def _skeleton(values: dict[str, Any]) -> Skeleton:
    sigmas = values["sigmas"]
    return Skeleton(
        name=values["name"],
        keypoints=tuple(values["keypoints"]),
        limbs=tuple((a, b) for a, b in values["limbs"]),
        sigmas=None if sigmas is None else tuple(sigmas),
    )
