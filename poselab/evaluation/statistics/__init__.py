"""Uncertainty of metric values: bootstrap over images and seeds; estimates of OKS sigmas."""

MOST_REPLICATES = 100_000
"""Bootstrap replicates at most: their own error is then far below what any interval shows."""
