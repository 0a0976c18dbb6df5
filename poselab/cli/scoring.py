"""What `evaluate` and `compare` share: which metric, by which rules, against which annotations."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from poselab.cli.arguments import path, whole

if TYPE_CHECKING:
    from poselab.annotations.table import Annotations
    from poselab.evaluation.evaluator import Evaluator
    from poselab.evaluation.formats.arrays.options import ArrayOptions


def add_scoring_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how to score."""
    parser.add_argument("--annotations", type=path, required=True, metavar="GT")
    parser.add_argument(
        "--metric",
        type=_metric,
        default="oks",
        help="oks: COCO's AP and AR; crowdpose: also AP of easy, medium and hard images; "
        "wholebody: also AP and AR of body, feet, face and hands; pckh: MPII's; pck: LSP's and "
        "FLIC's; or PACKAGE.MODULE.CLASS of an evaluator of your own (default: oks)",
    )
    parser.add_argument("--engine", choices=["hotcoco", "pycocotools"], default="hotcoco")
    parser.add_argument(
        "--match",
        choices=["annotation_id", "best_oks"],
        default="annotation_id",
        help="how pckh and pck match predictions to people: by the annotation_id in the "
        "predictions, or greedily by OKS, best score first (default: annotation_id)",
    )
    parser.add_argument(
        "--reference",
        choices=["torso", "box"],
        default="torso",
        help="the size that pck divides distances by (default: torso)",
    )
    parser.add_argument("--layout", default="auto", help="of GT: coco, mpii, ... (default: auto)")
    parser.add_argument(
        "--category",
        metavar="NAME",
        help="name or id of the category of GT to score (default: all that share their keypoints)",
    )
    parser.add_argument(
        "--sigmas",
        metavar="S",
        help="OKS sigmas: a number for all keypoints, one for each with commas, or the JSON of "
        "`poselab data sigmas` (default: those that a run was trained with, else the skeleton's)",
    )
    parser.add_argument(
        "--area",
        metavar="A",
        help="of people whose area in GT is 0, with which OKS counts every pose as wrong: box "
        "(0.53 of their box), or a number of pixels² (default: as a run was trained, else 0)",
    )
    add_array_options(parser)


def add_array_options(words: argparse.ArgumentParser) -> None:
    """Add the options that say how to read an array of poses."""
    arrays = words.add_argument_group(
        "arrays of poses (.mat .h5 .npy .npz .csv .json)",
        "Found by their shape and read as fits GT best, which is said; where several ways fit, one "
        "of these options is asked for. Files of COCO results and runs need none.",
    )
    arrays.add_argument("--key", metavar="NAME", help="the array's name in its file")
    arrays.add_argument(
        "--axes",
        metavar="AXES",
        help="the order of its axes: people N, joints K, coordinates 2 (or 3, with a score): N,K,2 "
        "or 2,K,N; N,K2 is a row x y x y ... a person",
    )
    arrays.add_argument(
        "--origin", type=whole(0, 1), help="the coordinate of the first pixel, 0 or 1"
    )
    arrays.add_argument(
        "--joints",
        metavar="NAME,...",
        help="the names of its joints, - for those that GT lacks; or same (as GT), or nearest (to "
        "each of GT's)",
    )
    arrays.add_argument(
        "--ids",
        metavar="NAME",
        help="an array in the file, or a file, with the annotation id, image id or image name of "
        "each row; or order (default: people in the order of GT's annotation ids)",
    )


def array_options_of(arguments: argparse.Namespace) -> ArrayOptions:
    """How to read arrays, as the user says."""
    from poselab.evaluation.formats.arrays.options import ArrayOptions

    return ArrayOptions(*(getattr(arguments, name) for name in ArrayOptions._fields))


def annotations_of(arguments: argparse.Namespace) -> Annotations:
    """The annotations to score against, with the options that the user gives.

    Raises:
        InputError: files that cannot be read, or options that do not fit them.
    """
    from poselab.annotations.options import annotation_options, with_options
    from poselab.evaluation.api import open_table

    options = annotation_options(arguments.sigmas, area=arguments.area)
    table = open_table(arguments.annotations, arguments.layout, arguments.category)
    return with_options(table, options)


def _metric(name: str) -> str:
    """A metric's name, or the dotted name of an evaluator's class."""
    from poselab.evaluation.metrics.named import METRICS

    if name not in METRICS and "." not in name:
        raise argparse.ArgumentTypeError(f"invalid choice: {name!r} (choose {', '.join(METRICS)})")
    return name


def evaluator_of(arguments: argparse.Namespace) -> Evaluator:
    """The chosen metric with its settings.

    Raises:
        InputError: no metric of that name.
    """
    from poselab.evaluation.metrics.named import Settings, named_evaluator

    settings = Settings(arguments.engine, arguments.match, arguments.reference)
    return named_evaluator(arguments.metric, settings)
