"""Stacked hourglasses (Newell et al. 2016)."""
