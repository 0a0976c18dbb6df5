"""What `evaluate` and `compare` share: which metric, by which rules, of which files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from poselab.structures import InputError

if TYPE_CHECKING:
    import argparse

    from poselab.annotations import Annotations
    from poselab.evaluation.evaluator import Evaluator
    from poselab.evaluation.metrics.oks import OksEvaluator
    from poselab.evaluation.predictions import Predictions


def add_words(words: argparse.ArgumentParser) -> None:
    """The words that say how to score."""
    words.add_argument("--annotations", type=Path, required=True, metavar="GT")
    words.add_argument(
        "--metric",
        choices=list(_EVALUATORS),
        default="oks",
        help="oks: COCO's AP and AR; crowdpose: also AP of easy, medium and hard images; "
        "wholebody: also AP and AR of body, feet, face and hands; pckh: MPII's; pck: LSP's and "
        "FLIC's (default: oks)",
    )
    words.add_argument("--engine", choices=["hotcoco", "pycocotools"], default="hotcoco")
    words.add_argument(
        "--match",
        choices=["annotation_id", "best_oks"],
        default="annotation_id",
        help="how pckh and pck find the person of a pose: as the predictions say, or the free one "
        "of greatest OKS, best score first (default: annotation_id)",
    )
    words.add_argument(
        "--reference",
        choices=["torso", "box"],
        default="torso",
        help="what pck measures distances by (default: torso)",
    )
    words.add_argument("--layout", default="auto", help="of GT: coco, mpii, ... (default: auto)")


def annotations_of(arguments: argparse.Namespace) -> Annotations:
    """The labels to score against."""
    from poselab.annotations import open_annotations

    return open_annotations(arguments.annotations, layout=arguments.layout)


def evaluator_of(arguments: argparse.Namespace) -> Evaluator:
    """The chosen metric."""
    chosen: Evaluator = _EVALUATORS[arguments.metric](arguments)
    return chosen


def kind_of(arguments: argparse.Namespace) -> str:
    """Whether the metric ranks poses by score ("oks") or asks for one pose a person ("pck")."""
    return "pck" if arguments.metric in ("pck", "pckh") else "oks"


def predictions_file(path: Path) -> Path:
    """The predictions that a run folder holds, or the file itself."""
    return path / "predictions" / "val.json" if path.is_dir() else path


def read_poses(path: Path, annotations: Annotations) -> Predictions:
    """Anybody's results, or those of a run folder."""
    file = predictions_file(path)
    if file.suffix in (".mat", ".h5"):
        from poselab.evaluation.formats.other_codes import read_results

        return read_results(file, annotations)
    from poselab.evaluation.predictions import read_predictions

    return read_predictions(file, annotations.category)


def _oks(arguments: argparse.Namespace) -> OksEvaluator:
    from poselab.evaluation.metrics.oks import OksEvaluator

    return OksEvaluator(engine=arguments.engine)


def _crowdpose(arguments: argparse.Namespace) -> Evaluator:
    from poselab.evaluation.metrics.crowding import CrowdPoseEvaluator
    from poselab.evaluation.metrics.several import SeveralMetrics

    oks = _oks(arguments)
    return SeveralMetrics([oks, CrowdPoseEvaluator(oks)])


def _pckh(arguments: argparse.Namespace) -> Evaluator:
    from poselab.evaluation.metrics.pckh import PckhEvaluator

    return PckhEvaluator(match=arguments.match)


def _pck(arguments: argparse.Namespace) -> Evaluator:
    from poselab.evaluation.metrics.pck import PckEvaluator

    return PckEvaluator(reference=arguments.reference, match=arguments.match)


def _wholebody(arguments: argparse.Namespace) -> Evaluator:
    from poselab.evaluation.metrics.body_parts import PartsEvaluator
    from poselab.evaluation.metrics.several import SeveralMetrics

    oks = _oks(arguments)
    return SeveralMetrics([oks, PartsEvaluator(oks)])


_EVALUATORS: dict[str, Any] = {
    "oks": _oks,
    "crowdpose": _crowdpose,
    "wholebody": _wholebody,
    "pckh": _pckh,
    "pck": _pck,
}


def check_replicates(arguments: argparse.Namespace) -> None:
    """Check ``--replicates`` of a command that compares.

    Raises:
        InputError: less than one.
    """
    if arguments.replicates < 1:
        raise InputError(f"expected 1 replicate or more, got {arguments.replicates}; 1000 is usual")
