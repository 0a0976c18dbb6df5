"""Tables as LaTeX source."""

from __future__ import annotations

from poselab.report.tables import latex


def test_what_latex_would_print_otherwise_is_escaped() -> None:
    """Its default font encoding prints a bare < as an inverted !, and > as an inverted ?."""
    text = latex([{"a_b": "x & y †", "p": "<0.001"}], ["p >= 0.05 is 5 % · 1"])
    assert r"a\_b & p \\" in text
    assert r"x \& y $^\dagger$ & \textless{}0.001 \\" in text
    assert r"p \textgreater{}= 0.05 is 5 \% $\cdot$ 1" in text
