"""Generated people: images of articulated bodies with exact labels, in COCO and MPII layout."""

from poselab.synthetic.dataset import generate
from poselab.synthetic.plan import Settings

__all__ = ["Settings", "generate"]
