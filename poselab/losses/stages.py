"""Supervision of every stage of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from poselab.outputs import stages
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class EveryStage(nn.Module):
    """The sum of a loss over the stages of an output, all with the same target.

    ``loss`` makes the loss of every stage and ``last`` another one for the last stage, such as
    hard keypoint mining (CPN, Chen et al. 2018, section 3.3). ``weights`` has one factor per stage
    (None: 1 each); a stage of weight 0 is left out.
    Source: intermediate supervision, Wei et al. 2016, equation 3; Newell et al. 2016, section 3.3.

    Raises:
        InputError: a negative weight; when called, another number of stages than of weights.
    """

    def __init__(
        self,
        loss: Callable[[], nn.Module],
        last: Callable[[], nn.Module] | None = None,
        weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        if weights is not None and min(weights, default=-1.0) < 0:
            raise InputError(f"expected stage weights of 0 or more, got {list(weights)}")
        self.loss = loss()
        self.last = self.loss if last is None else last()
        self.weights = None if weights is None else tuple(weights)

    def forward(self, output: Any, target: Any) -> dict[str, Tensor]:
        """{"NAME_1": scalar, "NAME_2": ...}: the parts of the loss by stage, from 1."""
        outputs = stages(output)
        weights = (1.0,) * len(outputs) if self.weights is None else self.weights
        if len(weights) != len(outputs):
            raise InputError(
                f"expected as many loss.weights as stages, {len(outputs)}, got {len(weights)}; "
                "give one per stage"
            )
        losses = [self.loss] * (len(outputs) - 1) + [self.last]
        return {
            f"{name}_{stage}": weight * part
            for stage, weight in enumerate(weights, start=1)
            if weight
            for name, part in losses[stage - 1](outputs[stage - 1], target).items()
        }
