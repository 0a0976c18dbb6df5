"""Associative embedding (Newell et al. 2017): keypoints grouped by tags."""
