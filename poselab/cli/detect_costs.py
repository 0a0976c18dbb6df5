"""poselab detect decompose: what a top-down run loses to its boxes."""

from __future__ import annotations

import argparse
import hashlib
import math
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from poselab.cli.scoring import expect_draws
from poselab.experiments import detectors
from poselab.experiments.device import add_device, usable_device
from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.annotations.formats.detections import Detections
    from poselab.data import Split
    from poselab.data.boxes import Items
    from poselab.data.framing import PersonCrop
    from poselab.evaluation.diagnosis.detection_costs import BoxCost, Boxes
    from poselab.evaluation.predictions import Predictions
    from poselab.modules import TopDown

TRUTH = "ground_truth"

_DESCRIPTION = """Say what a trained top-down run loses to the boxes it is given.

The run looks at its validation images again, on the true boxes and on those of every detector.
A person whom no box shows (IoU below 0.5, one box a person) is lost before any pose is looked for:
early commitment. What that costs is the AP that comes back when these people's true boxes are
added, with the median score of the boxes that show somebody; what still lacks to the AP on true
boxes is the boxes' place and size, doubles and boxes of nobody.

  poselab detect decompose RUN --boxes jittered,iou=0.7 runs/detector boxes.json

Writes OUT/index.html (what boxes cost, how sure that is, and the images behind it), OUT/table.md,
OUT/decomposition.json, OUT/decomposition.png, and for every source of boxes OUT/NAME.json (poses in
COCO's results format) and, but for the true ones, OUT/NAME.boxes.json (a detections file).

"""


class Looker(NamedTuple):
    """A trained run and its validation images."""

    module: TopDown
    framing: PersonCrop
    split: Split
    batch_size: int
    device: str
    conditions: dict[str, Any]

    def poses(self, items: Items) -> Predictions:
        """Poses in these boxes, before NMS."""
        from poselab.cli.predict import batches
        from poselab.data import PoseDataset
        from poselab.evaluation.predictions import merge

        samples = PoseDataset(self.split, self.framing, items=items)
        return merge(list(batches(self.module, samples, self.batch_size, self.device)))

    def written(self, found: Predictions, file: Path) -> Predictions:
        """Write what is left after NMS, and read it as an evaluator does."""
        from poselab.evaluation.predictions import read_predictions, write_predictions

        write_predictions(file, replace(self.module.suppress(found), boxes=None))
        return read_predictions(file)


def parser() -> argparse.ArgumentParser:
    """The command's words."""
    words = argparse.ArgumentParser(
        description=_DESCRIPTION + detectors.help_text(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    words.add_argument("run", type=Path, help="a top-down run's folder, or a checkpoint file")
    words.add_argument("--boxes", nargs="+", default=["jittered"], metavar="DETECTOR")
    words.add_argument("--out", type=Path, help="folder to write to (RUN/boxes)")
    detectors.add_rules(words)
    words.add_argument("--replicates", type=int, default=1000, help="bootstrap draws (1000)")
    words.add_argument("--batch-size", type=int, default=16)
    add_device(words)
    return words


def run(arguments: argparse.Namespace) -> int:
    """Predict on every source of boxes, score, print the table, write the page."""
    from poselab.evaluation.diagnosis.detection_costs import box_costs
    from poselab.evaluation.metrics.oks import OksEvaluator
    from poselab.report import decomposition
    from poselab.report.page import write_page

    expect_draws(arguments)
    folder = arguments.run if arguments.run.is_dir() else arguments.run.parent
    out = arguments.out or folder / "boxes"
    looker = _loaded(arguments)
    names = list(dict.fromkeys([TRUTH, *arguments.boxes]))
    # All boxes first: a detector that cannot be used fails before the long part.
    found = {name: _found(name, looker.split, arguments) for name in names}
    sources = [_source(name, found[name], looker, out) for name in names]
    evaluator, table = OksEvaluator(), looker.split.annotations
    comparison, costs = box_costs(sources, table, evaluator, arguments.replicates)
    _write(costs, out)
    print("drawing the page ...", file=sys.stderr)
    more = decomposition.boxes_section(costs, table, evaluator)
    title = f"What boxes cost {folder.name}"
    page = write_page(comparison, out / "index.html", looker.split.images, title=title, more=more)
    print(f"page: {page}")
    return 0


def _found(name: str, split: Split, arguments: argparse.Namespace) -> Detections:
    rules = {} if name == TRUTH else detectors.rules_of(arguments)
    return detectors.find(name, split, arguments.device, 8, rules)


def _loaded(arguments: argparse.Namespace) -> Looker:
    """The run's method and validation images.

    Raises:
        InputError: not a run, or not of a method that works on people's boxes.
    """
    from poselab.data import PersonCrop
    from poselab.evaluation.comparability import RUN, read_comparability
    from poselab.experiments import build, runs
    from poselab.experiments.comparability import run_comparability
    from poselab.modules import TopDown

    path = arguments.run
    module, config, _ = build.load(runs.checkpoint(path) if path.is_dir() else path)
    framing = build.framing(config)
    if not (isinstance(module, TopDown) and isinstance(framing, PersonCrop)):
        raise InputError(
            f"expected a run with module=top_down, got one of {type(module).__name__}, which "
            "takes no ranked boxes; choose another run"
        )
    data, device = build.data(config), usable_device(arguments.device)
    made = read_comparability(path).get(RUN) or run_comparability(data, module)
    framing = replace(framing, boxes=None)
    return Looker(module, framing, data.val, arguments.batch_size, device, made)


def _source(name: str, boxes: Detections, looker: Looker, out: Path) -> Boxes:
    """Poses on one detector's boxes, without and with the boxes of people whom they leave out."""
    from poselab.annotations.formats.detections import read_detections
    from poselab.data.boxes import found_people
    from poselab.detection.finding import write_detections
    from poselab.evaluation.comparability import RUN, write_comparability
    from poselab.evaluation.comparison import Run
    from poselab.evaluation.diagnosis.detection_costs import Boxes
    from poselab.evaluation.diagnosis.undetected import early_commitment
    from poselab.evaluation.metrics.person_boxes import person_average_precision
    from poselab.evaluation.predictions import merge

    table, file = looker.split.annotations, out / f"{_as_file(name)}.json"
    if name != TRUTH:  # as the file has them, from which all can be computed again
        write_detections(file.with_suffix(".boxes.json"), boxes)
        boxes = read_detections(file.with_suffix(".boxes.json"))
    commitment = early_commitment(boxes.image_ids, boxes.boxes, table)
    shards = [looker.poses(found_people(table, boxes, source=name))]
    found = given = looker.written(shards[0], file)
    if len(commitment.missed):
        shown = boxes.scores[commitment.box[commitment.box >= 0]]
        shards.append(looker.poses(_true_boxes(commitment.missed, shown, looker.split)))
        given = looker.written(merge(shards), file.with_suffix(".given.json"))
    precision = person_average_precision(*boxes, table)
    made = _conditions(name, precision, looker, file.with_suffix(".boxes.json"))
    write_comparability(file, made)
    run = Run(file, found, {RUN: made})
    return Boxes(name, precision, len(boxes.scores), commitment, run, given)


def _conditions(name: str, precision: float, looker: Looker, file: Path) -> dict[str, Any]:
    """The run's own conditions but for its boxes, which lie in ``file``."""
    if name == TRUTH:
        return {**looker.conditions, "boxes": {"kind": "labelled"}}
    found = {
        "kind": "detected",
        "file": name,
        "fingerprint": hashlib.sha256(file.read_bytes()).hexdigest()[:32],
        "threshold": 0.0,
        "person_AP": None if math.isnan(precision) else precision,
    }
    return {**looker.conditions, "boxes": found}


def _true_boxes(instances: Any, scores: Any, split: Split) -> Items:
    """These people's annotated boxes, with the median of the scores."""
    import numpy as np

    from poselab.data.boxes import labelled_instances

    everybody = labelled_instances(split.annotations)
    rows = np.flatnonzero(np.isin(everybody.person, instances))
    score = float(np.median(scores)) if len(scores) else 1.0
    return everybody._replace(
        image=everybody.image[rows],
        person=np.full(len(rows), -1),
        boxes=everybody.boxes[rows],
        scores=np.full(len(rows), score),
    )


def _as_file(name: str) -> str:
    return re.sub(r"[^\w.=-]+", "-", name).strip("-.")


def _write(costs: list[BoxCost], out: Path) -> None:
    from poselab.io.files import write_bytes, write_json
    from poselab.report import decomposition
    from poselab.report.tables import markdown, print_table

    rows = decomposition.decomposition_rows(costs)
    write_bytes(out / "table.md", markdown(rows).encode())
    write_json(out / "decomposition.json", [_record(cost) for cost in costs])
    decomposition.draw_decomposition(costs, out / "decomposition.png")
    print_table(rows)
    print(f"tables: {out}")


def _record(cost: BoxCost) -> dict[str, Any]:
    """One source's figures as fractions, those of AP with their limits."""
    commitment = cost.source.commitment
    return {
        "name": cost.source.name,
        "person_ap": cost.source.person_ap,
        "boxes_a_image": cost.source.number / cost.images,
        "instances_missed": len(commitment.missed),
        "missed": commitment.miss_rate,
        "overlap": commitment.mean_overlap,
        "ap": cost.ap.value,
        "given": cost.given,
        "interval": cost.ap[1:],
        "from_truth": {**cost.from_truth._asdict(), "p": cost.p},
        "lost": {
            "early_commitment": cost.early._asdict(),
            "boxes": cost.boxes._asdict(),
            "poses": cost.poses._asdict(),
        },
    }
