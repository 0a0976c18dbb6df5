"""The pretrained models of other projects that can be imported, by name."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.models.pretrained import PretrainedModel

MODELS = """\
  simple_baseline_r{50,101,152}_{256x192,384x288,mpii_256x256}
  hrnet_w{32,48}_{256x192,384x288,mpii_256x256}
      microsoft/human-pose-estimation.pytorch, leoxiaobin/deep-high-resolution-net.pytorch
  dark_r50_128x96 dark_w{32,48}_128x96
  dark_r{50,101,152}_{256x192,384x288} dark_w{32,48}_{256x192,384x288}
      ilovepose/DarkPose
  udp_{r50,r101,r152,w32,w48}_{256x192,384x288,mpii_256x256}
  udp_offset_{r50,w32,w48}_{256x192,384x288}
      HuangJunJie2017/UDP-Pose (Gaussians; disc and offsets, of which files of UDPv1 need
      --set method.codec.radius=3.5)
  simcc_{r50,r101,w32,w48}_256x192 simcc_r50_384x288
  simcc_gaussian_{r50,w48}_384x288 simcc_gaussian_w48_256x192
      leeyegy/SimCC (simdr, sa_simdr)
  rle_r50_256x192
      Jeff-sjtu/res-loglikelihood-regression
  vitpose_{small,base,large,huge}_256x192 vitpose_{small,base,large,huge}_simple_256x192
      ViTAE-Transformer/ViTPose
  transformers_vitpose_{small,base,large,huge}_256x192
  transformers_vitpose_{small,base,large,huge}_simple_256x192
      VitPoseForPoseEstimation of transformers: model.safetensors or pytorch_model.bin
  mmpose_{heatmap,dark}_r{50,101,152}_{256x192,384x288}
  mmpose_{hrnet,dark,udp}_w{32,48}_{256x192,384x288} mmpose_udp_offset_w32_256x192
  mmpose_simcc_r50_{256x192,384x288}
  mmpose_{rle,deeppose}_r{50,101,152}_256x192 mmpose_rle_r152_384x288
  mmpose_vitpose_{small,base,large,huge}_256x192
  mmpose_vitpose_{small,base,large,huge}_simple_256x192
  mmpose_lite_hrnet_{18,30}_{256x192,384x288,mpii_256x256}
  mmpose_cpm_{256x192,384x288,mpii_368x368}
  mmpose_hourglass52_{256x256,384x384,mpii_256x256,mpii_384x384}
  mmpose_{integral,integral_debiased,dsnt}_r50_256x256
  mmpose_{heatmap,deeppose}_r{50,101,152}_mpii_256x256 mmpose_rle_r50_mpii_256x256
  mmpose_{hrnet,dark}_w{32,48}_mpii_256x256
  rtmpose_{t,s,m,l}_256x192 rtmpose_{m,l}_384x288 rtmpose_m_mpii_256x256
  mmpose_cspnext_{t,s,m,l}_256x192 mmpose_cspnext_m_mpii_256x256
      open-mmlab/mmpose 1.x
  keypoint_rcnn_r50 keypoint_rcnn_legacy_r50
      torchvision: COCO_V1; COCO_LEGACY, or weights that you trained with torchvision"""

_NAMES_OF_FILES = {
    "pose_resnet_": "simple_baseline_r",
    "pose_hrnet_": "hrnet_",
    "udp_regress": "udp_offset",
    "rtmpose_tiny": "rtmpose_t",
    "cspnext_tiny": "cspnext_t",
    "keypointrcnn_resnet50_fpn": "keypoint_rcnn_r50",
}
"""Parts of the names that the authors give their files, and ours."""

_MMPOSE_CONFIG = r"_\d+xb\d+_\d+e_(?:(?:aic_)?coco|mpii)_\d+x\d+(?:_.*)?"
_PLAIN = r"(?:_fp16|_coarsedropout|_gridmask|_photometric)?"  # the same network, trained otherwise
_NAMES_OF_MMPOSE = (
    (rf"td_hm_hrnet_(w\d+){_PLAIN}", r"mmpose_hrnet_\1"),
    (r"td_hm_hrnet_(w\d+)_(dark|udp)", r"mmpose_\2_\1"),
    (r"td_hm_hrnet_(w\d+)_udp_regress", r"mmpose_udp_offset_\1"),
    (rf"td_hm_res(\d+){_PLAIN}", r"mmpose_heatmap_r\1"),
    (r"td_hm_res(\d+)_dark", r"mmpose_dark_r\1"),
    (r"td_hm_litehrnet_(\d+)", r"mmpose_lite_hrnet_\1"),
    (r"td_hm_(cpm|hourglass52)", r"mmpose_\1"),
    (r"td_hm_(vitpose_[a-z]+(?:_simple)?)", r"mmpose_\1"),
    (r"td_reg_res(\d+)", r"mmpose_deeppose_r\1"),
    (r"td_reg_res(\d+)_rle(?:_pretrained)?", r"mmpose_rle_r\1"),
    (r"ipr_res(\d+)", r"mmpose_integral_r\1"),
    (r"ipr_res(\d+)_debias", r"mmpose_integral_debiased_r\1"),
    (r"ipr_res(\d+)_dsnt", r"mmpose_dsnt_r\1"),
    (r"simcc_res(\d+)", r"mmpose_simcc_r\1"),
    (r"rtmpose_(tiny|t|s|m|l)", r"rtmpose_\1"),
    (r"cspnext_(tiny|t|s|m|l)_udp", r"mmpose_cspnext_\1"),
)
"""Names of mmpose's configs without batch size, epochs, data and size, and ours."""


def pretrained_model(name: str) -> PretrainedModel:
    """The catalogue's entry of a model.

    256x192 may be left out; the authors' names of files and mmpose's of configs work too.

    Raises:
        InputError: there is no such model, or its weights fit no network here.
    """
    from poselab.models.pretrained import CATALOGUE, UNSUPPORTED

    given = name.lower().replace("-", "_").replace("+", "_plus")
    wanted = _ours(given)
    of_mpii = wanted.replace("_256x256", "_mpii_256x256")  # SimpleBaseline and HRNet leave it out
    for full in (given, f"{given}_256x192", wanted, f"{wanted}_256x192", of_mpii):
        if full in CATALOGUE:
            return CATALOGUE[full]
    for word, reason in UNSUPPORTED.items():
        if word.replace("_", "") in wanted.replace("_", ""):
            raise InputError(f"expected weights that fit a network here, got {name}: {reason}")
    close = difflib.get_close_matches(wanted, CATALOGUE, n=3, cutoff=0.4)
    advice = f"did you mean {' or '.join(close)}? " if close else ""
    raise InputError(
        f"expected the name of a pretrained model, got {name!r}; {advice}`poselab import-weights "
        "--help` lists all"
    )


def _ours(name: str) -> str:
    """Our name for the authors' name of a file or of mmpose's config."""
    for pattern, ours in _NAMES_OF_MMPOSE:
        if found := re.fullmatch(pattern + _MMPOSE_CONFIG, name):
            of, size = re.findall(r"_(coco|mpii)_(\d+x\d+)", name)[0]
            of = "_mpii" if of == "mpii" else ""
            return f"{found.expand(ours)}{of}_{size}".replace("_tiny_", "_t_")
    for theirs, ours in _NAMES_OF_FILES.items():
        name = name.replace(theirs, ours)
    return name
