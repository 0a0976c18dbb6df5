"""Parameters and multiply-adds of a network, counted the same way for every method."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

if TYPE_CHECKING:
    from poselab.structures import Size


class NetworkCost(NamedTuple):
    """parameters: trained or not; gmacs: 10⁹ multiply-adds for one image."""

    parameters: int
    gmacs: float


def network_cost(net: nn.Module, input_size: Size) -> NetworkCost:
    """The cost of one image (3, H, W), counted from shapes alone; ``net`` is not changed.

    Each multiply-add of a convolution or matrix product (attention too) counts one, all else zero.
    Papers print this as "GFLOPs" (Li et al. 2021: 4.0 for direct regression on ResNet-50), but
    SimpleBaseline's and HRNet's tables divide by 2^30 and count transposed convolutions of stride
    two four times: their 8.9 for SimpleBaseline on ResNet-50 is 5.4 here.
    """
    shadow = _on_meta(net).eval()
    images = torch.empty(1, 3, *input_size, device="meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        shadow(images)
    # torch counts a multiply-add as two operations.
    parameters = sum(parameter.numel() for parameter in net.parameters())
    return NetworkCost(parameters=parameters, gmacs=counter.get_total_flops() / 2e9)


def _on_meta(net: nn.Module) -> nn.Module:
    """A copy of a network on the meta device, which has shapes and no values."""
    # The memo stands in for every tensor, so that no value of a large network is copied.
    memo: dict[int, object] = {
        id(p): nn.Parameter(torch.empty_like(p, device="meta")) for p in net.parameters()
    }
    memo |= {id(b): torch.empty_like(b, device="meta") for b in net.buffers()}
    return copy.deepcopy(net, memo)
