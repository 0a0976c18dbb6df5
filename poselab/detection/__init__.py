"""Where people are: every detector behind one small contract, and the boxes that it finds."""

from poselab.detection.base import Detector, Found, Shown
from poselab.detection.finding import BoxRules, find_people

__all__ = ["BoxRules", "Detector", "Found", "Shown", "find_people"]
