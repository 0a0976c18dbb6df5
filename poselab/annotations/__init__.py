"""What people labelled: one reader a format, one columnar table, its cache and its checks."""

from poselab.annotations.opening import open_annotations
from poselab.annotations.table import Annotations

__all__ = ["Annotations", "open_annotations"]
