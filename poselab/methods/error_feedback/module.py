"""Regression by corrections, trained along the path that they should take."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from poselab.codecs.coordinate import CoordinateCodec
from poselab.losses.stages import EveryStage
from poselab.methods.error_feedback.loss import CorrectionLoss
from poselab.methods.error_feedback.network import Feedback, FeedbackNet
from poselab.models.heads import RegressionHead
from poselab.models.necks import LastFeature
from poselab.modules.pose_module import PoseModule, Triple
from poselab.modules.top_down import TopDown
from poselab.training.schedules import constant

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn
    from torch.optim import Optimizer

    from poselab.structures import Sample
    from poselab.training.schedules import Schedule


class GuidedModule(PoseModule):
    """Tells a :class:`FeedbackNet`, before each training step, where the joints are."""

    net: FeedbackNet

    def training_step(self, batch: Sample, batch_idx: int) -> Tensor:
        """The loss of a batch along the true path, with as many steps as the epoch has."""
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            ground_truth = self.codec.encode(batch.keypoints, batch.visibility, batch.loss_mask)
            if self.current_epoch == 0:
                self.net.remember(ground_truth)
        self.net.follow(ground_truth, self.net.feedback.steps_at(self.current_epoch))
        return super().training_step(batch, batch_idx)


class ErrorFeedback(GuidedModule):
    """One person's coordinates by iterative error feedback (Carreira et al. 2016).

    The network is widened to see its own estimate; ``feedback`` says how it corrects that.
    """

    trained_by: ClassVar[type[PoseModule]] = GuidedModule
    accepts: ClassVar[tuple[type, ...]] = (CoordinateCodec,)
    default: ClassVar[Triple] = Triple(
        neck=LastFeature,
        head=RegressionHead,
        codec=CoordinateCodec,
        loss=partial(EveryStage, loss=CorrectionLoss),
    )

    def __init__(
        self,
        net: nn.Module,
        codec: CoordinateCodec,
        loss: nn.Module,
        optimizer: Callable[..., Optimizer] = torch.optim.AdamW,
        schedule: Schedule = constant,
        flip_test: bool = True,
        feedback: Feedback | None = None,
    ) -> None:
        chosen = Feedback() if feedback is None else feedback
        wide: Any = FeedbackNet(net, len(codec.skeleton), codec.input_size, chosen)
        super().__init__(wide, codec, loss, optimizer, schedule, flip_test)


class TopDownErrorFeedback(GuidedModule, TopDown):
    """Error feedback on people's boxes, rescored and rid of repeated poses as in top-down."""
