"""Keypoint R-CNN (He et al. 2017): boxes and keypoints from one network."""
