"""A trained top-down run on several sources of boxes: predictions, scores and the report."""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from poselab.annotations.formats.detections import read_detections
from poselab.evaluation.comparability import RUN, read_comparability, write_comparability
from poselab.evaluation.diagnosis.detection_costs import BoxSource
from poselab.evaluation.diagnosis.undetected import match_boxes
from poselab.evaluation.metrics.person_boxes import person_average_precision
from poselab.evaluation.predictions import merge, read_predictions, write_predictions
from poselab.evaluation.predictions_file import PredictionsFile
from poselab.io.files import write_bytes, write_json
from poselab.report.detection_costs import detection_cost_rows, draw_detection_costs
from poselab.report.tables import markdown, print_table
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from poselab.annotations.formats.detections import Detections
    from poselab.data.boxes import Items
    from poselab.data.framing import PersonCrop
    from poselab.datasets.base import Split
    from poselab.evaluation.diagnosis.detection_costs import DetectionCost
    from poselab.evaluation.predictions import Predictions
    from poselab.modules import TopDown
    from poselab.structures import Floats, Ints

GROUND_TRUTH = "ground_truth"
"""The name of the source of annotated boxes."""


@dataclass(frozen=True)
class TopDownRun:
    """A trained top-down run, its validation images and its comparability record."""

    module: TopDown
    framing: PersonCrop
    split: Split
    comparability: dict[str, Any]
    batch_size: int
    device: str

    def predict(self, items: Items) -> Predictions:
        """Poses in these boxes, before NMS."""
        from poselab.data import PoseDataset
        from poselab.experiments.prediction.batches import predict_batches

        samples = PoseDataset(self.split, self.framing, items=items)
        return merge(list(predict_batches(self.module, samples, self.batch_size, self.device)))

    def write(self, predictions: Predictions, file: Path) -> Predictions:
        """Write the poses that NMS keeps, and read them as an evaluator does."""
        kept = replace(self.module.suppress(predictions), boxes=None)
        write_predictions(file, kept, self.split.annotations)
        return read_predictions(file, self.split.annotations.categories)


def load_top_down_run(
    path: Path, batch_size: int = 16, device: str = "cpu", outside_images: bool = False
) -> TopDownRun:
    """Load a run's folder or a checkpoint file.

    ``outside_images`` permits annotations to name files outside of their folder of images.

    Raises:
        InputError: not a run, or not of a top-down method.
    """
    from poselab.data import PersonCrop
    from poselab.experiments import build, runs
    from poselab.experiments.comparability import run_comparability
    from poselab.modules import TopDown

    module, config, _ = build.load(runs.best_checkpoint(path) if path.is_dir() else path)
    framing = build.framing(config)
    if not (isinstance(module, TopDown) and isinstance(framing, PersonCrop)):
        raise InputError(
            f"expected a run with module=top_down, got one of {type(module).__name__}, which "
            "takes no detected boxes; choose another run"
        )
    if outside_images:
        config.data.outside_images = True
    data = build.data(config)
    recorded = read_comparability(path).get(RUN) or run_comparability(data, module)
    framing = replace(framing, boxes=None)
    return TopDownRun(module, framing, data.val, recorded, batch_size, device)


def box_source(name: str, detections: Detections, run: TopDownRun, out: Path) -> BoxSource:
    """Predict in one source of boxes, without and with the boxes of the instances it misses.

    Writes to ``out`` the poses, their comparability record and, unless they are ground truth, the
    boxes.
    """
    from poselab.data.boxes import detected_instances
    from poselab.detection.detect import write_detections

    stem = re.sub(r"[^\w.=-]+", "-", name).strip("-.")
    annotations, file = run.split.annotations, out / f"{stem}.json"
    boxes_file = file.with_suffix(".boxes.json")
    if name != GROUND_TRUTH:
        # Read again, so that everything can be computed again from the file, which rounds.
        write_detections(boxes_file, detections)
        detections = read_detections(boxes_file)
    matches = match_boxes(detections.image_ids, detections.boxes, annotations)
    shards = [run.predict(detected_instances(annotations, detections, source=name))]
    predictions = completed = run.write(shards[0], file)
    if len(matches.undetected):
        scores = detections.scores[matches.box[matches.box >= 0]]
        shards.append(run.predict(_ground_truth_boxes(matches.undetected, scores, run.split)))
        completed = run.write(merge(shards), file.with_suffix(".completed.json"))
    person_ap = person_average_precision(*detections, annotations)
    recorded = run.comparability | {"boxes": _boxes_record(name, person_ap, boxes_file)}
    write_comparability(file, recorded)
    return BoxSource(
        name=name,
        person_ap=person_ap,
        num_boxes=len(detections.scores),
        matches=matches,
        run=PredictionsFile(file, predictions, {RUN: recorded}),
        completed=completed,
    )


def write_detection_costs(costs: Sequence[DetectionCost], out: Path) -> None:
    """Write the table, the values and the plot, and print the table."""
    rows = detection_cost_rows(costs)
    write_bytes(out / "table.md", markdown(rows).encode())
    write_json(out / "detection_costs.json", [cost.to_json() for cost in costs])
    draw_detection_costs(costs, out / "detection_costs.png")
    print_table(rows)


def _boxes_record(name: str, person_ap: float, file: Path) -> dict[str, Any]:
    """What the comparability record says of boxes that lie in ``file``."""
    if name == GROUND_TRUTH:
        return {"kind": "labelled"}
    return {
        "kind": "detected",
        "file": name,
        "fingerprint": hashlib.sha256(file.read_bytes()).hexdigest()[:32],
        "threshold": 0.0,
        "person_AP": None if math.isnan(person_ap) else person_ap,
    }


def _ground_truth_boxes(instances: Ints, scores: Floats, split: Split) -> Items:
    """The annotated boxes of instances, with the median of the scores."""
    from poselab.data.boxes import labelled_instances

    items = labelled_instances(split.annotations)
    rows = np.flatnonzero(np.isin(items.person, instances))
    score = float(np.median(scores)) if len(scores) else 1.0
    return items._replace(
        image=items.image[rows],
        person=np.full(len(rows), -1),
        boxes=items.boxes[rows],
        scores=np.full(len(rows), score),
    )
