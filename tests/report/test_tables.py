"""Tables as LaTeX source, as Markdown and as comma-separated values."""

from __future__ import annotations

from poselab.evaluation.statistics.estimate import Estimate
from poselab.report.tables import Quantity, Row, csv_text, latex, markdown


def test_latex_is_escaped() -> None:
    """LaTeX's default font encoding prints a bare < as an inverted !, and > as an inverted ?."""
    text = latex([{"a_b": "x & y †", "p": "<0.001"}], ["p >= 0.05 is 5 % · 1"])
    assert r"a\_b & p \\" in text
    assert r"x \& y $^\dagger$ & \textless{}0.001 \\" in text
    assert r"p \textgreater{}= 0.05 is 5 \% $\cdot$ 1" in text


def test_intervals_have_columns_of_their_own_in_csv() -> None:
    rows: list[Row] = [
        {"method": "a", "AP": Estimate(0.5, 0.25, 0.625), "size": Quantity(901000, "0.90 M")},
        {"method": "b", "AP": None, "size": None},
    ]
    assert markdown(rows).splitlines()[2:] == [
        "| a | 50.0 [25.0, 62.5] | 0.90 M |",
        "| b | – | – |",
    ]
    assert csv_text(rows).splitlines() == [
        "method,AP,AP low,AP high,size",
        "a,0.5,0.25,0.625,901000",
        "b,,,,",
    ]
