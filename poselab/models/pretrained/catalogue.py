"""Published models whose weights can be imported, each as an experiment and its overrides.

Besides the network, an entry states how its authors' code treats pixels: the pixel convention, the
normalisation of images (SimpleBaseline's code, and so the ResNets of DARK, UDP and SimCC, takes
BGR), the shift of flipped outputs, and the decoder.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from poselab.models.pretrained import (
    keypoint_rcnn,
    mmpose,
    mmpose_networks,
    repositories,
    vitpose,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from poselab.models.pretrained.key_map import KeyMap


@dataclass(frozen=True)
class PretrainedModel:
    """A published checkpoint, imported as a run of ``experiment`` with ``overrides``.

    keys: the rules that rename its keys.
    """

    name: str
    experiment: str
    keys: KeyMap
    overrides: tuple[str, ...] = ()


SIZES = ("256x192", "384x288")
VITS = ("small", "base", "large", "huge")
_INPUT = "+backbone.input._target_=poselab.models.backbones.renormalise.Renormalise"
_BGR = (_INPUT, "+backbone.input.order=bgr")
_RLE_INPUT = (
    _INPUT,
    "+backbone.input.mean=[0.406,0.457,0.48]",
    "+backbone.input.std=[1.0,1.0,1.0]",
)
_CODE = "method.codec.code={}"
_MMPOSE_SIMCC = (_CODE.format("mmpose"), "method.codec.score=logit")
_UNBIASED = ("method.codec.encoding=unbiased", "method.codec.decoder=dark")
_UDP = ("method.codec.encoding=unbiased", "method.codec.decoder=udp")
_HRNET_COORDINATES = "method.codec._target_=poselab.codecs.coordinate.HrnetCoordinateCodec"
_COORDINATES = ("framing.pixels=hrnet",)
_MMPOSE_BOXES = "framing.clip=mmpose"
_MMPOSE_CROP = ("framing.pixels=hrnet", _MMPOSE_BOXES)
_SMOOTHED = "method.codec.smoothing=gaussian"


def _heatmaps(code: str, blur: int | None = None) -> tuple[str, ...]:
    """Heatmaps decoded by the rules of ``code``, blurred by a kernel of ``blur`` cells."""
    rules = _CODE.format(code)
    return (rules,) if blur is None else (rules, f"method.codec.blur={blur}")


def _hrnet_code() -> Iterator[PretrainedModel]:
    """SimpleBaseline and HRNet."""
    decoder, resnet, hrnet = (
        _heatmaps("hrnet"),
        repositories.POSE_RESNET,
        repositories.POSE_HRNET,
    )
    for suite, sizes in (("coco", SIZES), ("mpii", ("256x256",))):
        of = "" if suite == "coco" else "mpii_"
        for size in sizes:
            for depth in (50, 101, 152):
                name, base = f"simple_baseline_r{depth}_{of}{size}", f"heatmap_r{depth}_{size}"
                yield PretrainedModel(name, f"{suite}/{base}", resnet, (*decoder, *_BGR))
            for width in (32, 48):
                base = f"{suite}/hrnet_w{width}_{size}"
                yield PretrainedModel(f"hrnet_w{width}_{of}{size}", base, hrnet, decoder)


def _dark() -> Iterator[PretrainedModel]:
    """DARK's code, with its own crops, and grids that share first and last pixel as UDP's do."""
    resnet, hrnet = repositories.POSE_RESNET, repositories.POSE_HRNET
    dark_crop = "framing._target_=poselab.data.dark_crop.DarkCrop"
    crop = (dark_crop, "framing.pixels=udp", "framing.clip=dark")
    wide, narrow = ((*_heatmaps("dark", blur), *_UNBIASED, *crop) for blur in (11, 3))
    yield PretrainedModel("dark_r50_128x96", "coco/dark_r50_128x96", resnet, (*narrow, *_BGR))
    yield PretrainedModel("dark_w32_128x96", "coco/dark_w32_128x96", hrnet, narrow)
    yield PretrainedModel("dark_w48_128x96", "coco/dark_w48_128x96", hrnet, wide)
    for size in SIZES:
        for depth in (50, 101, 152):
            base = f"coco/heatmap_r{depth}_{size}"
            yield PretrainedModel(f"dark_r{depth}_{size}", base, resnet, (*wide, *_BGR))
        for width in (32, 48):
            yield PretrainedModel(
                f"dark_w{width}_{size}", f"coco/hrnet_w{width}_{size}", hrnet, wide
            )


def _udp() -> Iterator[PretrainedModel]:
    """UDP's discs and offsets, and its Gaussians; its code widens HRNet's last fusion for both."""
    offsets = _CODE.format("udp")
    gaussian = (*_heatmaps("udp", 7), "framing.pixels=udp", *_UDP)
    resnet, hrnet = repositories.POSE_RESNET, repositories.POSE_HRNET
    for size in SIZES:
        base = f"udp_offset_r50_{size}"
        yield PretrainedModel(base, f"coco/{base}", resnet, (offsets, *_BGR))
        for width in (32, 48):
            base = f"udp_offset_w{width}_{size}"
            yield PretrainedModel(base, f"coco/{base}", hrnet, (offsets,))
    for suite, sizes in (("coco", SIZES), ("mpii", ("256x256",))):
        of = "" if suite == "coco" else "mpii_"
        for size in sizes:
            for depth in (50, 101, 152):
                name, base = f"udp_r{depth}_{of}{size}", f"{suite}/heatmap_r{depth}_{size}"
                yield PretrainedModel(name, base, resnet, (*gaussian, *_BGR))
            for width in (32, 48):
                name, base = f"udp_w{width}_{of}{size}", f"{suite}/hrnet_w{width}_{size}"
                yield PretrainedModel(
                    name, base, hrnet, (*gaussian, f"backbone=hrnet_w{width}_wide")
                )


def _simcc() -> Iterator[PretrainedModel]:
    equal, gaussian = (
        _CODE.format("simcc"),
        (_CODE.format("simcc"), _SMOOTHED, "method.keypoint_threshold=0.005"),
    )
    resnet, hrnet = repositories.SIMCC_RESNET, repositories.SIMCC_HRNET
    for base in ("r50_256x192", "r101_256x192", "r50_384x288"):
        yield PretrainedModel(f"simcc_{base}", f"coco/simcc_{base}", resnet, (equal, *_BGR))
    for base in ("w32_256x192", "w48_256x192"):
        yield PretrainedModel(f"simcc_{base}", f"coco/simcc_{base}", hrnet, (equal,))
    base = "simcc_gaussian_r50_384x288"
    yield PretrainedModel(base, f"coco/{base}", resnet, (*gaussian, *_BGR))
    base = "simcc_gaussian_w48_384x288"
    yield PretrainedModel(base, f"coco/{base}", hrnet, gaussian)
    name, base = "simcc_gaussian_w48_256x192", "coco/simcc_w48_256x192"
    yield PretrainedModel(
        name, base, hrnet, (*gaussian, "method.codec.sigma=4.0", "method.keypoint_threshold=0.01")
    )


def _regression() -> Iterator[PretrainedModel]:
    """RLE's code, and mmpose's RLE and DeepPose."""
    decoder, rle = (
        (_HRNET_COORDINATES, *_COORDINATES),
        "coco/rle_r50_256x192",
    )
    yield PretrainedModel("rle_r50_256x192", rle, repositories.RLE, (*decoder, *_RLE_INPUT))
    for depth in (50, 101, 152):
        made = (f"backbone=resnet{depth}", *decoder, _MMPOSE_BOXES)
        plain = (*made, "method.head.normalise=false")
        yield PretrainedModel(f"mmpose_rle_r{depth}_256x192", rle, mmpose.RLE, plain)
        base = "coco/direct_r50_256x192"
        yield PretrainedModel(f"mmpose_deeppose_r{depth}_256x192", base, mmpose.DEEPPOSE, made)
    larger = (*plain, "framing.size=[384,288]")
    yield PretrainedModel("mmpose_rle_r152_384x288", rle, mmpose.RLE, larger)


def _mmpose() -> Iterator[PretrainedModel]:
    """Heatmaps, DARK, UDP and SimCC of mmpose 1.x."""
    decoder = (*_heatmaps("mmpose"), _MMPOSE_BOXES)
    usual, wide = ((*_heatmaps("mmpose", blur), *_UNBIASED, _MMPOSE_BOXES) for blur in (11, 17))
    for size in SIZES:
        for depth in (50, 101, 152):
            base, keys = f"coco/heatmap_r{depth}_{size}", mmpose.HEATMAP_RESNET
            yield PretrainedModel(f"mmpose_heatmap_r{depth}_{size}", base, keys, decoder)
            dark = wide if (depth, size) == (152, "384x288") else usual
            yield PretrainedModel(f"mmpose_dark_r{depth}_{size}", base, keys, dark)
        for width in (32, 48):
            base, keys = f"coco/hrnet_w{width}_{size}", mmpose.HEATMAP_HRNET
            yield PretrainedModel(f"mmpose_hrnet_w{width}_{size}", base, keys, decoder)
            yield PretrainedModel(f"mmpose_dark_w{width}_{size}", base, keys, usual)
            base, name = f"coco/udp_w{width}_{size}", f"mmpose_udp_w{width}_{size}"
            yield PretrainedModel(name, base, keys, (*_heatmaps("mmpose", 11), _MMPOSE_BOXES))
        base, name = f"coco/simcc_r50_{size}", f"mmpose_simcc_r50_{size}"
        simcc = (*_MMPOSE_SIMCC, _SMOOTHED, _MMPOSE_BOXES, "method.keypoint_threshold=0.2")
        yield PretrainedModel(name, base, mmpose.SIMCC_RESNET, simcc)
    offsets = (
        _CODE.format("mmpose"),
        "method.codec.disc_blur=23",
        "method.codec.offset_blur=1",
        "method.codec.radius=3.5",
        "backbone=hrnet_w32",
        _MMPOSE_BOXES,
    )
    base, name = "coco/udp_offset_w32_256x192", "mmpose_udp_offset_w32_256x192"
    yield PretrainedModel(name, base, mmpose.HEATMAP_HRNET, offsets)


def _mmpose_networks() -> Iterator[PretrainedModel]:
    """Lite-HRNet, convolutional pose machines and the hourglass of mmpose 1.x."""
    decoder = (*_heatmaps("mmpose"), *_MMPOSE_CROP)
    fusion = "backbone.authors_fusion=true"
    for size in SIZES:
        for modules in (18, 30):
            base, keys = f"lite_hrnet_{modules}_{size}", mmpose_networks.LITE_HRNET
            yield PretrainedModel(f"mmpose_{base}", f"coco/{base}", keys, (*decoder, fusion))
        base, keys = f"cpm_{size}", mmpose_networks.CPM
        yield PretrainedModel(f"mmpose_{base}", f"coco/{base}", keys, decoder)
    base, keys = "coco/hrnet_w32_256x192", mmpose_networks.HOURGLASS
    for side in (256, 384):
        hourglass = ("backbone=hourglass52", f"framing.size=[{side},{side}]", *decoder)
        yield PretrainedModel(f"mmpose_hourglass52_{side}x{side}", base, keys, hourglass)


def _mmpose_integral() -> Iterator[PretrainedModel]:
    """Integral regression, its debiased variant and DSNT of mmpose 1.x."""
    head = "method.head._target_=poselab.methods.integral.reference_head.MmposeSoftArgmaxHead"
    plain = (_HRNET_COORDINATES, head, *_MMPOSE_CROP)
    for name in ("integral", "integral_debiased", "dsnt"):
        base = f"{name}_r50_256x256"
        yield PretrainedModel(f"mmpose_{base}", f"coco/{base}", mmpose.INTEGRAL, plain)


def _mmpose_mpii() -> Iterator[PretrainedModel]:
    """mmpose 1.x on MPII, whose boxes are not cut to the image."""
    pixels = "framing.pixels=hrnet"
    decoder = (*_heatmaps("mmpose"), pixels)
    dark = (*_heatmaps("mmpose", 11), *_UNBIASED, pixels)
    coordinates = (_HRNET_COORDINATES, *_COORDINATES)
    for depth in (50, 101, 152):
        name, base = f"mmpose_heatmap_r{depth}_mpii_256x256", f"mpii/heatmap_r{depth}_256x256"
        yield PretrainedModel(name, base, mmpose.HEATMAP_RESNET, decoder)
        name, base = f"mmpose_deeppose_r{depth}_mpii_256x256", "mpii/direct_r50_256x256"
        changes = (f"backbone=resnet{depth}", *coordinates)
        yield PretrainedModel(name, base, mmpose.DEEPPOSE, changes)
    rle = (*coordinates, "method.head.normalise=false")
    yield PretrainedModel("mmpose_rle_r50_mpii_256x256", "mpii/rle_r50_256x256", mmpose.RLE, rle)
    for width in (32, 48):
        base, keys = f"mpii/hrnet_w{width}_256x256", mmpose.HEATMAP_HRNET
        yield PretrainedModel(f"mmpose_hrnet_w{width}_mpii_256x256", base, keys, decoder)
        yield PretrainedModel(f"mmpose_dark_w{width}_mpii_256x256", base, keys, dark)
    for modules in (18, 30):
        base, keys = f"lite_hrnet_{modules}", mmpose_networks.LITE_HRNET
        theirs = (*decoder, "backbone.authors_fusion=true")
        yield PretrainedModel(f"mmpose_{base}_mpii_256x256", f"mpii/{base}_256x256", keys, theirs)
    yield PretrainedModel(
        "mmpose_cpm_mpii_368x368", "mpii/cpm_368x368", mmpose_networks.CPM, decoder
    )
    for side in (256, 384):
        hourglass = ("backbone=hourglass52", f"framing.size=[{side},{side}]", *decoder)
        name, base = f"mmpose_hourglass52_mpii_{side}x{side}", "mpii/hrnet_w32_256x256"
        yield PretrainedModel(name, base, mmpose_networks.HOURGLASS, hourglass)
    udp = ("backbone=cspnext_medium", "framing.pixels=udp", *_heatmaps("mmpose", 11), *_UDP)
    base = "mpii/heatmap_r50_256x256"
    yield PretrainedModel("mmpose_cspnext_m_mpii_256x256", base, mmpose.HEATMAP_CSPNEXT, udp)
    rtmpose = ("backbone=cspnext_medium", "method=rtmcc", "method.codec.sigma=[5.66,5.66]", pixels)
    simcc = (*rtmpose, *_MMPOSE_SIMCC)
    yield PretrainedModel("rtmpose_m_mpii_256x256", base, mmpose.RTMPOSE, simcc)


def _rtmpose() -> Iterator[PretrainedModel]:
    """RTMPose, by mmpose's authors, and the heatmap networks that pretrain its backbones."""
    decoder = _MMPOSE_SIMCC
    heatmaps = ("method=heatmap", "framing.pixels=udp", *_heatmaps("mmpose", 11), *_UDP)
    larger = (*decoder, "framing.size=[384,288]", "method.codec.sigma=[6.0,6.93]")
    for size in "tsml":
        base = f"coco/rtmpose_{size}_256x192"
        yield PretrainedModel(f"rtmpose_{size}_256x192", base, mmpose.RTMPOSE, decoder)
        name = f"mmpose_cspnext_{size}_256x192"
        yield PretrainedModel(name, base, mmpose.HEATMAP_CSPNEXT, heatmaps)
        if size in "ml":
            yield PretrainedModel(f"rtmpose_{size}_384x288", base, mmpose.RTMPOSE, larger)


def _vitpose() -> Iterator[PretrainedModel]:
    authors, in_transformers = (_heatmaps(code, 11) for code in ("vitpose", "transformers"))
    in_mmpose = (*_heatmaps("mmpose", 11), _MMPOSE_BOXES)
    for size in VITS:
        base = f"coco/vitpose_{size}"
        for of, simple in (("", False), ("_simple", True)):
            repository = vitpose.REPOSITORY_SIMPLE if simple else vitpose.REPOSITORY
            mmpose_keys = mmpose.VITPOSE_SIMPLE if simple else mmpose.VITPOSE
            for zoo, keys, changes in (
                ("", repository, authors),
                ("transformers_", vitpose.TRANSFORMERS, in_transformers),
                ("mmpose_", mmpose_keys, in_mmpose),
            ):
                name, run = f"{zoo}vitpose_{size}{of}_256x192", f"{base}{of}_256x192"
                yield PretrainedModel(name, run, keys, changes)


def _keypoint_rcnn() -> Iterator[PretrainedModel]:
    """torchvision's weights, trained on labels that are measured from the corners of pixels."""
    corners = ("method.codec.labels=corner",)
    base = "coco/keypoint_rcnn_r50"
    yield PretrainedModel("keypoint_rcnn_r50", base, keypoint_rcnn.COCO_V1, corners)
    yield PretrainedModel("keypoint_rcnn_legacy_r50", base, keypoint_rcnn.WITH_EPSILON, corners)


_FAMILIES = (
    _hrnet_code,
    _dark,
    _udp,
    _simcc,
    _regression,
    _mmpose,
    _mmpose_networks,
    _mmpose_integral,
    _mmpose_mpii,
    _rtmpose,
    _vitpose,
    _keypoint_rcnn,
)
CATALOGUE = {one.name: one for family in _FAMILIES for one in family()}

UNSUPPORTED = {
    "vitpose_plus": "ViTPose+ has a mixture of experts in every layer, which no network here has",
    "caffe": "SimpleBaseline's Caffe ResNets stride in the first convolution of a block, ours in "
    "the second",
}
"""Why some weights cannot be imported, by words of their names."""
