"""Coordinate classification: SimCC (Li et al. 2022) and RTMPose's head (Jiang et al. 2023)."""
