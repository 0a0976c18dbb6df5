"""Iterative error feedback: the path, the bound, the curriculum and what the network sees."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from poselab.codecs.coordinate import CoordinateCodec
from poselab.losses.stages import EveryStage
from poselab.methods.error_feedback.loss import CorrectionLoss
from poselab.methods.error_feedback.network import (
    Correction,
    Feedback,
    FeedbackNet,
    bounded,
    widen_first,
)
from poselab.models.cost import network_cost
from poselab.models.feature_info import FeatureInfo
from poselab.models.heads import RegressionHead
from poselab.models.pose_net import PoseNet
from poselab.modules import DirectRegression, PoseModule, TopDown
from poselab.outputs import Coordinates, CoordinateTarget, final
from poselab.skeletons import COCO17
from poselab.structures import InputError, Sample

SIZE = (40, 30)


class Constant(nn.Module):
    """Asks for the same correction whatever it sees, and keeps what it saw."""

    def __init__(self, keypoints: int = 2) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.xy = nn.Parameter(torch.full((keypoints, 2), 0.5))
        self.shown: list[Tensor] = []

    def forward(self, images: Tensor) -> Coordinates:
        self.shown.append(images[:, 3:].detach())
        xy = self.xy.expand(len(images), -1, -1)
        return Coordinates(xy, torch.ones_like(xy[..., 0]))


def ground_truth(
    *pixels: tuple[float, float], weight: tuple[float, ...] = (1.0, 1.0)
) -> CoordinateTarget:
    xy = (torch.tensor(pixels) + 0.5) / torch.tensor([SIZE[1], SIZE[0]]) - 0.5
    return CoordinateTarget(xy[None], torch.tensor(weight)[None])


def pixels(xy: Tensor) -> Tensor:
    return (xy + 0.5) * torch.tensor([SIZE[1], SIZE[0]]) - 0.5


def made(**settings: Any) -> tuple[FeedbackNet, Constant]:
    inner = Constant()
    return FeedbackNet(inner, 2, SIZE, Feedback(**{"bound": 5.0, "sigma": 1.0} | settings)), inner


def test_true_path_goes_straight_to_the_joint_in_bounded_steps() -> None:
    """From the centre (14.5, 19.5): 12 pixels along x take steps of 5, 5 and 2."""
    net, inner = made(epochs=0)
    output = net.guided(torch.zeros(1, 3, *SIZE), ground_truth((26.5, 19.5), (14.5, 16.5)), 1)
    starts = torch.stack([pixels(stage.start[0]) for stage in output.each])
    expected = [[14.5, 19.5], [19.5, 19.5], [24.5, 19.5], [26.5, 19.5]]
    torch.testing.assert_close(starts[:, 0], torch.tensor(expected))
    torch.testing.assert_close(starts[1:, 1], torch.tensor([[14.5, 16.5]]).expand(3, 2))
    seen = [((m[0, 0].sum(0) * torch.arange(SIZE[1])).sum() / m[0, 0].sum()) for m in inner.shown]
    torch.testing.assert_close(torch.stack(seen), starts[:, 0, 0], atol=1e-2, rtol=0)
    stage = output.each[2]
    torch.testing.assert_close(pixels(stage.xy[0, 0]), torch.tensor([27.0, 22.0]))  # 0.5 bounds on


def test_unlabelled_joints_stay_and_weigh_nothing() -> None:
    net, inner = made(steps=2, epochs=0)
    target = ground_truth((26.5, 19.5), (0.0, 0.0), weight=(1.0, 0.0))
    output = net.guided(torch.zeros(1, 3, *SIZE), target, 1)
    torch.testing.assert_close(pixels(output.each[1].start[0, 1]), torch.tensor([14.5, 19.5]))
    sum(EveryStage(CorrectionLoss)(output, target).values()).backward()  # type: ignore[union-attr]
    assert inner.xy.grad is not None
    assert (inner.xy.grad[1] == 0).all()
    assert (inner.xy.grad[0] != 0).all()


def test_evaluated_it_follows_itself_for_as_many_steps_as_were_trained() -> None:
    net, _ = made(epochs=3)
    assert len(net.eval()(torch.zeros(1, 3, *SIZE)).each) == 4
    net.train().guided(torch.zeros(1, 3, *SIZE), ground_truth((1.0, 1.0), (2.0, 2.0)), 6)
    net.eval()
    again, _ = made(epochs=3)
    again.load_state_dict(net.state_dict())
    assert again.trained == 3
    output = net(torch.zeros(2, 3, *SIZE))
    assert len(output.each) == 3
    reached = pixels(final(output).xy)
    torch.testing.assert_close(reached, torch.tensor([22.0, 27.0]).expand(2, 2, 2))  # 3 x 2.5


def test_cost_is_that_of_all_steps() -> None:
    def inner() -> nn.Module:
        feature_info = (FeatureInfo(4, 1),)
        head = RegressionHead(feature_info=feature_info, channels=2)
        return PoseNet(backbone=nn.Conv2d(3, 4, 3), neck=AsList(), head=head)

    nets = [FeedbackNet(inner(), 2, SIZE, Feedback(steps=steps)) for steps in (1, 4)]
    once, four_times = (network_cost(net, SIZE).gmacs for net in nets)
    assert once == pytest.approx((5 * 4 * 9 * 38 * 28 + 4 * 4) / 1e9)
    assert four_times == pytest.approx(4 * once)


class AsList(nn.Module):
    """A neck that passes its only feature on."""

    def forward(self, maps: Tensor) -> list[Tensor]:
        return [maps]


def test_loss_by_hand() -> None:
    """Errors of 10 pixels (cut to the bound of 5) and 3; made were 2.5 along both axes."""
    start = ground_truth((10.0, 10.0), (20.0, 20.0)).xy
    reach = (5.0 / torch.tensor([SIZE[1], SIZE[0]])).expand_as(start)
    output = Correction(ground_truth((12.5, 12.5), (22.5, 22.5)).xy, None, start, reach)
    loss = CorrectionLoss()(output, ground_truth((20.0, 10.0), (20.0, 23.0)))["correction"]
    expected = ((0.5 - 1) ** 2 + 0.5**2 + 0.5**2 + (0.5 - 0.6) ** 2) / 2
    assert loss.item() == pytest.approx(expected, rel=1e-4)


def test_bound() -> None:
    vectors = torch.tensor([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]])
    expected = torch.tensor([[0.6, 0.8], [0.3, 0.4], [0.0, 0.0]])
    torch.testing.assert_close(bounded(vectors), expected)


def test_curriculum_adds_a_step_every_few_epochs() -> None:
    feedback = Feedback(steps=4, epochs=3)
    steps = [feedback.steps_at(epoch) for epoch in (0, 2, 3, 8, 9, 200)]
    assert steps == [1, 1, 2, 3, 4, 4]
    assert Feedback(steps=4, epochs=0).steps_at(0) == 4


def test_first_estimate_is_the_mean_of_labelled_training_poses() -> None:
    net, _ = made()
    net.remember(ground_truth((10.0, 10.0), (0.0, 0.0), weight=(1.0, 0.0)))
    both = [ground_truth((20.0, 12.0), (5.0, 5.0)), ground_truth((30.0, 20.0), (7.0, 1.0))]
    net.remember(CoordinateTarget(*(torch.cat(parts) for parts in zip(*both, strict=True))))
    torch.testing.assert_close(pixels(net.start), torch.tensor([[20.0, 14.0], [6.0, 3.0]]))


def test_widening_keeps_what_the_convolution_knew() -> None:
    layer = nn.Conv2d(3, 4, 3)
    net = nn.Sequential(nn.Identity(), layer)
    images = torch.randn(2, 3, 8, 8)
    before = net(images)
    widen_first(net, 5)
    assert layer.weight.shape == (4, 8, 3, 3)
    torch.testing.assert_close(net(torch.cat([images, torch.zeros(2, 5, 8, 8)], dim=1)), before)
    with pytest.raises(InputError, match="3 channels"):
        widen_first(net, 5)


def sample() -> Sample:
    keypoints = torch.rand(3, 1, 17, 2, generator=torch.Generator().manual_seed(0)) * 30
    visibility = torch.full((3, 1, 17), 2, dtype=torch.uint8)
    frame: Any = (None,) * 5
    return Sample(
        torch.zeros(3, 3, *SIZE).byte(), keypoints, visibility, torch.ones(3, 1, 1), frame
    )


def module(kind: type[PoseModule], **settings: Any) -> PoseModule:
    codec = CoordinateCodec(skeleton=COCO17, input_size=SIZE)
    net = FeedbackNet(Constant(17), 17, SIZE, Feedback(epochs=0, **settings))
    return kind(net, codec, EveryStage(CorrectionLoss), flip_test=False)


@pytest.mark.filterwarnings("ignore:You are trying to")
@pytest.mark.parametrize("kind", [DirectRegression, TopDown])
def test_any_module_trains_along_the_true_path(kind: type[PoseModule]) -> None:
    trained = module(kind)
    assert trained.training_step(sample(), 0).requires_grad
    target = trained.codec.encode(*sample()[1:4])
    torch.testing.assert_close(trained.net.start, target.xy.mean(0))
    output = trained.training_output(sample().image, target)
    steps = [stage.start for stage in output.each]
    error = [(target.xy - start).norm(dim=-1).mean().item() for start in steps]
    assert error[-1] < 1e-5 < error[0]
    own = module(kind, path="predicted").training_output(sample().image, target)
    assert torch.equal(own.each[1].start, own.each[0].xy)


def test_bad_settings_raise() -> None:
    for wrong in ({"path": "other"}, {"steps": 0}, {"bound": 0.0}, {"epochs": -1}):
        with pytest.raises(InputError, match="expected"):
            Feedback(**wrong)  # type: ignore[arg-type]
