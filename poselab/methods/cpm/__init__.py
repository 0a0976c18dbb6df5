"""Convolutional pose machines (Wei et al. 2016)."""
