"""Evaluators of predictions: metrics, confidence intervals and error diagnosis, without torch."""
