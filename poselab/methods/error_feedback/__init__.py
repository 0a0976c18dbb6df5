"""Iterative error feedback (Carreira et al. 2016)."""
