"""Durations in words."""

from __future__ import annotations


def duration_in_words(seconds: float) -> str:
    """A duration as "41 s", "12 min" or "3 h 20 min"; days from 48 hours on."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if minutes < 90:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h {minutes % 60} min" if hours < 48 else f"{hours / 24:.1f} days"
