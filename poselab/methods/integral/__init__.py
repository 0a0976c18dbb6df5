"""Integral regression (Sun et al. 2018): the mean of a heatmap as position."""
