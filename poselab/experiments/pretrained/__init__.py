"""Checkpoints of other code bases as runs."""
