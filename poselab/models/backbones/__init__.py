"""Backbones: images (B, 3, H, W) → a list of feature maps; importing this does not import timm."""

from poselab.models.backbones.cspnext import CSPNeXt
from poselab.models.backbones.lite_hrnet import LiteHRNet
from poselab.models.backbones.plain_vit import PlainViT
from poselab.models.backbones.timm_backbone import TimmBackbone
from poselab.models.backbones.tiny import TinyResNet

__all__ = ["CSPNeXt", "LiteHRNet", "PlainViT", "TimmBackbone", "TinyResNet"]
