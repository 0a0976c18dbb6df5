"""The plain vision transformer of ViTPose, on timm's; timm is imported when one is built."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from poselab.models.backbones.weights import (
    check_hub,
    check_timm_name,
    load_strictly,
    unreachable,
)
from poselab.models.feature_info import FeatureInfo
from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.structures import Size

    State = dict[str, Tensor]

_PATCH, _PADDING = 16, 2  # pixels


class PlainViT(nn.Module):
    """Patches of 16 pixels as tokens, no class token; the normalised last tokens as a feature map.

    The patch convolution has a padding of two pixels, as for the published weights. Weights of
    another size are resampled: position embeddings to the input, patch kernels to 16 pixels; a
    class token is dropped and its position added to all others, as in ViTPose.
    heads: the number of attention heads where it is not timm's (ViTPose-S has 12, not 6).
    pretrained: fetch timm's weights (MAE's for names that end in .mae); weights: read a file.

    Raises:
        InputError: a name that is no plain ViT of timm, an input size that 16 does not divide,
            weights that do not fit or cannot be fetched.
    Source: ViTPose, Xu et al. 2022, section 3.1, and the authors' code.
    """

    def __init__(
        self,
        *,
        input_size: Size,
        name: str = "vit_base_patch16_224.mae",
        pretrained: bool = False,
        weights: str | None = None,
        drop_path: float = 0.0,
        heads: int | None = None,
    ) -> None:
        super().__init__()
        check_timm_name(name)
        if any(side % _PATCH for side in input_size):
            raise InputError(
                f"expected framing.size in multiples of {_PATCH}, the patches of {name}, got "
                f"{tuple(input_size)} (height, width); choose another size"
            )
        self.net = _create(name, input_size, drop_path, heads)
        self.net.patch_embed.proj.padding = (_PADDING, _PADDING)
        self.feature_info = (FeatureInfo(self.net.embed_dim, _PATCH),)
        if weights is not None:
            load_strictly(self.net, Path(weights), what=name, convert=fitted)
        elif pretrained:
            self.net.load_state_dict(fitted(_fetched(name), self.net))

    def forward(self, images: Tensor) -> list[Tensor]:
        rows, columns = (side // _PATCH for side in images.shape[-2:])
        tokens = self.net.forward_features(images)
        return [tokens.mT.unflatten(-1, (rows, columns)).contiguous()]


def _create(name: str, size: Size, drop_path: float, heads: int | None) -> Any:
    import timm

    options: dict[str, Any] = {} if heads is None else {"num_heads": heads}
    try:
        return timm.create_model(
            name,
            img_size=tuple(size),
            patch_size=_PATCH,
            num_classes=0,
            class_token=False,
            global_pool="",
            drop_path_rate=drop_path,
            **options,
        )
    except (TypeError, RuntimeError, AssertionError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"expected backbone.name to be a plain vision transformer of timm, got {name!r}: "
            f"{reason}; take vit_base_patch16_224.mae or another size of it"
        ) from error


def _fetched(name: str) -> State:
    import timm

    check_hub(name)
    try:
        state: State = timm.create_model(name, pretrained=True, num_classes=0).state_dict()
    except OSError as error:
        raise unreachable(name, "the hub") from error
    return state


def fitted(state: State, net: Any) -> State:
    """The state of a plain ViT, with or without class token, fitted to ``net``, which has none."""
    from timm.layers.patch_embed import resample_patch_embed
    from timm.layers.pos_embed import resample_abs_pos_embed

    fit = {key: value for key, value in state.items() if key != "cls_token"}
    kernel, grid = fit["patch_embed.proj.weight"], net.patch_embed.grid_size
    if kernel.shape[-1] != _PATCH:
        fit["patch_embed.proj.weight"] = resample_patch_embed(kernel, [_PATCH, _PATCH])
    position = fit["pos_embed"]
    if position.shape[1] != grid[0] * grid[1]:
        tokens, side = position.shape[1], int(position.shape[1] ** 0.5)
        # Either this grid and a class token, or a square grid as of classification.
        old = grid if tokens - 1 == grid[0] * grid[1] else (side, side)
        first = tokens - old[0] * old[1]
        patches = resample_abs_pos_embed(position[:, first:], list(grid), list(old), 0)
        position = patches + position[:, :first].sum(1, keepdim=True)
    fit["pos_embed"] = position
    return fit
