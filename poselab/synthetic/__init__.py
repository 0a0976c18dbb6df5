"""Generated people: images of articulated bodies with exact annotations, as COCO or MPII."""

from poselab.synthetic.dataset import generate, generated
from poselab.synthetic.settings import Settings

__all__ = ["Settings", "generate", "generated"]
