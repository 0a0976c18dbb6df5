"""One HTML file that shows a comparison: tables, plots and the images behind every figure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple

import poselab
from poselab.evaluation.metrics.joint_groups import scored
from poselab.io.files import write_bytes
from poselab.report import comparison_table
from poselab.report import error_plots as of_joints
from poselab.report import plots as whole
from poselab.report.analysis import analyse, groups_of
from poselab.report.embedding import LONG_SIDE, embedded, measured
from poselab.report.page_data import MOST_IMAGES, MOST_UNMATCHED, by_disagreement, page_data
from poselab.report.page_tables import (
    contract_rows,
    linked_costs,
    linked_errors,
    linked_pairs,
    linked_summary,
)

if TYPE_CHECKING:
    from pathlib import Path

    from poselab.evaluation.comparison import Comparison
    from poselab.report.analysis import Analysis
    from poselab.report.curves import Curves
    from poselab.report.page_tables import LinkedRow
    from poselab.report.plots import Plot


class Section(NamedTuple):
    """A part of the page: a table and notes to it, plots side by side, and tables to unfold by
    their captions."""

    name: str
    heading: str
    plots: list[Plot]
    tables: list[tuple[str, list[LinkedRow]]]
    table: Sequence[LinkedRow] = ()
    notes: Sequence[str] = ()


More = Callable[[Sequence["Analysis"]], Sequence[Section]]
"""Makes sections of a page's own out of what is known of every method."""


def nothing_more(_: Sequence[Analysis]) -> Sequence[Section]:
    """No sections but those that every page has."""
    return ()


def write_page(
    comparison: Comparison,
    out: Path,
    image_folder: Path | None = None,
    shown: int = 60,
    title: str = "",
    notes: Sequence[str] = (),
    more: More = nothing_more,
) -> Path:
    """Write the page of a comparison, or of one method alone, whole or not at all.

    ``image_folder`` is the folder of the images, of which the ``shown`` that methods differ most about
    are put into the page, and which says how large images are where the labels do not; ``notes``
    stand below the summary after its own; ``more`` makes sections that come first, whose plots
    replace the page's own of the same names.

    Raises:
        InputError: the file cannot be written, or none of the images is in ``image_folder``.
    """
    analyses = analyse(comparison)
    images: dict[int, str] = {}
    if image_folder is not None:
        comparison = replace(comparison, annotations=measured(comparison.annotations, image_folder))
        order = by_disagreement(comparison.annotations, analyses).tolist()
        images = embedded(comparison.annotations, image_folder, order, shown)
    content = _content(comparison, analyses, more(analyses))
    if any(len(method.runs) > 1 for method in comparison.methods):
        content["notes"].append("Errors, bins, curves and images below are of the first seed.")
    content["notes"] += notes
    content["title"] = title or _title(comparison)
    content["about"] = _about(comparison, len(images))
    groups = groups_of(comparison.annotations)
    data = page_data(comparison.annotations, analyses, groups, of_joints.KINDS, images)
    content |= {"groups": list(groups), "data": in_script(data)}
    write_bytes(out, _rendered(content).encode())
    return out


def in_script(data: Any) -> str:
    """JSON that no text inside can end early: it goes between script tags."""
    import orjson

    text = orjson.dumps(data, option=orjson.OPT_NON_STR_KEYS).decode()
    return text.replace("<", "\\u003c")


def _rendered(content: dict[str, Any]) -> str:
    import jinja2

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    here = resources.files("poselab.report")
    content["css"], content["script"], template = (
        (here / f"page.{kind}").read_text(encoding="utf-8") for kind in ("css", "js", "html")
    )
    return environment.from_string(template).render(content)


def _content(
    comparison: Comparison, analyses: Sequence[Analysis], first: Sequence[Section]
) -> dict[str, Any]:
    marked = comparison_table.reasons(comparison)
    taken = {plot.name for section in first for plot in section.plots}
    own = (
        section._replace(plots=[plot for plot in section.plots if plot.name not in taken])
        for section in _sections(comparison, analyses)
    )
    parts = [s for s in (*first, *own) if s.plots or s.tables]
    headings = [("summary", "Summary"), *((s.name, s.heading) for s in parts)]
    return {
        "lead": _lead(comparison),
        "sections": [*headings, ("browser", "Images"), ("comparability", "Conditions")],
        "summary": linked_summary(comparison, marked),
        "notes": comparison_table.notes(comparison, marked),
        "pairs": linked_pairs(comparison) if len(comparison.pairs) > 1 else [],
        "head": _there(whole.primary_metric(comparison), whole.forest(comparison)),
        "parts": parts,
        "methods": [method.name for method in comparison.methods],
        "kinds": of_joints.KINDS[1:],
        "comparability": contract_rows(comparison),
        "version": poselab.__version__,
    }


def _there(*plots: Plot | None) -> list[Plot]:
    return [plot for plot in plots if plot is not None]


def learning(curves: Curves, primary_metric: str) -> More:
    """The section of a training run's curves."""
    plots = _there(whole.learning(curves, primary_metric))
    return lambda _: [Section("learning", "Training", plots, [])]


def _sections(comparison: Comparison, analyses: Sequence[Analysis]) -> list[Section]:
    skeleton = comparison.annotations.skeleton
    metric = comparison.methods[0].metrics[0].comparability["metric"]
    rows = of_joints.joint_rows(skeleton, scored(skeleton) if metric != "oks" else None)
    best = analyses[: whole.MOST_DRAWN]
    of_joint = _drawn(
        len(analyses),
        of_joints.joint_rates(replace(comparison, methods=comparison.methods[: whole.MOST_DRAWN])),
        of_joints.costs(best),
        of_joints.similarities(best, rows),
    )
    of_joint += _there(of_joints.joint_errors(analyses, rows, guessed=skeleton.sigmas is None))
    tables = [("Errors of each joint as a table", linked_errors(analyses, rows))]
    if all(analysis.costs for analysis in analyses):
        tables.insert(0, ("What errors cost as a table", linked_costs(analyses)))
    instances = _drawn(len(analyses), whole.breakdowns(best))
    ranked = _drawn(len(analyses), whole.precision_recall(best), whole.calibrations(best))
    return [
        Section("joints", "Errors and joints", of_joint, tables),
        Section("instances", "People", instances, []),
        Section("scores", "Ranking and scores", ranked, []),
    ]


def _drawn(methods: int, *plots: Plot | None) -> list[Plot]:
    """The plots there are, saying so where they leave methods out."""
    if methods <= whole.MOST_DRAWN:
        return _there(*plots)
    left = f" The best {whole.MOST_DRAWN} of {methods} methods."
    return [plot._replace(caption=plot.caption + left) for plot in _there(*plots)]


def _title(comparison: Comparison) -> str:
    names = [method.name for method in comparison.methods]
    if len(names) == 1:
        return f"{names[0]}: {comparison.primary_metric} and the errors behind it"
    if len(names) > 3:
        return f"{len(names)} methods compared by {comparison.primary_metric}"
    return f"{', '.join(names[:-1])} and {names[-1]} compared by {comparison.primary_metric}"


def _lead(comparison: Comparison) -> str:
    comparability = comparison.methods[0].metrics[0].comparability
    return (
        f"{comparability['annotations']}: {comparability['images']:,} images, "
        f"{comparability['instances']:,} "
        f"people scored, {comparability['keypoints']} keypoints ({comparability['skeleton']})."
    )


def _about(comparison: Comparison, images: int) -> str:
    """What the image browser shows and what it leaves out."""
    held = min(len(comparison.annotations), MOST_IMAGES)
    most = "" if held == len(comparison.annotations) else " of the largest errors"
    text = (
        f"{held:,} images{most}: the labels, for every person the pose that answers for them, "
        f"and at most {MOST_UNMATCHED} poses of nobody an image and method, the best that score "
        "above the lowest tenth of the others."
    )
    if comparison.pairs:
        text += " Disagreement is the widest spread of one person's OKS over the methods shown."
    if images:
        which = "on which methods differ most" if comparison.pairs else "of the worst poses"
        text += (
            f" Of the images in the folder given, the {images} {which} are inside the page, "
            f"{LONG_SIDE} pixels long."
        )
    return text
