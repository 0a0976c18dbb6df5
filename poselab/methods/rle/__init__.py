"""Residual log-likelihood estimation (Li et al. 2021)."""
