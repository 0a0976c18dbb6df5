"""PoseLab: train, evaluate and compare 2-D human pose estimation methods on equal terms."""

__version__ = "0.1.0"
