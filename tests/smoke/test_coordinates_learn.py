"""Every coordinate method memorises a few images, which a broken loss would not."""

from __future__ import annotations

from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from poselab.experiments import build
from poselab.experiments.config.compose import compose
from poselab.modules import PoseModule
from poselab.skeletons import COCO17
from poselab.structures import Sample

SIZE, BATCH, STEPS = (64, 64), 8, 120
# One cell among many; vanishing slopes; a density that has to be learnt first.
LONGER = {"integral-H2": 400, "dsnt-variance": 200, "rle-integral": 240}
SMALL_MAPS = ["method.neck.layers=3", "method.neck.channels=16"]
METHODS: dict[str, list[str]] = {
    "direct": ["method=direct"],
    "rle": ["method=rle"],
    "rle-gaussian": ["method=rle", "method.loss.base=gaussian"],
    "rle-without-flow": ["method=rle", "method.loss.flow=null"],
    "rle-flow-alone": ["method=rle", "method.loss.base=null"],
    "integral-I1": ["method=integral_maps", *SMALL_MAPS],
    "integral-I3": ["method=integral_maps", *SMALL_MAPS, "method.loss.heatmaps=categorical"],
    "integral-alone": ["method=integral_maps", *SMALL_MAPS, "method.loss.heatmaps=null"],
    "integral-sigmoid": [
        *("method=integral_maps", *SMALL_MAPS, "method.loss.heatmaps=null"),
        *("method.head.normalise=sigmoid", "method.head.temperature=1.0"),
    ],
    "integral-H2": [
        *("method=integral_maps", *SMALL_MAPS, "method.loss.heatmaps=binary"),
        *(
            "method.head.position=argmax",
            "method.loss.position=null",
            "method.head.normalise=sigmoid",
        ),
        "method.head.temperature=1.0",
    ],
    "integral-H3": [
        *("method=integral_maps", *SMALL_MAPS, "method.loss.heatmaps=categorical"),
        *(
            "method.head.position=argmax",
            "method.loss.position=null",
            "method.head.temperature=1.0",
        ),
    ],
    "dsnt-js": ["method=dsnt", *SMALL_MAPS],
    "dsnt-kl": ["method=dsnt", *SMALL_MAPS, "method.loss.heatmaps=kl", "method.loss.sigma=3"],
    "dsnt-variance": [
        *("method=dsnt", *SMALL_MAPS),
        *("method.loss.heatmaps=variance", "method.loss.factor=0.00001", "method.loss.sigma=2"),
    ],
    "compositional": ["method=compositional"],
    "compositional-both": ["method=compositional", "method.loss.pairs=both"],
    "compositional-plain": ["method=compositional", "method.loss.normalise=false"],
    "error-feedback": [
        *("method=error_feedback", "method.net.feedback.epochs=0"),
        "method.net.feedback.sigma=3",
    ],
    "rle-integral": ["method=rle_integral", *SMALL_MAPS, "method.head.temperature=0.1"],
    "part-context": ["method=part_context", "method.head.blocks=2", "method.head.kernel=3"],
    "integral-debiased": ["method=integral_debiased", *SMALL_MAPS],
}


def batch() -> Sample:
    """Images of noise, each with a pose of its own; some keypoints are not labelled."""
    random = torch.Generator().manual_seed(0)
    image = torch.randint(0, 256, (BATCH, 3, *SIZE), generator=random).to(torch.uint8)
    share = 0.1 + 0.8 * torch.rand(BATCH, 1, len(COCO17), 2, generator=random)
    visibility = torch.randint(0, 6, (BATCH, 1, len(COCO17)), generator=random).clamp(max=2)
    loss_mask = torch.ones(BATCH, 1, 1, dtype=torch.uint8)
    extent = torch.tensor([SIZE[1], SIZE[0]])
    frame: Any = (None,) * 5
    return Sample(image, share * extent - 0.5, visibility.to(torch.uint8), loss_mask, frame)


def made(words: list[str]) -> PoseModule:
    """A method on a network of milliseconds."""
    pl.seed_everything(0, verbose=False)
    shared = [f"framing.size=[{SIZE[0]},{SIZE[1]}]", "++backbone.widths=[8,16,16,32]"]
    config, _ = compose("train", [*words, *shared, "flip_test=false", "module=single_person"])
    return build.module(config, COCO17)


def error(module: PoseModule, sample: Sample) -> float:
    """Mean distance of labelled keypoints in input pixels, as decoded."""
    with torch.no_grad():
        poses = module.codec.decode(module.flip_tested(module(sample.image), sample.image))
    distance = (poses.keypoints - sample.keypoints).norm(dim=-1)
    return distance[sample.visibility > 0].mean().item()


def learn(module: PoseModule, sample: Sample, steps: int = STEPS, sign: float = 1.0) -> list[float]:
    """Minimise (or, with sign -1, maximise) the loss; its values."""
    optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
    values = []
    for _ in range(steps):
        total = module.training_step(sample, 0)
        values.append(total.item())
        optimizer.zero_grad()
        (sign * total).backward()
        optimizer.step()
    return values


pytestmark = pytest.mark.filterwarnings("ignore:You are trying to")  # steps without a trainer


@pytest.mark.parametrize("name", METHODS)
def test_memorises_a_few_images(name: str) -> None:
    module, sample = made(METHODS[name]), batch()
    before = error(module.train(), sample)
    values = learn(module, sample, LONGER.get(name, STEPS))
    after = error(module, sample)
    assert values[-1] < values[0]
    assert after < 0.4 * before


@pytest.mark.parametrize("name", METHODS)
def test_the_flip_test_predicts_the_flipped_pose_of_a_flipped_image(name: str) -> None:
    module, sample = made(METHODS[name]), batch()
    learn(module.train(), sample, steps=5)  # fresh maps all point to the centre
    module.flip_test = True
    with torch.no_grad():
        straight, flipped = (
            module.codec.decode(module.flip_tested(module(image), image))
            for image in (sample.image, sample.image.flip(-1))
        )
    assert straight.keypoints.std() > 0.1
    names = list(COCO17.flip_index)
    back = flipped.keypoints[:, :, names] * torch.tensor([-1.0, 1.0])
    back[..., 0] += SIZE[1] - 1
    torch.testing.assert_close(back, straight.keypoints, atol=1e-3, rtol=0)
    torch.testing.assert_close(flipped.scores[:, :, names], straight.scores, atol=1e-4, rtol=0)


def test_a_maximised_loss_memorises_nothing() -> None:
    module, sample = made(METHODS["direct"]), batch()
    before = error(module.train(), sample)
    learn(module, sample, sign=-1.0)
    assert error(module, sample) > before
