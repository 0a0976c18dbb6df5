"""Keypoint R-CNN: half pixels, images without people, scores, and that it learns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import default_collate
from torchvision.models.detection.roi_heads import heatmaps_to_keypoints, keypoints_to_heatmap

from poselab import geometry
from poselab.data import Augment, PoseDataset
from poselab.data.framing import WholeImage
from poselab.data.whole_image_short_side import WholeImageShortSide
from poselab.experiments import build
from poselab.experiments.config.compose import compose
from poselab.methods.keypoint_rcnn.codec import RegionCodec
from poselab.methods.keypoint_rcnn.module import KeypointRcnn
from poselab.outputs import DetectedInstances, InstanceTarget
from poselab.skeletons import COCO17
from poselab.structures import InputError, Sample
from poselab.synthetic import Settings, generate

SIDE = 128
SMALL = (
    *(
        "method=keypoint_rcnn",
        "framing=whole_image",
        "module=keypoint_rcnn",
        "augment=none",
        "flip_test=false",
    ),
    *(
        f"framing.size=[{SIDE},{SIDE}]",
        "framing.max_instances=5",
        "++backbone.widths=[16,32,32,32]",
    ),
    *("method.neck.channels=32", "method.head.keypoint_widths=[32]", "method.head.box_width=64"),
    *("method.head.samples=32", "method.head.max_detections=4", "data=coco", "data.workers=0"),
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Two generated images with people, shown small."""
    settings = Settings(2, val=2, seed=4)
    root = generate(tmp_path_factory.mktemp("regions") / "instances", settings, workers=1)
    config, _ = compose("train", [*SMALL, f"data.sources.root={root}"])
    return build.data(config)


def made(*words: str) -> KeypointRcnn:
    pl.seed_everything(0, verbose=False)
    module = build.module(compose("train", [*SMALL, *words])[0], COCO17)
    assert isinstance(module, KeypointRcnn)
    return module


def batch_of(samples: Any) -> Sample:
    made: Sample = default_collate([samples[i] for i in range(len(samples))])
    return made


def as_detections(instances: InstanceTarget) -> DetectedInstances:
    """What a network without error detects."""
    scores = instances.valid.float()
    return DetectedInstances(
        instances.keypoints, instances.labelled.float(), instances.boxes, scores, instances.valid
    )


def targets(module: KeypointRcnn, batch: Sample, monkeypatch: pytest.MonkeyPatch) -> InstanceTarget:
    """The target that the network gets."""
    given = []

    def keep(maps: Any, instances: InstanceTarget) -> dict[str, Tensor]:
        given.append(instances)
        return {f"loss_{name}": torch.zeros(()) for name in module.loss.weights}  # type: ignore[union-attr]

    monkeypatch.setattr(module.regions, "losses", keep)
    module.losses(None, module.target(batch))
    return given[0]


def test_half_pixels_by_hand() -> None:
    """A joint at pixel (15, 27) of an input lies in the cell right of 15, below 27.

    In a box from pixel corner 10, 20 that is 56 pixels wide, cell (5, 7) of 56.
    """
    codec = RegionCodec(skeleton=COCO17, input_size=(96, 96), stride=4)
    points = torch.tensor([15.0, 27.0]).expand(1, 1, 17, 2)
    box = torch.tensor([9.5, 19.5, 56, 56]).view(1, 1, 4)
    instances = codec.encode(points, torch.full((1, 1, 17), 2), torch.ones(1, 1, 1), box)
    assert instances.boxes.tolist() == [[[10, 20, 66, 76]]]
    shown = torch.cat([instances.keypoints[0], instances.labelled[0, ..., None].float()], dim=-1)
    cells, valid = keypoints_to_heatmap(shown, instances.boxes[0], 56)
    assert cells.tolist() == [[7 * 56 + 5] * 17]
    assert valid.all()
    maps = nn.functional.one_hot(cells, 56**2).float().view(1, 17, 56, 56)
    detected = heatmaps_to_keypoints(maps, instances.boxes[0])[0][..., :2]
    assert (
        codec.decode(as_detections(instances)._replace(keypoints=detected[None]))
        .keypoints.eq(points)
        .all()
    )


@pytest.mark.parametrize("labels", ["centre", "corner"])
@pytest.mark.parametrize("flip", [0.0, 1.0])
@pytest.mark.parametrize(
    "framing",
    [WholeImage((128, 192)), WholeImageShortSide((512, 512), short=320.0, long=500.0)],
    ids=["fitted", "short-side"],
)
def test_targets_decode_to_the_annotations(
    framing: WholeImage, flip: float, labels: str, data: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From annotations through input and network coordinates back to them, flipped too."""
    module = made(f"method.codec.labels={labels}")
    augment = Augment(flip=flip, scale=0, degrees=0)
    batch = batch_of(PoseDataset(data.val, framing, augment))
    module.codec.input_size = framing.size
    instances = targets(module, batch, monkeypatch)
    detected = module.predictions(as_detections(instances), batch.frame)
    table = data.val.annotations
    names = list(COCO17.flip_index) if flip else list(range(17))
    seen = (table.visibility > 0)[:, names]
    assert len(detected) == table.num_instances > 2
    error = (detected.keypoints - table.keypoints[:, names])[seen]
    assert np.abs(error).max() < 1e-2


def test_corners_are_half_an_image_pixel_before_centres(
    data: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As torchvision scales labels: an input twice as large doubles them, without an offset."""
    batch = batch_of(PoseDataset(data.val, WholeImage((512, 512))))
    module = made("method.codec.labels=corner")
    module.codec.input_size = (512, 512)
    instances = targets(module, batch, monkeypatch)
    seen = instances.labelled.flatten(0, 1)[instances.valid.flatten()]
    target = instances.keypoints.flatten(0, 1)[instances.valid.flatten()]
    table = data.val.annotations
    assert batch.frame.to_image[0, 0, 0] == 0.5
    expected = torch.tensor(2 * table.keypoints).float()
    torch.testing.assert_close(target[seen], expected[seen], atol=1e-3, rtol=0)


def test_unflip_of_the_flipped_people_are_the_people() -> None:
    codec = RegionCodec(skeleton=COCO17, input_size=(64, 96), stride=4)
    points = 8 + 40 * torch.rand(2, 3, 17, 2, generator=torch.Generator().manual_seed(0))
    visibility, loss_mask = torch.full((2, 3, 17), 2), torch.ones(2, 1, 1)
    turned = geometry.apply(torch.tensor(geometry.flip(96)).float(), points)
    straight, flipped = (
        as_detections(codec.encode(p, visibility, loss_mask))
        for p in (points, turned[:, :, COCO17.flip_index])
    )
    for got, expected in zip(codec.unflip(flipped), straight, strict=True):
        torch.testing.assert_close(got, expected, atol=1e-4, rtol=0)


def test_people_outside_the_input_do_not_count() -> None:
    codec = RegionCodec(skeleton=COCO17, input_size=(64, 64), stride=4)
    boxes = torch.tensor([[[-30.0, 0, 20, 20], [50, 10, 30, 10], [0, 0, 0, 0]]])
    nothing = torch.zeros(1, 3, 17, 2).fill_(torch.nan)
    instances = codec.encode(nothing, torch.zeros(1, 3, 17), torch.ones(1, 1, 1), boxes)
    assert instances.valid.tolist() == [[False, True, False]]
    assert instances.boxes[0, 1].tolist() == [50.5, 10.5, 64, 20.5]
    assert instances.keypoints.isfinite().all()


def test_images_without_people_train_too(data: Any) -> None:
    module, batch = made(), batch_of(data.val_samples)
    no_people = batch._replace(boxes=0 * batch.boxes, visibility=0 * batch.visibility)
    half = batch._replace(boxes=torch.stack([batch.boxes[0], 0 * batch.boxes[1]]))
    for sample in (no_people, half):
        parts = module.losses(module(sample.image), module.target(sample))
        total = torch.stack(list(parts.values())).sum()
        total.backward()
        assert total.isfinite()
        assert (parts["keypoint"] == 0) == (sample is no_people)
        assert all(p.grad is not None and p.grad.isfinite().all() for p in module.parameters())


def test_no_detection_gives_no_predictions(data: Any) -> None:
    module, batch = made().eval(), batch_of(data.val_samples)
    module.regions.roi_heads.score_thresh = 2.0
    with torch.inference_mode():
        detected = module.predict_step(batch, 0)
    assert len(detected) == 0
    assert detected.keypoints.shape == (0, 17, 2)


def test_a_pose_scores_what_its_box_scores(data: Any) -> None:
    module, batch = made().eval(), batch_of(data.val_samples)
    with torch.inference_mode():
        output = module.flip_tested(module(module.padded(batch).image), batch.image)
        detected = module.predict_step(batch, 0)
    assert detected.scores.tolist() == output.scores[output.valid].tolist()
    assert (
        detected.image_ids.tolist() == np.repeat(batch.frame.image_id, output.valid.sum(1)).tolist()
    )
    assert (np.diff(detected.scores[detected.image_ids == detected.image_ids[0]]) <= 0).all()


def test_confidence_says_how_sharp_a_heatmap_is() -> None:
    """All in one cell: certain. Even over 56x56 cells: 25 of 3136 around the keypoint."""
    from poselab.methods.keypoint_rcnn.network import _confidences

    maps = torch.zeros(1, 2, 56, 56)
    maps[0, 0, 30, 20] = 50.0
    box = torch.tensor([[0.0, 0, 112, 56]])
    points = torch.tensor([[[41.0, 30.5], [41.0, 30.5]]])
    torch.testing.assert_close(_confidences(maps, points, box)[0], torch.tensor([1.0, 25 / 3136]))


def test_padding_has_the_mean_colour(data: Any) -> None:
    module = made()
    batch = batch_of(PoseDataset(data.val, WholeImage((64, 128))))
    shown = module.padded(batch).image
    left, middle = shown[..., :32], shown[..., 33:95]
    assert left.unique(dim=-1).flatten(1).tolist() == [[124] * 64 + [116] * 64 + [104] * 64] * 2
    assert torch.equal(middle, batch.image[..., 33:95])
    assert ((left.float() - module.mean) / module.std).abs().max() < 0.02


def test_frozen_statistics_stay(data: Any) -> None:
    batch = batch_of(data.val_samples)
    for frozen in (True, False):
        module = made(f"method.frozen_statistics={str(frozen).lower()}")
        before = {k: v.clone() for k, v in module.state_dict().items() if "running_mean" in k}
        module(batch.image)
        same = [torch.equal(module.state_dict()[k], v) for k, v in before.items()]
        assert same
        assert all(same) if frozen else not any(same)


def test_learns_two_images_by_heart(data: Any) -> None:
    module, batch = made(), batch_of(data.val_samples)
    evaluate = build.evaluator(compose("train", list(SMALL))[0])
    before = precision(module, batch, evaluate, data)
    optimizer = torch.optim.Adam(module.parameters())
    # At a constant rate what the last step leaves depends on how a machine rounds.
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=80)
    shown = module.padded(batch)
    for _ in range(schedule.total_steps):
        total = torch.stack(
            list(module.losses(module(shown.image), module.target(shown)).values())
        ).sum()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        schedule.step()
    assert before < 0.05
    assert precision(module, batch, evaluate, data) > 0.4


def precision(module: KeypointRcnn, batch: Sample, evaluate: Any, data: Any) -> float:
    """AP of the predictions for the batch."""
    module.eval()
    with torch.inference_mode():
        detected = module.predict_step(batch, 0)
    module.train()
    return float(evaluate(detected, data.val.annotations).values["AP"])


def test_a_short_side_is_as_long_as_asked() -> None:
    framing = WholeImageShortSide((1344, 1344))
    for (width, height), scale in (((640, 480), 800 / 480), ((1000, 300), 1.333)):
        box = np.array([-0.5, -0.5, width, height])
        matrix = framing.matrix(framing.area(box))
        np.testing.assert_allclose(matrix[:, :2], np.eye(2) * scale)
        middle = geometry.apply(matrix, np.array([[(width - 1) / 2, (height - 1) / 2]]))
        np.testing.assert_allclose(middle, [[671.5, 671.5]])
    with pytest.raises(InputError, match="expected framing.short up to framing.long"):
        WholeImageShortSide((1024, 1344))


def test_another_head_is_an_error() -> None:
    module = made()
    net = nn.Module()
    net.head = nn.Identity()
    with pytest.raises(ValueError, match="expected RegionHead, got Identity"):
        KeypointRcnn(net, module.codec, module.loss)
