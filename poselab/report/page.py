"""One HTML file that shows a comparison: tables, plots and the images behind every value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple

import poselab
from poselab.evaluation.metrics.joint_groups import scored
from poselab.io.files import write_bytes
from poselab.report.analysis import analyse, instance_groups
from poselab.report.comparison_table import incomparable_methods, notes
from poselab.report.curves import learning_curve_plot
from poselab.report.embedding import LONG_SIDE, embed_images, with_image_sizes
from poselab.report.error_plots import (
    STATUSES,
    error_costs_plot,
    joint_errors_plot,
    joint_rates_plot,
    joint_rows,
    similarity_plot,
)
from poselab.report.page_data import MAX_UNMATCHED, by_disagreement, page_data
from poselab.report.page_tables import (
    comparability_rows,
    linked_costs,
    linked_joint_errors,
    linked_pairs,
    linked_summary,
)
from poselab.report.plots import (
    MAX_DRAWN,
    breakdown_plot,
    calibration_plot,
    forest_plot,
    precision_recall_plot,
    primary_metric_plot,
)

if TYPE_CHECKING:
    from pathlib import Path

    from poselab.evaluation.comparison import Comparison
    from poselab.report.analysis import Analysis
    from poselab.report.curves import Curves
    from poselab.report.page_tables import LinkedRow
    from poselab.report.plots import Plot


class Section(NamedTuple):
    """A section of the page: a table with notes, plots side by side, and tables to unfold by their
    captions."""

    name: str
    heading: str
    plots: list[Plot]
    tables: list[tuple[str, list[LinkedRow]]]
    table: Sequence[LinkedRow] = ()
    notes: Sequence[str] = ()


ExtraSections = Callable[[Sequence["Analysis"]], Sequence[Section]]
"""Makes further sections of a page from the analyses of all methods."""


def no_extra_sections(_: Sequence[Analysis]) -> Sequence[Section]:
    """Only the sections that every page has."""
    return ()


def learning_section(curves: Curves, primary_metric: str) -> ExtraSections:
    """The section of a training run's curves."""
    plots = _existing(learning_curve_plot(curves, primary_metric))
    return lambda _: [Section("learning", "Training", plots, [])]


def write_page(
    comparison: Comparison,
    out: Path,
    image_folder: Path | None = None,
    max_images: int = 60,
    title: str = "",
    extra_notes: Sequence[str] = (),
    sections: ExtraSections = no_extra_sections,
) -> Path:
    """Write the page of a comparison, or of one method alone, whole or not at all.

    ``image_folder`` holds the images; the ``max_images`` on which methods differ most are embedded
    in the page, and sizes that the annotations lack are read there. ``extra_notes`` stand below the
    summary's own. ``sections`` makes sections that come first, whose plots replace the page's own
    plots of the same names.

    Raises:
        InputError: the file cannot be written, or none of the images is in ``image_folder``.
    """
    analyses = analyse(comparison)
    images: dict[int, str] = {}
    if image_folder is not None:
        annotations = with_image_sizes(comparison.annotations, image_folder)
        comparison = replace(comparison, annotations=annotations)
        order = by_disagreement(annotations, analyses).tolist()
        images = embed_images(annotations, image_folder, order, max_images)
    groups = instance_groups(comparison.annotations)
    data = page_data(comparison.annotations, analyses, groups, STATUSES, images)
    content = {
        **_summary_content(comparison),
        **_section_content(comparison, analyses, sections(analyses)),
        "title": title or _title(comparison),
        "lead": _lead(comparison),
        "about": _about_images(comparison, len(data["images"]["id"]), len(data["pixels"])),
        "groups": list(groups),
        "data": json_in_script(data),
    }
    content["notes"] += extra_notes
    write_bytes(out, _render(content).encode())
    return out


def json_in_script(data: Any) -> str:
    """JSON that can stand between script tags: no text inside can close them."""
    import orjson

    text = orjson.dumps(data, option=orjson.OPT_NON_STR_KEYS).decode()
    return text.replace("<", "\\u003c")


def _render(content: dict[str, Any]) -> str:
    import jinja2

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    folder = resources.files("poselab.report")
    css, script, template = (
        (folder / f"page.{suffix}").read_text(encoding="utf-8") for suffix in ("css", "js", "html")
    )
    page = environment.from_string(template)
    return page.render(content, css=css, script=script, version=poselab.__version__)


def _summary_content(comparison: Comparison) -> dict[str, Any]:
    """The first section, and the table of comparability records at the end."""
    marked = incomparable_methods(comparison)
    lines = notes(comparison, marked)
    if any(len(method.runs) > 1 for method in comparison.methods):
        lines.append(
            "Errors, bins, curves and images below show the first run (seed) of each method."
        )
    return {
        "summary": linked_summary(comparison, marked),
        "notes": lines,
        "pairs": linked_pairs(comparison) if len(comparison.pairs) > 1 else [],
        "summary_plots": _existing(primary_metric_plot(comparison), forest_plot(comparison)),
        "methods": [method.name for method in comparison.methods],
        "errors": STATUSES[1:],
        "comparability": comparability_rows(comparison),
    }


def _section_content(
    comparison: Comparison, analyses: Sequence[Analysis], extra: Sequence[Section]
) -> dict[str, Any]:
    replaced = {plot.name for section in extra for plot in section.plots}
    standard = (
        section._replace(plots=[plot for plot in section.plots if plot.name not in replaced])
        for section in _standard_sections(comparison, analyses)
    )
    sections = [s for s in (*extra, *standard) if s.plots or s.tables]
    headings = [("summary", "Summary"), *((s.name, s.heading) for s in sections)]
    return {
        "sections": sections,
        "headings": [*headings, ("browser", "Images"), ("comparability", "Comparability")],
    }


def _existing(*plots: Plot | None) -> list[Plot]:
    return [plot for plot in plots if plot is not None]


def _standard_sections(comparison: Comparison, analyses: Sequence[Analysis]) -> list[Section]:
    best = analyses[:MAX_DRAWN]
    breakdowns = _of_best(len(analyses), breakdown_plot(best))
    scores = _of_best(len(analyses), precision_recall_plot(best), calibration_plot(best))
    return [
        _joint_section(comparison, analyses),
        Section("breakdowns", "Size and crowding", breakdowns, []),
        Section("scores", "Ranking and scores", scores, []),
    ]


def _joint_section(comparison: Comparison, analyses: Sequence[Analysis]) -> Section:
    skeleton = comparison.annotations.skeleton
    is_oks = comparison.methods[0].comparability["metric"] == "oks"
    rows = joint_rows(skeleton, None if is_oks else scored(skeleton))
    best = analyses[:MAX_DRAWN]
    plots = _of_best(
        len(analyses),
        joint_rates_plot(replace(comparison, methods=comparison.methods[:MAX_DRAWN])),
        error_costs_plot(best),
        similarity_plot(best, rows),
    )
    plots += _existing(joint_errors_plot(analyses, rows, guessed_sigmas=skeleton.sigmas is None))
    tables = [("Errors of each joint as a table (%)", linked_joint_errors(analyses, rows))]
    if all(analysis.costs for analysis in analyses):
        costs = ("What errors cost as a table (points of AP)", linked_costs(analyses))
        tables.insert(0, costs)
    return Section("joints", "Errors and joints", plots, tables)


def _of_best(methods: int, *plots: Plot | None) -> list[Plot]:
    """The plots that exist, with a note where they leave methods out."""
    if methods <= MAX_DRAWN:
        return _existing(*plots)
    note = f" The best {MAX_DRAWN} of {methods} methods."
    return [plot._replace(caption=plot.caption + note) for plot in _existing(*plots)]


def _title(comparison: Comparison) -> str:
    names = [method.name for method in comparison.methods]
    if len(names) == 1:
        return f"{names[0]}: {comparison.primary_metric} and the errors behind it"
    if len(names) > 3:
        return f"{len(names)} methods compared by {comparison.primary_metric}"
    return f"{', '.join(names[:-1])} and {names[-1]} compared by {comparison.primary_metric}"


def _lead(comparison: Comparison) -> str:
    record = comparison.methods[0].comparability
    return (
        f"{record['annotations']}: {record['images']:,} images, {record['instances']:,} scored "
        f"instances, {record['keypoints']} keypoints ({record['skeleton']})."
    )


def _about_images(comparison: Comparison, held: int, embedded: int) -> str:
    """What the image browser shows and what it leaves out."""
    everything = len(comparison.annotations)
    which = "on which methods differ most" if comparison.pairs else "with the worst poses"
    shown = f"{held:,} images"
    if held < everything:
        shown = f"{held:,} of {everything:,} images shown, those {which}"
    text = (
        f"{shown}: the ground truth, the pose matched to each instance, and the "
        f"unmatched poses with the highest scores, at most {MAX_UNMATCHED} per image and method "
        "(none below the lowest tenth of the matched poses' scores)."
    )
    if comparison.pairs:
        text += " Disagreement: the widest spread of one instance's OKS over the methods shown."
    if embedded:
        text += (
            f" The {embedded} images of the given folder {which} are embedded in the page, with a "
            f"long side of {LONG_SIDE} pixels."
        )
    return text
