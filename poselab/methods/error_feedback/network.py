"""Iterative error feedback: a network sees its current pose estimate and corrects it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import torch
from torch import Tensor, nn

from poselab.heatmaps import gaussians
from poselab.outputs import Stages
from poselab.structures import InputError, Size

if TYPE_CHECKING:
    from poselab.outputs import CoordinateTarget


@dataclass(frozen=True)
class Feedback:
    """The settings of the corrections.

    steps: the number of corrections; bound: the greatest length of one, input pixels; sigma: of
    the Gaussians that represent the estimate, input pixels; path: the estimates that training
    corrects, those of a network without errors ("target", fixed path consolidation) or the
    network's own ("predicted"); epochs: after how many epochs each further step is added, 0 to
    train all steps from the start.
    Source: Carreira et al. 2016; four steps, 20 pixels and three epochs are theirs. The paper gives
    no sigma; the default of their layer, exp(-0.001·d²) on 224×224 pixels, has 22.4
    (pulkitag/ief, src/layers/python_ief.py).

    Raises:
        InputError: an unknown path, or a number out of range.
    """

    steps: int = 4
    bound: float = 20.0
    sigma: float = 22.4
    path: Literal["target", "predicted"] = "target"
    epochs: int = 3

    def __post_init__(self) -> None:
        if self.path not in ("target", "predicted"):
            raise InputError(f"expected a feedback path target or predicted, got {self.path!r}")
        if self.steps < 1 or self.epochs < 0 or not (self.bound > 0 and self.sigma > 0):
            raise InputError(
                "expected feedback of 1 step or more, a bound and sigma above 0 and epochs of 0 or "
                f"more, got {self}"
            )

    def steps_at(self, epoch: int) -> int:
        """How many steps are trained at an epoch, counted from 0."""
        return self.steps if self.epochs == 0 else min(self.steps, 1 + epoch // self.epochs)


class Correction(NamedTuple):
    """xy and confidence as in Coordinates, and the estimate that they correct.

    start (B, K, 2) that estimate; reach (B, K, 2) the bound in units of xy along each axis.
    """

    xy: Tensor
    confidence: Tensor
    start: Tensor
    reach: Tensor


class FeedbackNet(nn.Module):
    """A network for images, turned into one that corrects K keypoints step by step.

    Its first convolution also takes a Gaussian heatmap per keypoint, and its coordinates are
    corrections in units of the bound. The first estimate is the mean training pose, or the centre
    of the input before training. Evaluation makes as many steps as the last training epoch, or
    all steps before training.
    """

    def __init__(
        self, net: nn.Module, keypoints: int, input_size: Size, feedback: Feedback
    ) -> None:
        super().__init__()
        self.net, self.size, self.feedback = net, input_size, feedback
        widen_first(net, keypoints)
        self.start: Tensor
        self.register_buffer("start", torch.zeros(keypoints, 2))
        self.seen: Tensor
        self.register_buffer("seen", torch.zeros(keypoints))
        self.trained = feedback.steps

    def forward(self, images: Tensor) -> Stages[Correction]:
        """A :class:`Correction` per step, each starting from the result of the previous one."""
        return self._corrections(images, None)

    def guided(self, images: Tensor, target: CoordinateTarget, epoch: int) -> Stages[Correction]:
        """A :class:`Correction` for each step of the epoch, along the path of ``feedback``.

        In the first epoch the poses also update the mean pose that estimates start from.
        """
        if epoch == 0:
            self.remember(target)
        self.trained = self.feedback.steps_at(epoch)
        return self._corrections(images, target if self.feedback.path == "target" else None)

    def remember(self, target: CoordinateTarget) -> None:
        """Add labelled poses to the mean that estimates start from."""
        # A running mean, so that the data need not be read once before training.
        count = target.weight.sum(0)
        offset = ((target.xy - self.start) * target.weight[..., None]).sum(0)
        self.seen += count
        self.start += offset / self.seen.clamp(min=1)[:, None]

    def _corrections(self, images: Tensor, target: CoordinateTarget | None) -> Stages[Correction]:
        estimate = self.start.expand(len(images), -1, -1)
        extent = estimate.new_tensor([self.size[1], self.size[0]])
        reach = (self.feedback.bound / extent).expand_as(estimate)
        corrections = []
        for _ in range(self.trained):
            pixels = (estimate + 0.5) * extent - 0.5
            drawn = gaussians(pixels, self.size, self.feedback.sigma, biased=False)
            output = self.net(torch.cat([images, drawn.to(images.dtype)], dim=1))
            xy = estimate + output.xy.float() * reach
            corrections.append(Correction(xy, output.confidence, estimate, reach))
            if target is None:
                estimate = xy.detach()  # each step learns its own correction alone
            else:
                error = (target.xy - estimate) / reach * target.weight[..., None]
                estimate = estimate + bounded(error) * reach
        return Stages(tuple(corrections))

    def get_extra_state(self) -> Tensor:
        """The number of steps of the last training epoch, which checkpoints keep with weights."""
        return torch.tensor(self.trained, device="cpu")

    def set_extra_state(self, state: Tensor) -> None:
        """Restore the number of steps."""
        self.trained = int(state)


def bounded(error: Tensor) -> Tensor:
    """Vectors (…, 2), shortened to length one where they are longer."""
    length: Tensor = torch.linalg.vector_norm(error, dim=-1, keepdim=True)
    return error / length.clamp(min=1)


def widen_first(net: nn.Module, channels: int) -> None:
    """Let the first convolution of a network take further channels, in place.

    Its weights of the first three channels stay; the others are small and random.

    Raises:
        InputError: the network does not start with a convolution of an image.
    """
    first = next((part for part in net.modules() if isinstance(part, nn.Conv2d)), None)
    if first is None or first.in_channels != 3 or first.groups != 1:
        raise InputError(
            "expected a backbone that starts with a convolution of 3 channels, "
            f"got {first}; choose another backbone"
        )
    with torch.no_grad():
        # Small, so that pretrained features hardly change at first.
        extra = 0.01 * torch.randn(
            first.out_channels, channels, *first.kernel_size, device=first.weight.device
        )
        first.weight = nn.Parameter(torch.cat([first.weight, extra.to(first.weight)], dim=1))
        first.in_channels = 3 + channels
