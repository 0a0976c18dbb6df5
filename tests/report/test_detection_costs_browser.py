"""The section on boxes in headless Chromium: table and bars lead to instances."""

from __future__ import annotations

from pathlib import Path

import pytest
import test_page_browser
from known_errors import UNDETECTED
from test_detection_costs import EVALUATOR, LOST, measured  # noqa: F401  # a fixture
from test_page_browser import Visit, visit  # noqa: F401

from poselab.annotations import Annotations
from poselab.evaluation.comparison import Comparison
from poselab.evaluation.diagnosis.detection_costs import DetectionCost
from poselab.report.detection_costs import detection_costs_section
from poselab.report.page import write_page

pytestmark = test_page_browser.pytestmark


@pytest.fixture(scope="module")
def page(
    annotations: Annotations,
    measured: tuple[Comparison, list[DetectionCost]],  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    comparison, costs = measured
    out = tmp_path_factory.mktemp("page") / "index.html"
    sections = detection_costs_section(costs, annotations, EVALUATOR)
    return write_page(comparison, out, sections=sections)


def test_bars_and_cells_lead_to_undetected_instances(visit: Visit) -> None:  # noqa: F811
    saw, console = visit(
        """
        const bar = leading("#plot-points", "error=false", "=blind");
        saw.words = bar.getAttribute("aria-label");
        await click(bar);
        saw.missed = ids().sort();
        await press("c");
        await click(leading("#plot-costs", "error=false", "=coarse"));
        saw.undetected = ids();
        await click(leading("#boxes td", "error=false", "=blind"));
        saw.again = ids().sort();
        await click(leading("#plot-points", "sort=disagreement", "show=blind"));
        saw.pressed = pressed();
        const box = one("#plot-points svg").getBoundingClientRect();
        saw.bars = all("#plot-points a path").filter((bar) => {
          const { left, right, width } = bar.getBoundingClientRect();
          return width > 0 && left >= box.left && right <= box.right;
        }).length;
        """
    )
    assert saw["words"] == "blind: undetected 9.9"
    assert saw["missed"] == saw["again"] == sorted({100 + int(row) // 2 for row in LOST})
    assert saw["undetected"] == [UNDETECTED]
    assert sum(saw["pressed"]) == 2  # the source and ground truth
    assert saw["bars"] >= 5
    assert console == ""
