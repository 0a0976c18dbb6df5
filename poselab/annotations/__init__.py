"""Annotated images: one reader per format, one columnar table, its cache and its checks."""

from poselab.annotations.open import fingerprint_of, layout_of, open_annotations
from poselab.annotations.table import Annotations

__all__ = ["Annotations", "fingerprint_of", "layout_of", "open_annotations"]
