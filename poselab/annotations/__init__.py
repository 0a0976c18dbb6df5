"""What people labelled: one reader a format, one columnar table, its cache and its checks."""

from poselab.annotations.opening import fingerprint_of, open_annotations
from poselab.annotations.table import Annotations

__all__ = ["Annotations", "fingerprint_of", "open_annotations"]
