"""Backbones of timm; timm is imported when one is built, since that takes seconds."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from poselab.models.backbones.weights import (
    check_hub,
    check_timm_name,
    load_strictly,
    unreachable,
)
from poselab.models.feature_info import FeatureInfo
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from poselab.structures import Size


class TimmBackbone(nn.Module):
    """A timm network without its classifier: ResNet, MobileNet, HRNet, ViT and most others.

    reductions: of the features to return (None: all from 4 on, the only one of a ViT); layers that
    none of them needs are removed, so that all parameters are trained. HRNets return their raw
    branches (Sun et al. 2019), ViTs the normalised last tokens as a feature map (Xu et al. 2022).
    pretrained: fetch timm's default weights; weights: read them from a file instead. input: a layer
    before all others (:class:`~poselab.models.backbones.renormalise.Renormalise`).

    Raises:
        InputError: a name, reduction, drop_path or input size that timm cannot build, weights that
            do not fit or cannot be fetched.
    """

    def __init__(
        self,
        *,
        input_size: Size,
        name: str = "resnet50",
        pretrained: bool = False,
        weights: str | None = None,
        drop_path: float = 0.0,
        reductions: Sequence[int] | None = None,
        input: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.input = input or nn.Identity()
        check_timm_name(name)
        if pretrained and weights is None:
            check_hub(name)
        self.is_hrnet = _family(name) == "hrnet"
        self.net = _create(name, input_size, pretrained and weights is None, drop_path)
        levels = _levels(name, self.net, reductions)
        info = self.net.feature_info
        self.feature_info = tuple(
            FeatureInfo(info[i]["num_chs"], info[i]["reduction"]) for i in levels
        )
        _check_fit(name, input_size, self.feature_info)
        self.with_norm = levels[-1] == len(info) - 1
        # HRNet's branches end together: no layers follow the last one, and timm counts the stem.
        self.levels = [level - 1 for level in levels] if self.is_hrnet else levels
        if not self.is_hrnet:
            prune_norm = not self.with_norm
            self.net.prune_intermediate_layers(levels, prune_norm=prune_norm, prune_head=True)
        if weights is not None:
            # timm's function that converts older checkpoints and position embeddings.
            convert = getattr(inspect.getmodule(type(self.net)), "checkpoint_filter_fn", None)
            load_strictly(self.net, Path(weights), what=name, convert=convert)
        if self.is_hrnet:
            # Only now, because weights have the fusions into branches that are not returned.
            last = self.net.stage4[-1]
            last.fuse_layers = nn.ModuleList(last.fuse_layers[branch] for branch in self.levels)

    def forward(self, images: Tensor) -> list[Tensor]:
        images = self.input(images)
        net = self.net
        features: list[Tensor]
        if self.is_hrnet:
            # timm's own features of HRNet pass the layers of its classifier, which are not wanted.
            x = net.act1(net.bn1(net.conv1(images)))
            features = net.stages(net.act2(net.bn2(net.conv2(x))))
        else:
            features = net.forward_intermediates(
                images, indices=self.levels, norm=self.with_norm, intermediates_only=True
            )
        return features


def _family(name: str) -> str:
    """The file of timm that defines a network: resnet, vision_transformer, ..."""
    from timm.models import model_entrypoint

    return str(model_entrypoint(name.split(".")[0]).__module__).rpartition(".")[2]


def _create(name: str, input_size: Size, pretrained: bool, drop_path: float) -> Any:
    """A network of timm, built for one input size where timm requires that."""
    import timm

    options: dict[str, Any] = {"head": ""} if _family(name) == "hrnet" else {}
    if drop_path:
        options["drop_path_rate"] = drop_path
    try:
        if getattr(timm.get_pretrained_cfg(name), "fixed_input_size", False):
            options["img_size"] = tuple(input_size)
        return timm.create_model(name, pretrained=pretrained, num_classes=0, **options)
    except OSError as error:
        raise unreachable(name, "the hub") from error
    except (TypeError, RuntimeError, AssertionError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"expected timm to build {name} with input_size={tuple(input_size)} and "
            f"drop_path={drop_path}, but {reason}; change backbone or input size"
        ) from error


def _levels(name: str, net: Any, reductions: Sequence[int] | None) -> list[int]:
    """Indices into ``net.feature_info``: the last one of each wanted reduction."""
    if not hasattr(net, "forward_intermediates"):
        raise InputError(
            f"expected a backbone that gives feature maps, timm's {name} does not; choose another"
        )
    offered = {entry["reduction"]: level for level, entry in enumerate(net.feature_info)}
    wanted = [r for r in offered if r >= 4] if reductions is None else list(reductions)
    if not wanted or wanted != sorted(set(wanted) & set(offered)):
        raise InputError(
            f"expected backbone.reductions of {name} to be rising and out of {sorted(offered)}, "
            f"got {wanted}"
        )
    return [offered[reduction] for reduction in wanted]


def _check_fit(name: str, input_size: Size, feature_info: tuple[FeatureInfo, ...]) -> None:
    largest = max(feature.reduction for feature in feature_info)
    if any(side % largest for side in input_size):
        raise InputError(
            f"expected an input size divisible by {largest}, the reduction of {name}, "
            f"got {tuple(input_size)} (height, width)"
        )
