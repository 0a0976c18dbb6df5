"""Detectors of people behind one small protocol, and the boxes that they detect."""

from poselab.detection.base import DetectedBoxes, Detector, DetectorInput
from poselab.detection.detect import BoxFilter, run_detector

__all__ = ["BoxFilter", "DetectedBoxes", "Detector", "DetectorInput", "run_detector"]
