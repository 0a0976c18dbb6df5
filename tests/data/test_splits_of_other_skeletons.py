"""Two splits with different skeletons: the sentence says what differs."""

from __future__ import annotations

from dataclasses import replace

from poselab.data.datamodule import skeleton_difference
from poselab.skeletons import COCO17, MPII16


def test_the_difference_of_two_skeletons_is_named():
    without_limbs = replace(COCO17, limbs=())
    assert skeleton_difference(COCO17, without_limbs).startswith("limbs (19 and 0 pairs")
    assert "number 1 is nose and right_ankle" in skeleton_difference(COCO17, MPII16)
    shorter = replace(without_limbs, keypoints=COCO17.keypoints[:5], sigmas=None)
    assert skeleton_difference(COCO17, shorter) == "numbers of keypoints (17 and 5)"
    assert skeleton_difference(COCO17, replace(COCO17, sigmas=None)) == "sigmas"
