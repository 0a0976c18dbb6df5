"""Rules that rename keys of other model zoos: strict, and they report keys that are not needed."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from poselab import geometry
from poselab.data.framing import AffineParameters
from poselab.experiments import build
from poselab.experiments.config.names import experiment_names
from poselab.experiments.pretrained.import_weights import pretrained_config
from poselab.experiments.pretrained.models import MODELS, pretrained_model
from poselab.io.checkpoints import read_checkpoint
from poselab.models.backbones.renormalise import Renormalise
from poselab.models.backbones.timm_backbone import TimmBackbone
from poselab.models.backbones.weights import read_state
from poselab.models.backbones.wide_hrnet import WideFusionHRNet
from poselab.models.pretrained import CATALOGUE, KeyMap, convert_state
from poselab.models.pretrained.mmpose import RLE
from poselab.structures import InputError

RULES = KeyMap(renames=((r"their\.(.+)", r"our.\1"),), unused=(r"teacher\..+",))
WANTED = {"our.weight": torch.zeros(2, 3), "our.num_batches_tracked": torch.tensor(0)}


def test_keys_are_renamed_and_unused_ones_reported() -> None:
    state = {"their.weight": torch.ones(2, 3), "teacher.weight": torch.ones(1)}
    taken = convert_state(state, RULES, WANTED)
    assert taken.left_over == ("teacher.weight",)
    assert torch.equal(taken.weights["our.weight"], torch.ones(2, 3))
    assert set(taken.weights) == set(WANTED), "a counter that old PyTorch did not save is ours"


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ({}, "found none for our.weight; choose"),
        (
            {"their.weight": torch.ones(2, 3), "more": torch.ones(1)},
            "found the unknown more; choose",
        ),
        (
            {"their.weight": torch.ones(2, 3), "their.bias": torch.ones(2)},
            "found the unknown their.bias",
        ),
        ({"their.weight": torch.ones(3, 2)}, r"our.weight \(3, 2\) instead of \(2, 3\)"),
    ],
)
def test_other_keys_and_shapes_raise(state: dict[str, Tensor], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        convert_state(state, RULES, WANTED)


def test_a_step_that_finds_nothing_raises_one_sentence() -> None:
    with pytest.raises(InputError, match=r"found nothing that fits 'head\.fc\.weight'"):
        convert_state({"backbone.conv1.weight": torch.ones(1)}, RLE, WANTED)


def alternatives(word: str) -> list[str]:
    """a_{b,c} as a_b and a_c."""
    parts = [part.split(",") for part in re.split(r"[{}]", word)]
    return ["".join(choice) for choice in itertools.product(*parts)]


def test_help_lists_every_model_and_no_other() -> None:
    lines = [line for line in MODELS.splitlines() if not line.startswith("      ")]
    listed = [name for line in lines for word in line.split() for name in alternatives(word)]
    assert sorted(listed) == sorted(CATALOGUE)
    assert len(set(listed)) == len(listed)


def test_every_model_names_an_experiment_of_its_input() -> None:
    there = set(experiment_names())
    assert all(one.experiment in there for one in CATALOGUE.values())
    for one in CATALOGUE.values():
        size = one.name.rpartition("_")[2]
        if "x" not in size:  # of whole images
            continue
        asked = "framing.size=[{},{}]".format(*size.split("x"))
        assert one.experiment.endswith(size) or asked in one.overrides


@pytest.mark.parametrize(
    ("name", "pixels", "codec"),
    [
        ("hrnet_w48_384x288", "hrnet", "hrnet"),
        ("pose_resnet_101", "hrnet", "hrnet"),
        ("dark_w32", "udp", "dark"),
        ("udp_offset_r50", "udp", "udp"),
        ("mmpose_udp_w32", "udp", "mmpose"),
        ("mmpose_udp-regress_w32", "udp", "mmpose"),
        ("udp_w32_mpii_256x256", "udp", "udp"),
        ("udp_r50", "udp", "udp"),
        ("rtmpose-m_384x288", "hrnet", "mmpose"),
        ("mmpose_cspnext-tiny", "udp", "mmpose"),
        ("rle_r50", "hrnet", "HrnetCoordinateCodec"),
        ("mmpose_rle_r152_384x288", "hrnet", "HrnetCoordinateCodec"),
        ("simcc_gaussian_w48_384x288", "hrnet", "simcc"),
        ("ViTPose-Base", "udp", "vitpose"),
        ("transformers_vitpose_base", "udp", "transformers"),
        ("hrnet_w32_mpii_256x256", "hrnet", "hrnet"),
    ],
)
def test_the_convention_comes_along(name: str, pixels: str, codec: str) -> None:
    config, skeleton = pretrained_config(pretrained_model(name))
    assert config.framing.pixels == pixels
    codec_class = config.method.codec["_target_"].rpartition(".")[2]
    assert codec in (codec_class, config.method.codec.get("code"))
    assert config.published == {}
    assert config.framing.reduced_jpeg is False, "the authors' code decodes whole images"
    assert len(skeleton) == (16 if "mpii" in name else 17)


@pytest.mark.parametrize(
    ("name", "keypoint_threshold"),
    [
        ("simcc_r50", 0.01),
        ("simcc_w48", 0.01),
        ("simcc_gaussian_w48_256x192", 0.01),
        ("simcc_gaussian_r50_384x288", 0.005),
        ("mmpose_simcc_r50", 0.2),
        ("hrnet_w32", 0.2),
    ],
)
def test_the_keypoint_threshold_comes_along(name: str, keypoint_threshold: float) -> None:
    """As IN_VIS_THRE of the authors' experiments says, or mmpose's metric."""
    assert (
        pretrained_config(pretrained_model(name))[0].postprocess.keypoint_threshold
        == keypoint_threshold
    )


@pytest.mark.parametrize("scale", [1.0, 1.3])
def test_darks_crop_is_darks(scale: float) -> None:
    """Its three points: the centre and, half a width of last pixels above it, the middle of the
    upper edge go to those of the input; the rest follows without shear."""
    config, _ = pretrained_config(pretrained_model("dark_w32"))
    framing, box = build.framing(config), np.array([100.0, 60.0, 90.0, 200.0])
    width = 200 * 192 / 256 * 1.25 * scale
    centre = np.array([100 + (90 - 1) / 2, 60 + (200 - 1) / 2])
    points = centre + (width - 1) / 2 * np.array([[0, 0], [0, -1], [-1, 0]])
    expected = np.array([95.5, 127.5]) + 191 / 2 * np.array([[0, 0], [0, -1], [-1, 0]])
    matrix = framing.matrix(framing.area(box), AffineParameters(scale=scale))
    np.testing.assert_allclose(geometry.apply(matrix, points), expected, atol=1e-9)


def test_renormalise_replaces_the_normalisation() -> None:
    pixels = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    mean, std = (
        torch.tensor(v).view(3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    )
    options: dict[str, Any] = {"input_size": (32, 32), "name": "resnet18"}
    ours = TimmBackbone(**options)
    changed = Renormalise(order="bgr", mean=[0.1, 0.2, 0.3], std=[1.0, 2.0, 4.0])
    other = TimmBackbone(**options, input=changed)
    other.load_state_dict(ours.state_dict())
    own = torch.stack([pixels[:, 2] - 0.1, (pixels[:, 1] - 0.2) / 2, (pixels[:, 0] - 0.3) / 4], 1)
    with torch.inference_mode():
        got = other.eval()((pixels - mean) / std)[-1]
        torch.testing.assert_close(got, ours.eval()(own)[-1], rtol=1e-4, atol=1e-5)


def test_a_wide_hrnet_reports_its_width() -> None:
    assert (
        WideFusionHRNet(input_size=(64, 64), name="hrnet_w18_small").feature_info[0].channels == 64
    )
    with pytest.raises(InputError, match="expected an HRNet read at reduction 4, got resnet18"):
        WideFusionHRNet(input_size=(64, 64), name="resnet18", reductions=[4])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"hello", "it was not made by torch.save"),  # where pickle would say KeyError
        (b"backbone: 3", "it was not made by torch.save"),  # IndexError
        (b"version https://git-lfs.github.com/spec/v1", "it was not made by torch.save"),
        (b"", "it ends too early"),
        (b"PK\x03\x04 cut off", "(it ends too early|PytorchStreamReader failed)"),
    ],
)
def test_a_file_of_anything_else_is_reported_in_one_line(
    content: bytes, said: str, tmp_path: Path
) -> None:
    (tmp_path / "x.pth").write_bytes(content)
    with pytest.raises(InputError, match=f"expected a state dict of x in .*, but {said}") as caught:
        read_state(tmp_path / "x.pth", "x")
    with pytest.raises(InputError, match=f"expected a checkpoint at .*, but {said}"):
        read_checkpoint(tmp_path / "x.pth", "poselab")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_listed_name_is_its_models(name: str) -> None:
    assert pretrained_model(name).name == name


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("td-hm_hrnet-w48_8xb32-210e_coco-256x192", "mmpose_hrnet_w48_256x192"),
        ("td-hm_hrnet-w32_dark-8xb64-210e_coco-384x288", "mmpose_dark_w32_384x288"),
        ("td-hm_hrnet-w32_udp-regress-8xb64-210e_coco-256x192", "mmpose_udp_offset_w32_256x192"),
        ("td-hm_res152_8xb32-210e_coco-384x288", "mmpose_heatmap_r152_384x288"),
        (
            "td-hm_ViTPose-small-simple_8xb64-210e_coco-256x192",
            "mmpose_vitpose_small_simple_256x192",
        ),
        ("td-reg_res50_rle-8xb64-210e_coco-256x192", "mmpose_rle_r50_256x192"),
        ("simcc_res50_8xb64-210e_coco-256x192", "mmpose_simcc_r50_256x192"),
        ("rtmpose-tiny_8xb256-420e_coco-256x192", "rtmpose_t_256x192"),
        ("pose_hrnet_w32_256x192", "hrnet_w32_256x192"),
        ("pose_hrnet_w48_256x256", "hrnet_w48_mpii_256x256"),
        ("pose_resnet_101_256x256", "simple_baseline_r101_mpii_256x256"),
        ("td-hm_hrnet-w32_fp16-8xb64-210e_coco-256x192", "mmpose_hrnet_w32_256x192"),
        ("td-hm_hrnet-w32_dark-8xb64-210e_mpii-256x256", "mmpose_dark_w32_mpii_256x256"),
        ("td-hm_litehrnet-18_8xb32-210e_coco-384x288", "mmpose_lite_hrnet_18_384x288"),
        ("td-hm_cpm_8xb64-210e_mpii-368x368", "mmpose_cpm_mpii_368x368"),
        ("td-hm_hourglass52_8xb32-210e_coco-384x384", "mmpose_hourglass52_384x384"),
        ("ipr_res50_8xb64-210e_coco-256x256", "mmpose_integral_r50_256x256"),
        ("ipr_res50_debias-8xb64-210e_coco-256x256", "mmpose_integral_debiased_r50_256x256"),
        ("ipr_res50_dsnt-8xb64-210e_coco-256x256", "mmpose_dsnt_r50_256x256"),
        ("td-reg_res50_rle-8xb64-210e_mpii-256x256", "mmpose_rle_r50_mpii_256x256"),
        ("rtmpose-m_8xb256-420e_aic-coco-384x288", "rtmpose_m_384x288"),
        ("rtmpose-m_8xb64-210e_mpii-256x256", "rtmpose_m_mpii_256x256"),
    ],
)
def test_names_of_configs_and_files_are_known(theirs: str, ours: str) -> None:
    assert pretrained_model(theirs).name == ours


MMPOSE_KEYS = json.loads((Path(__file__).parent / "mmpose_keys.json").read_text())
"""Keys and shapes of networks that mmpose 1.3.2 builds, three of them with fewer blocks."""


@pytest.mark.parametrize(
    ("name", "smaller"),
    [
        ("mmpose_lite_hrnet_18_256x192", ["backbone.modules=[1,1,1]"]),
        ("mmpose_cpm_256x192", ["method.head.stages=2"]),
        ("mmpose_hourglass52_256x256", []),
        ("mmpose_integral_debiased_r50_256x256", []),
    ],
)
def test_every_tensor_of_mmposes_networks_is_taken(name: str, smaller: list[str]) -> None:
    with torch.device("meta"):
        state = {key: torch.empty(shape) for key, shape in MMPOSE_KEYS[name].items()}
        pretrained = pretrained_model(name)
        module = build.module(*pretrained_config(pretrained, smaller))
        taken = convert_state(state, pretrained.keys, module.state_dict())
    # Constants, and a block that nothing uses without a second hourglass.
    assert all("linspace" in key or "inters" in key for key in taken.left_over)
    counted = {key for key in taken.weights if not key.endswith("num_batches_tracked")}
    assert len(counted) == len(state) - len(taken.left_over)
