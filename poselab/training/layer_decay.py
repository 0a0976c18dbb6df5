"""Smaller learning rates for the lower layers of a pretrained transformer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torch import Tensor
    from torch.optim import Optimizer

_BLOCK = re.compile(r"\bblocks\.(\d+)\.")
_EMBEDDING = re.compile(r"\b(patch_embed|pos_embed|cls_token|reg_token)\b")


def layer_decay(
    parameters: Iterable[tuple[str, Tensor]],
    optimizer: Callable[..., Optimizer],
    rate: float = 0.75,
) -> Optimizer:
    """An optimiser whose learning rate is multiplied by ``rate`` per layer from the head down.

    Of L blocks, block i (from 0) learns at lr · rate^(L - i), patch and position embedding at
    lr · rate^(L + 1), everything after the blocks at lr. Vectors (biases, norms) and position
    embeddings have no weight decay. ``parameters`` are (name, value), ``optimizer`` is a partial of
    one of torch's.

    Raises:
        InputError: a rate outside (0, 1].

    Source: ViTPose, Xu et al. 2022, section 4.1, after BEiT (Bao et al. 2022), appendix.
    """
    if not 0 < rate <= 1:
        raise InputError(f"expected optimizer.rate above 0 and at most 1, got {rate}")
    named = [(name, value) for name, value in parameters if value.requires_grad]
    made = optimizer(layer_groups(named, rate))
    for group in made.param_groups:
        group["lr"] *= group.pop("factor")
    return made


def layer_groups(named: list[tuple[str, Tensor]], rate: float) -> list[dict[str, Any]]:
    """Parameter groups by layer, each with the ``factor`` of its learning rate."""
    top = 1 + max((_layer(name, 0) for name, _ in named), default=0)
    groups: dict[tuple[int, bool], dict[str, Any]] = {}
    for name, value in named:
        layer, undecayed = _layer(name, top), value.ndim <= 1 or "pos_embed" in name
        new: dict[str, Any] = {"params": [], "factor": rate ** (top - layer)}
        group = groups.setdefault(
            (layer, undecayed), new | ({"weight_decay": 0.0} if undecayed else {})
        )
        group["params"].append((name, value))
    return list(groups.values())


def _layer(name: str, default: int) -> int:
    """0 for embeddings, 1 + i for block i, ``default`` for everything else."""
    if _EMBEDDING.search(name):
        return 0
    block = _BLOCK.search(name)
    return 1 + int(block[1]) if block else default
