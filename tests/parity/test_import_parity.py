"""Networks of other code bases and ours agree with imported weights, flip test included."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import reference_networks
import torch
from torch import Tensor, nn

from poselab import geometry
from poselab.experiments import build
from poselab.experiments.pretrained.import_weights import load_weights, pretrained_config
from poselab.experiments.pretrained.models import pretrained_model
from poselab.modules import PoseModule
from poselab.skeletons import COCO17

FLIP_INDEX = list(COCO17.flip_index)
MEAN, STD = (torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))


def from_file(net: nn.Module, name: str, folder: Path, wrapped: bool = False) -> PoseModule:
    file = folder / "weights.pth"
    torch.save({"state_dict": net.state_dict()} if wrapped else net.state_dict(), file)
    published = pretrained_model(name)
    return load_weights(file, published, *pretrained_config(published))[0]


@pytest.fixture(scope="module")
def images() -> Tensor:
    smooth = torch.rand(2, 3, 32, 24, generator=torch.Generator().manual_seed(0))
    large = nn.functional.interpolate(smooth, size=(256, 192), mode="bilinear")
    return (large * 255).to(torch.uint8)


def red_first(image: Tensor) -> Tensor:
    return (image.float() / 255 - MEAN) / STD


def blue_first(image: Tensor) -> Tensor:
    """An image read by OpenCV, channels in its order (BGR)."""
    return (image.flip(1).float() / 255 - MEAN) / STD


def same(got: Tensor, expected: Tensor) -> None:
    spread = float(expected.std())
    assert spread > 0.01, "an output that is all the same would agree with anything"
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5 * max(spread, 1))


def flipped_heatmaps(heatmaps: Tensor, shift: int) -> Tensor:
    heatmaps = heatmaps.flip(-1)[:, FLIP_INDEX]
    if shift:
        heatmaps[..., 1:] = heatmaps[..., :-1].clone()
    return heatmaps


HEATMAPS: list[tuple[str, Any, Any, int, bool]] = [
    ("simple_baseline_r50", reference_networks.PoseResNet, blue_first, 1, False),
    ("hrnet_w32", reference_networks.PoseHRNet, red_first, 1, False),
    ("dark_r50", reference_networks.PoseResNet, blue_first, 0, False),
    ("mmpose_heatmap_r50", reference_networks.MmposeResNet, red_first, 1, True),
    ("udp_w32", lambda: reference_networks.PoseHRNet(wider=4), red_first, 0, False),
    ("udp_r50", reference_networks.PoseResNet, blue_first, 0, False),
    ("vitpose_small", lambda: reference_networks.VitPose(simple=False), red_first, 0, True),
    ("vitpose_small_simple", lambda: reference_networks.VitPose(simple=True), red_first, 0, True),
]


@pytest.mark.parametrize(
    ("name", "made", "seen", "shift", "wrapped"), HEATMAPS, ids=[row[0] for row in HEATMAPS]
)
@torch.inference_mode()
def test_heatmaps_are_the_same(
    name: str, made: Any, seen: Any, shift: int, wrapped: bool, images: Tensor, tmp_path: Path
) -> None:
    net = reference_networks.randomise(made())
    module = from_file(net, name, tmp_path, wrapped)
    heatmaps, flipped = net(seen(images)), net(seen(images.flip(-1)))
    same(module(images), heatmaps)
    merged = (heatmaps + flipped_heatmaps(flipped, shift)) / 2
    same(module.flip_tested(module(images), images), merged)


@torch.inference_mode()
def test_udps_wider_hrnet_is_the_same(images: Tensor, tmp_path: Path) -> None:
    net = reference_networks.randomise(reference_networks.PoseHRNet(heatmaps=51, wider=4))
    module = from_file(net, "udp_offset_w32", tmp_path)
    heatmaps = net(red_first(images))
    same(module(images), heatmaps)
    planes = net(red_first(images.flip(-1))).flip(-1).unflatten(1, (17, 3))[:, FLIP_INDEX]
    turned = planes * torch.tensor([1.0, -1, 1]).view(3, 1, 1)
    merged = module.flip_tested(module(images), images)
    same(merged, (heatmaps + turned.flatten(1, 2)) / 2)


@torch.inference_mode()
def test_simcc_is_the_same(images: Tensor, tmp_path: Path) -> None:
    net = reference_networks.randomise(reference_networks.PoseResNet(bins=(384, 512)))
    module = from_file(net, "simcc_r50", tmp_path)
    x, y = net(blue_first(images))
    same(module(images).x, x)
    same(module(images).y, y)
    x_flipped, y_flipped = net(blue_first(images.flip(-1)))
    x_flipped = x_flipped.flip(-1)[:, FLIP_INDEX]
    x_flipped[..., :-1] = x_flipped[..., 1:].clone()
    confidences = [
        (a.softmax(-1) + b.softmax(-1)) / 2
        for a, b in ((x, x_flipped), (y, y_flipped[:, FLIP_INDEX]))
    ]
    poses = module.codec.decode(module.flip_tested(module(images), images))
    places = torch.stack([chance.argmax(-1) / 2 for chance in confidences], -1)
    assert torch.equal(poses.keypoints[:, 0], places)
    scores = torch.maximum(*(chance.amax(-1) for chance in confidences))
    torch.testing.assert_close(poses.scores[:, 0], scores, rtol=1e-4, atol=1e-6)


@torch.inference_mode()
def test_rle_is_the_same_and_so_is_its_flow(images: Tensor, tmp_path: Path) -> None:
    net = reference_networks.randomise(reference_networks.Rle())
    module = from_file(net, "rle_r50", tmp_path)
    mean = torch.tensor([0.406, 0.457, 0.48]).view(3, 1, 1)
    xy, sigma = net(images.float() / 255 - mean)
    output: Any = module(images)
    same(output.xy, xy)
    same(output.sigma, sigma)
    flipped, other = (part[:, FLIP_INDEX] for part in net(images.flip(-1).float() / 255 - mean))
    flipped = torch.stack([-flipped[..., 0] - 1 / 192, flipped[..., 1]], -1)
    poses = module.codec.decode(module.flip_tested(output, images))
    pixels = ((xy + flipped) / 2 + 0.5) * torch.tensor([192.0, 256.0])
    torch.testing.assert_close(poses.keypoints[:, 0], pixels, rtol=0, atol=1e-3)
    torch.testing.assert_close(poses.scores[:, 0], 1 - ((sigma + other) / 2).mean(-1))
    same_flow(module, net.flow)


def same_flow(module: PoseModule, flow: Any) -> None:
    points = torch.randn(64, 2, generator=torch.Generator().manual_seed(1))
    ours: Any = module.loss.flow
    same(ours.log_density(points), flow.log_density(points))


@torch.inference_mode()
def test_mmposes_rle_is_the_same(images: Tensor, tmp_path: Path) -> None:
    net = reference_networks.randomise(reference_networks.MmposeRle())
    module = from_file(net, "mmpose_rle_r50", tmp_path, wrapped=True)
    values, flipped = net(red_first(images)), net(red_first(images.flip(-1)))[:, FLIP_INDEX]
    output: Any = module(images)
    same(output.xy, values[..., :2] - 0.5)
    same(output.sigma, values[..., 2:].sigmoid())
    turned = torch.stack([1 - flipped[..., 0] - 1 / 192, flipped[..., 1]], -1)
    poses = module.codec.decode(module.flip_tested(output, images))
    pixels = (values[..., :2] + turned) / 2 * torch.tensor([192.0, 256.0])
    torch.testing.assert_close(poses.keypoints[:, 0], pixels, rtol=0, atol=1e-3)
    same_flow(module, net.head.loss_module.flow_model)


@pytest.mark.parametrize("simple", [False, True])
@torch.inference_mode()
def test_transformers_vitpose_is_the_same(simple: bool, images: Tensor, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="compares with transformers' ViTPose")
    body = transformers.VitPoseBackboneConfig(
        hidden_size=384, num_hidden_layers=12, num_attention_heads=12, out_indices=[12]
    )
    config = transformers.VitPoseConfig(
        backbone_config=body, use_simple_decoder=simple, num_labels=17
    )
    net = reference_networks.randomise(transformers.VitPoseForPoseEstimation(config))
    net.backbone.embeddings.position_embeddings.normal_(0, 0.3)
    module = from_file(net, "transformers_vitpose_small" + "_simple" * simple, tmp_path)
    heatmaps = net(red_first(images)).heatmaps
    same(module(images), heatmaps)
    pairs = torch.tensor([(a, b) for a, b in enumerate(FLIP_INDEX) if a < b])
    flipped = net(red_first(images.flip(-1)), flip_pairs=pairs).heatmaps
    same(module.flip_tested(module(images), images), (heatmaps + flipped) / 2)


def test_transformers_vitpose_reads_the_same_keypoints(tmp_path: Path) -> None:
    """Its own processor, from the same image and boxes, and from the same heatmaps."""
    transformers = pytest.importorskip("transformers", reason="compares with transformers' ViTPose")
    processor = transformers.VitPoseImageProcessor()
    config, skeleton = pretrained_config(pretrained_model("transformers_vitpose_small_256x192"))
    framing, codec = build.framing(config), build.module(config, skeleton).codec
    boxes = np.array([[40.0, 20.0, 110.0, 280.0], [-8.0, 200.0, 300.0, 90.0]])
    matrices = [framing.matrix(framing.area(box)) for box in boxes]

    image = np.tile(np.linspace(0, 255, 400, dtype=np.float32)[:, None], (1, 300))
    image = np.stack([image, image[::-1], np.full_like(image, 90)], -1).astype(np.uint8)
    crops = processor(image, boxes=[boxes.tolist()], return_tensors="pt")["pixel_values"]
    for crop, matrix in zip(crops, matrices, strict=True):
        ours = cv2.warpAffine(image, matrix, (192, 256), flags=cv2.INTER_LINEAR)
        known = cv2.warpAffine(np.ones((400, 300), np.uint8), matrix, (192, 256)).astype(bool)
        known = ~cv2.dilate((~known).astype(np.uint8), np.ones((5, 5))).astype(bool)
        apart = (crop * STD + MEAN) * 255 - torch.tensor(ours).permute(2, 0, 1)
        assert known.mean() > 0.4
        assert apart.abs().amax(0)[torch.tensor(known)].max() < 2, "their borders are sharper"

    draw = torch.Generator().manual_seed(0)
    cells = torch.rand(2, 17, 2, generator=draw) * torch.tensor([51.0, 67.0]) - 2
    lattice = [torch.arange(n, dtype=torch.float32) for n in (64, 48)]
    rows = (lattice[0][:, None] - cells[..., 1, None, None]).square()
    columns = (lattice[1] - cells[..., 0, None, None]).square()
    heat = (-(rows + columns) / 8).exp() + 0.05 * torch.rand(2, 17, 64, 48, generator=draw)
    read = SimpleNamespace(heatmaps=heat)
    (theirs,) = processor.post_process_pose_estimation(read, boxes=[boxes.tolist()])
    for matrix, pose, found in zip(matrices, codec.decode(heat).keypoints, theirs, strict=True):
        ours = geometry.apply(geometry.invert(matrix), pose.reshape(-1, 2).numpy())
        np.testing.assert_allclose(ours, found["keypoints"].numpy(), atol=0.01)
