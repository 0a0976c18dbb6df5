"""Backbones report their features, train in every part, and raise on what does not fit."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any
from urllib.error import URLError

import pytest
import torch

from poselab.models.backbones import TimmBackbone, TinyResNet, weights
from poselab.models.feature_info import FeatureInfo
from poselab.structures import InputError

if TYPE_CHECKING:
    from pathlib import Path

SIZE = (128, 96)
CASES: list[tuple[str, dict[str, Any], list[int]]] = [
    ("resnet18", {}, [4, 8, 16, 32]),
    ("resnet18", {"reductions": [4, 16]}, [4, 16]),
    ("mobilenetv2_050", {}, [4, 8, 16, 32]),
    ("mobilenetv3_small_050", {}, [4, 8, 16, 32]),
    ("vit_tiny_patch16_224", {"drop_path": 0.1}, [16]),
    ("hrnet_w18_small", {}, [4, 8, 16, 32]),
    ("hrnet_w18_small", {"reductions": [4]}, [4]),
    ("hrnet_w18_small", {"reductions": [8, 32]}, [8, 32]),
    ("convnext_atto", {}, [4, 8, 16, 32]),
]


def built(name: str = "resnet18", size: tuple[int, int] = SIZE, **options: Any) -> TimmBackbone:
    return TimmBackbone(input_size=size, name=name, **options)


def assert_keeps_contract(backbone: Any, reductions: list[int], size: tuple[int, int]) -> None:
    features = backbone(torch.randn(2, 3, *size))
    assert [feature.reduction for feature in backbone.feature_info] == reductions
    for feature, found in zip(backbone.feature_info, features, strict=True):
        rows, columns = (side // feature.reduction for side in size)
        assert found.shape == (2, feature.channels, rows, columns)
    sum((found * torch.randn_like(found)).sum() for found in features).backward()
    assert [name for name, p in backbone.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize(("name", "options", "reductions"), CASES)
def test_features_are_as_announced_and_every_parameter_learns(
    name: str, options: dict[str, Any], reductions: list[int]
) -> None:
    assert_keeps_contract(built(name, **options), reductions, SIZE)


@pytest.mark.parametrize("size", [(64, 64), SIZE])
@pytest.mark.parametrize("blocks", [1, 2])
def test_the_tiny_backbone_has_the_interface_of_all(size: tuple[int, int], blocks: int) -> None:
    backbone = TinyResNet(input_size=size, widths=(8, 16, 24, 32), blocks=blocks)
    assert_keeps_contract(backbone, [4, 8, 16, 32], size)


def test_the_tiny_backbone_is_tiny() -> None:
    parameters = sum(p.numel() for p in TinyResNet(input_size=SIZE).parameters())
    assert parameters < 1e6


def test_hrnet_gives_raw_branches() -> None:
    branches = built("hrnet_w32", (64, 64)).feature_info
    assert branches == (
        FeatureInfo(32, 4),
        FeatureInfo(64, 8),
        FeatureInfo(128, 16),
        FeatureInfo(256, 32),
    )


def test_hrnet_branches_are_those_of_timm_whichever_are_asked_for(tmp_path: Path) -> None:
    import timm

    reference = timm.create_model("hrnet_w18_small", features_only=True, feature_location="").eval()
    torch.save(reference.state_dict(), tmp_path / "w.pth")
    images = torch.randn(1, 3, 64, 64)
    wanted = dict(zip([2, 4, 8, 16, 32], reference(images), strict=True))
    for reductions in ([4, 8, 16, 32], [4], [8, 32]):
        picked = built(
            "hrnet_w18_small", (64, 64), reductions=reductions, weights=str(tmp_path / "w.pth")
        )
        for found, reduction in zip(picked.eval()(images), reductions, strict=True):
            torch.testing.assert_close(found, wanted[reduction])


def test_vision_transformer_fits_its_positions_to_the_input() -> None:
    backbone = built("vit_tiny_patch16_224", (256, 192))
    assert backbone(torch.zeros(1, 3, 256, 192))[0].shape == (1, 192, 16, 12)


def test_equal_seeds_give_equal_networks_and_evaluation_is_deterministic() -> None:
    images = torch.randn(2, 3, *SIZE)
    outputs = []
    for _ in range(2):
        torch.manual_seed(3)
        outputs.append(built("vit_tiny_patch16_224", drop_path=0.5).eval()(images)[-1])
    assert torch.equal(*outputs)
    training = built("vit_tiny_patch16_224", drop_path=0.5).train()
    assert not torch.equal(training(images)[-1], training(images)[-1])


# ---- weights from a file -------------------------------------------------------------------------


def test_weights_fill_the_network_and_the_classifier_is_left_over(tmp_path: Path) -> None:
    source = built()
    state = {f"module.{k}": v for k, v in source.net.state_dict().items()}
    state["module.fc.weight"] = torch.zeros(1000, 512)
    torch.save({"state_dict": state}, tmp_path / "w.pth")
    with pytest.warns(UserWarning, match=r"left over .*fc\.weight"):
        loaded = built(weights=str(tmp_path / "w.pth"), pretrained=True)
    for name, value in source.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name


def test_safetensors_and_position_embeddings_of_another_size(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    source = built("vit_tiny_patch16_224", (224, 224))
    save_file(dict(source.net.state_dict()), tmp_path / "w.safetensors")
    loaded = built("vit_tiny_patch16_224", SIZE, weights=str(tmp_path / "w.safetensors"))
    assert torch.equal(loaded.net.cls_token, source.net.cls_token)
    assert loaded.net.pos_embed.shape[1] == 1 + 8 * 6


def test_weights_that_do_not_fit_raise(tmp_path: Path) -> None:
    file = tmp_path / "w.pth"
    with pytest.raises(InputError, match="no such file"):
        built(weights=str(file))
    file.write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(InputError, match="expected a state dict of resnet18"):
        built(weights=str(file))
    torch.save([1, 2], file)
    with pytest.raises(InputError, match="found other values"):
        built(weights=str(file))
    torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, file)
    with pytest.raises(InputError, match="are missing; is it another network's"):
        built(weights=str(file))
    torch.save({"conv1.weight": torch.zeros(1, 3, 7, 7)}, file)
    with pytest.raises(InputError, match="size mismatch"):
        built(weights=str(file))
    file = tmp_path / "w.safetensors"
    file.write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match="expected a state dict of resnet18"):
        built(weights=str(file))


class Harmful:
    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("code from a weights file was run",))


def test_weights_files_cannot_run_code(tmp_path: Path) -> None:
    torch.save({"conv1.weight": Harmful()}, tmp_path / "w.pth")
    with pytest.raises(InputError, match="expected a state dict"):
        built(weights=str(tmp_path / "w.pth"))


# ---- names, sizes, the hub -----------------------------------------------------------------------


def test_an_unknown_name_raises_with_suggestions() -> None:
    with pytest.raises(InputError, match=r"'resnet5O'; did you mean .*resnet50"):
        built("resnet5O")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reductions": [4, 5]}, r"out of \[2, 4, 8, 16, 32\], got \[4, 5\]"),
        ({"reductions": [8, 4]}, "rising"),
        ({"reductions": []}, "rising"),
        ({"size": (100, 96)}, "divisible by 32"),
        ({"name": "vit_tiny_patch16_224", "size": (100, 96)}, "divisible by 16"),
        ({"name": "hrnet_w18_small", "drop_path": 0.1}, "drop_path_rate"),
        ({"name": "resnet18.no_such_tag", "pretrained": True}, "no_such_tag"),
        ({"name": "resnet18.no_such_tag"}, "no_such_tag"),
    ],
)
def test_what_a_backbone_cannot_do_raises(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        built(**options)


def test_an_unreachable_hub_raises_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: Any, **__: Any) -> None:
        raise URLError("no route")

    monkeypatch.setattr(weights, "urlopen", unreachable)
    monkeypatch.setattr(weights, "_is_cached", lambda _: False)
    with pytest.raises(InputError, match=r"backbone\.weights=FILE or backbone\.pretrained=false"):
        built(pretrained=True)


def test_networks_without_published_weights_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "urlopen", pytest.fail)
    with pytest.raises(InputError, match="timm has none"):
        built("mobilenetv2_035", pretrained=True)


def test_timm_is_imported_only_when_a_backbone_of_it_is_built() -> None:
    code = (
        "import sys, poselab.models.backbones, poselab.models.heads, poselab.models.necks;"
        "print('timm' in sys.modules, 'torchvision' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "False"]
