"""torchvision's Keypoint R-CNN and ours detect the same people once its weights are imported."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import reference_networks
import torch
from torch import Tensor, nn
from torchvision.models.detection import KeypointRCNN, keypointrcnn_resnet50_fpn
from torchvision.models.detection._utils import overwrite_eps
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops.misc import FrozenBatchNorm2d

from poselab.experiments import build
from poselab.experiments.pretrained.import_weights import load_weights, pretrained_config
from poselab.experiments.pretrained.models import pretrained_model
from poselab.models.pretrained import ConvertedState, convert_state
from poselab.modules import PoseModule
from poselab.structures import InputError

SIZE, MOST = (96, 128), 3
OURS = [
    "framing=whole_image",
    f"framing.size=[{SIZE[0]},{SIZE[1]}]",
    f"method.head.max_detections={MOST}",
]
THEIRS = {"min_size": SIZE[0], "max_size": SIZE[1], "box_detections_per_img": MOST}


def published(frozen: bool, keypoints: int = 17) -> Any:
    """Theirs as COCO_V1 is built, or with usual normalisation; random weights."""
    if not frozen:
        net: Any = keypointrcnn_resnet50_fpn(
            weights=None, weights_backbone=None, num_keypoints=keypoints, **THEIRS
        )
        return reference_networks.randomise(net)
    body = resnet_fpn_backbone(backbone_name="resnet50", weights=None, trainable_layers=3)
    net = reference_networks.randomise(KeypointRCNN(body, 2, num_keypoints=keypoints, **THEIRS))
    made = torch.Generator().manual_seed(1)
    for part in net.modules():
        if isinstance(part, FrozenBatchNorm2d):
            part.weight.uniform_(0.005, 0.01, generator=made)
            part.running_var.uniform_(5e-5, 1.5e-4, generator=made)  # an epsilon would be felt
    overwrite_eps(net, 0.0)
    return net


def from_file(net: nn.Module, name: str, folder: Path, *changes: str) -> PoseModule:
    torch.save(net.state_dict(), folder / "weights.pth")
    kind = pretrained_model(name)
    config, skeleton = pretrained_config(kind, [*OURS, *changes])
    return load_weights(folder / "weights.pth", kind, config, skeleton)[0]


def images(count: int = 2) -> Tensor:
    coarse = torch.rand(count, 3, 12, 16, generator=torch.Generator().manual_seed(0))
    return (nn.functional.interpolate(coarse, size=SIZE, mode="bilinear") * 255).to(torch.uint8)


@pytest.mark.parametrize(
    ("name", "frozen"), [("keypoint_rcnn_r50", True), ("keypoint_rcnn_legacy_r50", False)]
)
@torch.inference_mode()
def test_the_same_people_are_detected(name: str, frozen: bool, tmp_path: Path) -> None:
    net, seen = published(frozen), images()
    module: Any = from_file(net, name, tmp_path)
    found = module.flip_tested(module(seen), seen)
    for n, theirs in enumerate(net(list(seen.float() / 255))):
        valid = found.valid[n]
        assert valid.sum() == len(theirs["boxes"]) > 0
        same(found.boxes[n, valid], theirs["boxes"], 1e-5 * max(SIZE))
        same(found.scores[n, valid], theirs["scores"], 1e-5)
        same(found.keypoints[n, valid], theirs["keypoints"][..., :2], 1e-5 * max(SIZE))
        assert theirs["keypoints"][..., :2].std() > 1
    assert ((found.confidences > 0) & (found.confidences <= 1))[found.valid].all()


def same(got: Tensor, expected: Tensor, within: float) -> None:
    torch.testing.assert_close(got, expected, rtol=0, atol=within)


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    """Their keys and shapes."""
    with torch.device("meta"):
        net: Any = keypointrcnn_resnet50_fpn(weights=None, weights_backbone=None)
    return dict(net.state_dict())


def taken(state: dict[str, Tensor], name: str = "keypoint_rcnn_legacy_r50") -> ConvertedState:
    kind = pretrained_model(name)
    config, skeleton = pretrained_config(kind)
    with torch.device("meta"):
        module = build.module(config, skeleton)
    return convert_state(state, kind.keys, module.state_dict())


def test_files_older_than_names_in_blocks_are_read(state: dict[str, Tensor]) -> None:
    """As the published files are: no counters, and no numbers for layers of one convolution."""
    old = {
        re.sub(r"(_blocks\.\d|head\.conv)(?:\.0)+\.", r"\1.", key): value
        for key, value in state.items()
        if not key.endswith("num_batches_tracked")
    }
    assert {"backbone.fpn.inner_blocks.0.weight", "rpn.head.conv.bias"} <= set(old)
    weights, left_over = taken(old)
    assert left_over == ()
    for ours, theirs in (
        ("net.neck.pyramid.layer_blocks.3.0.weight", "backbone.fpn.layer_blocks.3.weight"),
        ("net.head.rpn.head.conv.0.0.weight", "rpn.head.conv.weight"),
        ("net.backbone.net.layer4.2.bn3.bias", "backbone.body.layer4.2.bn3.bias"),
    ):
        assert weights[ours] is old[theirs]


def test_only_frozen_normalisation_loses_its_epsilon(state: dict[str, Tensor]) -> None:
    """Frozen layers count no batches; a network built without weights does, and keeps it."""
    frozen = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    ours, theirs = "net.backbone.net.bn1.weight", "backbone.body.bn1.weight"
    assert taken(state, "keypoint_rcnn_r50").weights[ours] is state[theirs]
    assert taken(frozen, "keypoint_rcnn_r50").weights[ours] is not state[theirs]
    assert taken(frozen).weights[ours] is state[theirs]


def test_other_networks_raise(state: dict[str, Tensor]) -> None:
    boxes_alone = {key: value for key, value in state.items() if ".keypoint_" not in key}
    with pytest.raises(InputError, match=r"found none for net\.head\.roi_heads\.keypoint_head"):
        taken(boxes_alone)
    lowres = "roi_heads.keypoint_predictor.kps_score_lowres"
    fourteen = {
        **state,
        f"{lowres}.weight": state[f"{lowres}.weight"][:, :14],
        f"{lowres}.bias": state[f"{lowres}.bias"][:14],
    }
    with pytest.raises(InputError, match=r"expected the shapes .*\(512, 14, 4, 4\) instead of"):
        taken(fourteen)
    with_masks = {**state, "roi_heads.mask_head.mask_fcn1.weight": torch.zeros(1)}
    with pytest.raises(InputError, match="the unknown roi_heads.mask_head.mask_fcn1.weight"):
        taken(with_masks)


def test_their_convention_comes_along() -> None:
    assert pretrained_model("keypointrcnn_resnet50_fpn").name == "keypoint_rcnn_r50"
    config, skeleton = pretrained_config(pretrained_model("keypoint_rcnn_r50"))
    method, framing = config.method, config.framing
    assert (method.codec.labels, method.frozen_statistics) == ("corner", True)
    assert not config.flip_test
    assert (framing.short, framing.long, len(skeleton)) == (800, 1333, 17)
