"""``poselab evaluate joints``: metrics of each joint, and the calibration of keypoint scores."""

from __future__ import annotations

import argparse
import math
import sys
from typing import TYPE_CHECKING

from poselab.cli import scoring
from poselab.cli.arguments import Arguments, output_file, path

if TYPE_CHECKING:
    from pathlib import Path

    from poselab.annotations import Annotations
    from poselab.evaluation.metrics.calibration import Calibration
    from poselab.evaluation.predictions import Predictions
    from poselab.report.tables import Cell, Row

_DESCRIPTION = """Score every joint by itself under OKS; the table is in percent.

  poselab evaluate joints results.json --annotations person_keypoints_val2017.json

AP is COCO's as if the joint were the only one labelled. Similarity is a joint's part of OKS, its
mean over labelled people, 0 where no pose is matched; the columns after it say how often it reaches
0.5, 0.75 and 0.9. Below the table: how well the scores of keypoints predict their similarity."""


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    arguments = Arguments(
        description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument(
        "predictions",
        type=path,
        metavar="PREDICTIONS",
        help="a file or run that `poselab evaluate` reads",
    )
    arguments.add_argument("--annotations", type=path, required=True, metavar="GT")
    arguments.add_argument(
        "--layout", default="auto", help="of GT: coco, mpii, ... (default: auto)"
    )
    arguments.add_argument("--engine", choices=["hotcoco", "pycocotools"], default="hotcoco")
    arguments.add_argument(
        "--json", type=output_file, metavar="OUT", help="also write values as fractions"
    )
    scoring.add_array_options(arguments)
    return arguments


def run(arguments: argparse.Namespace) -> int:
    """Score, warn on stderr, print the table, write the JSON."""
    from poselab.evaluation.api import open_table
    from poselab.evaluation.metrics.calibration import joint_calibration
    from poselab.evaluation.predictions_file import open_predictions
    from poselab.evaluation.validation.checks import validate_predictions
    from poselab.report.tables import print_table

    annotations = open_table(arguments.annotations, arguments.layout)
    file = open_predictions(arguments.predictions, annotations, scoring.array_options_of(arguments))
    predictions = file.predictions
    for note in file.notes:
        print(f"note: {note}", file=sys.stderr)
    for warning in validate_predictions(predictions, annotations):
        print(f"warning: {warning}", file=sys.stderr)
    joints = _joints(predictions, annotations, arguments.engine)
    scores = joint_calibration(predictions, annotations)
    print_table([_row(name, values) for name, values in joints.items()])
    print(_about_scores(scores))
    if arguments.json:
        _write(arguments.json, joints, scores)
    return 0


def _joints(
    predictions: Predictions, annotations: Annotations, engine: str
) -> dict[str, dict[str, float]]:
    """Values by joint; NaN for joints that are never labelled."""
    from poselab.evaluation.metrics.joints import joint_average_precision, joint_similarities
    from poselab.evaluation.metrics.oks import OksEvaluator

    joints = joint_similarities(predictions, annotations)
    ap = joint_average_precision(OksEvaluator(engine), predictions, annotations)
    names = ["AP", "similarity", *(f"similarity>={t:g}" for t in joints.thresholds)]
    columns = zip(ap, joints.similarity, *joints.reached.T, strict=True)
    return {
        joint: {"labelled": int(labelled), **dict(zip(names, map(float, values), strict=True))}
        for joint, labelled, values in zip(joints.joints, joints.labelled, columns, strict=True)
    }


def _row(joint: str, values: dict[str, float]) -> Row:
    cells: dict[str, Cell] = {
        key.removeprefix("similarity") or key: None if math.isnan(value) else value
        for key, value in values.items()
    }
    return {"joint": joint} | cells | {"labelled": f"{values['labelled']:,}"}


def _about_scores(scores: Calibration) -> str:
    """One sentence on the scores of keypoints."""
    text = f"scores of {len(scores.scores):,} labelled keypoints against their similarity: "
    if math.isnan(scores.pearson):
        return f"{text}no correlation, because scores or similarities are all equal"
    text += f"correlation {scores.pearson:.2f}, of ranks {scores.spearman:.2f}"
    if math.isnan(scores.error):
        return f"{text}; no calibration error, as scores lie outside 0 to 1"
    return f"{text}, expected calibration error {scores.error:.3f}"


def _write(path: Path, joints: dict[str, dict[str, float]], scores: Calibration) -> None:
    from poselab.io.files import write_json

    of_scores = {key: getattr(scores, key) for key in ("pearson", "spearman", "error")}
    known = {joint: _without_nan(values) for joint, values in joints.items()}
    write_json(path, {"joints": known, "scores": _without_nan(of_scores)})


def _without_nan(values: dict[str, float]) -> dict[str, float | None]:
    return {key: None if math.isnan(value) else value for key, value in values.items()}
