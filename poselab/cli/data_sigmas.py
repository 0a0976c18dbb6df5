"""``poselab data sigmas``: OKS sigmas of keypoints without published ones."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any

from poselab.cli.annotation_words import add_category
from poselab.cli.arguments import Arguments, output_file, path
from poselab.structures import InputError

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from poselab.annotations import Annotations
    from poselab.evaluation.statistics.sigmas import SigmaEstimate


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    arguments = Arguments(
        description="Estimate OKS sigmas: by COCO's rule from people annotated several times, or "
        "from the residuals of a model's poses. If both are given, `sigmas` in the JSON are those "
        "of the repeated annotations.",
    )
    arguments.add_argument("annotations", type=path, metavar="ANNOTATIONS")
    arguments.add_argument(
        "--repeated",
        type=path,
        metavar="OTHER",
        nargs="+",
        default=[],
        help="other annotators' files of the same images and people (matched by their boxes)",
    )
    arguments.add_argument(
        "--residuals",
        type=path,
        metavar="PREDICTIONS",
        help="a predictions file or run folder, of people the model was not trained on",
    )
    arguments.add_argument(
        "--layout", default="auto", help="of ANNOTATIONS and OTHER (default: auto)"
    )
    add_category(arguments)
    arguments.add_argument("--json", type=output_file, metavar="OUT", help="also write the sigmas")
    return arguments


def run(arguments: argparse.Namespace) -> int:
    """Print one table per source, warn of keypoints with few people, write the JSON."""
    from poselab.annotations import open_annotations

    if not arguments.repeated and arguments.residuals is None:
        raise InputError(
            "expected --repeated OTHER or --residuals PREDICTIONS, got neither; sigmas come from "
            "people labelled twice, or from a model's errors"
        )
    annotations = open_annotations(
        arguments.annotations, arguments.layout, category=arguments.category
    )
    estimates = _estimates(arguments, annotations)
    for estimate in estimates:
        _print_table(estimate, annotations)
        _warn(estimate)
    if arguments.json:
        _write(arguments.json, estimates)
    return 0


def _estimates(arguments: argparse.Namespace, annotations: Annotations) -> list[SigmaEstimate]:
    from poselab.annotations import open_annotations
    from poselab.evaluation.predictions_file import open_predictions
    from poselab.evaluation.statistics.sigmas import sigmas_of_repeats, sigmas_of_residuals
    from poselab.evaluation.validation.checks import check_predictions

    estimates = []
    if arguments.repeated:
        others = [
            open_annotations(path, arguments.layout, category=arguments.category)
            for path in arguments.repeated
        ]
        estimates.append(sigmas_of_repeats(annotations, others))
    if arguments.residuals is not None:
        predictions = open_predictions(arguments.residuals, annotations).predictions
        check_predictions(predictions, annotations)
        estimates.append(sigmas_of_residuals(predictions, annotations))
    return estimates


def _print_table(estimate: SigmaEstimate, annotations: Annotations) -> None:
    published = annotations.skeleton.sigmas or (math.nan,) * len(estimate.keypoints)
    width = max(len(name) for name in estimate.keypoints) + 2
    print(f"{estimate.rule}; standard errors after ±")
    head = f"{'keypoint':<{width}}{'sigma':>8}{'±':>9}{'people':>8}{'published':>11}"
    print(head if annotations.skeleton.sigmas else head[:-11])
    rows = zip(
        *(estimate.keypoints, estimate.sigmas, estimate.errors, estimate.counts, published),
        strict=True,
    )
    for name, sigma, error, count, known in rows:
        line = (
            f"{name:<{width}}{_number(sigma):>8}{_number(error):>9}{count:>8}{_number(known):>11}"
        )
        print(line if annotations.skeleton.sigmas else line[:-11])


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.4f}"


def _warn(estimate: SigmaEstimate) -> None:
    from poselab.evaluation.statistics.sigmas import FEWEST

    few = estimate.too_few()
    if few:
        print(
            f"warning: fewer than {FEWEST} people for {', '.join(few)} ({estimate.rule}); "
            "label more of them twice before you rely on these sigmas",
            file=sys.stderr,
        )


def _write(path: Path, estimates: list[SigmaEstimate]) -> None:
    from poselab.io import files

    columns: list[dict[str, Any]] = [estimate._asdict() for estimate in estimates]
    files.write_json(path, {**columns[0], "others": columns[1:]})
