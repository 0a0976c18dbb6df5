"""poselab detect decompose: what a top-down run loses to its boxes."""

from __future__ import annotations

import argparse
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from poselab.cli import detectors

if TYPE_CHECKING:
    from poselab.annotations.detections import Detections
    from poselab.data import Split
    from poselab.data.boxes import Items
    from poselab.data.framing import PersonCrop
    from poselab.evaluation.predictions import Predictions
    from poselab.modules import TopDown
    from poselab.report.tables import Row

_DESCRIPTION = """Say what a trained top-down run loses to the boxes it is given.

The run looks at its validation pictures again, on the true boxes and on those of every detector.
A person whom no box shows (IoU below 0.5, one box a person) is lost before any pose is looked for:
early commitment. What that costs is the AP that comes back when these people's true boxes are
added, with the median score of the boxes that show somebody; what still lacks to the AP on true
boxes is the boxes' place and size, doubles and boxes of nobody.

  poselab detect decompose RUN --boxes jittered,iou=0.7 runs/detector boxes.json

Writes OUT/NAME.json (predictions in COCO's results format), OUT/table.md,
OUT/decomposition.json and OUT/decomposition.png.

"""


class Source(NamedTuple):
    """One row: boxes by one detector. AP as fractions; ``given`` with missed people's boxes."""

    name: str
    person_ap: float
    boxes_a_picture: float
    missed: float
    overlap: float
    ap: float
    given: float


class Looker(NamedTuple):
    """A trained run and its validation pictures."""

    module: TopDown
    framing: PersonCrop
    split: Split
    batch_size: int
    device: str

    def poses(self, items: Items) -> Predictions:
        """Poses in these boxes, before NMS."""
        from poselab.cli.predict import batches
        from poselab.data import PoseDataset
        from poselab.evaluation.predictions import merge

        samples = PoseDataset(self.split, self.framing, items=items)
        return merge(list(batches(self.module, samples, self.batch_size, self.device)))

    def scored(self, found: Predictions, file: Path) -> float:
        """Write what is left after NMS; its AP."""
        from poselab.evaluation.oks import OksEvaluator
        from poselab.evaluation.predictions import read_predictions, write_predictions

        write_predictions(file, replace(self.module.suppress(found), boxes=None))
        metrics = OksEvaluator()(read_predictions(file), self.split.annotations)
        return metrics.values["AP"]


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
    words.add_argument("--batch-size", type=int, default=16)
    words.add_argument("--device", default="auto", help="cpu, cuda, ... (the best there is)")
    return words


def run(arguments: argparse.Namespace) -> int:
    """Predict on every source of boxes, score, print the table."""
    folder = arguments.run if arguments.run.is_dir() else arguments.run.parent
    out = arguments.out or folder / "boxes"
    looker = _loaded(arguments)
    split = looker.split
    names = list(dict.fromkeys(["truth", *arguments.boxes]))
    # All boxes first: a detector that cannot be used fails before the long part.
    found = {name: _found(name, split, arguments) for name in names}
    sources = [_source(name, found[name], looker, out) for name in names]
    _write(sources, out)
    return 0


def _found(name: str, split: Split, arguments: argparse.Namespace) -> Detections:
    rules = {} if name == "truth" else detectors.rules_of(arguments)
    return detectors.find(name, split, arguments.device, 8, rules)


def _loaded(arguments: argparse.Namespace) -> Looker:
    """The run's method and validation pictures.

    Raises:
        InputError: not a run, or not of a method that works on people's boxes.
    """
    from poselab import build, runs
    from poselab.cli.predict import usable_device
    from poselab.data import PersonCrop
    from poselab.modules import TopDown
    from poselab.structures import InputError

    path = arguments.run
    module, config, _ = build.load(runs.checkpoint(path) if path.is_dir() else path)
    framing = build.framing(config)
    if not (isinstance(module, TopDown) and isinstance(framing, PersonCrop)):
        raise InputError(
            f"expected a run with module=top_down, got one of {type(module).__name__}, which "
            "takes no ranked boxes; choose another run"
        )
    framing, split = replace(framing, boxes=None), build.data(config).val
    return Looker(module, framing, split, arguments.batch_size, usable_device(arguments.device))


def _source(name: str, boxes: Detections, looker: Looker, out: Path) -> Source:
    """Poses on one detector's boxes, without and with the boxes of people whom they leave out."""
    from poselab.data.boxes import found_people
    from poselab.evaluation.early_commitment import early_commitment
    from poselab.evaluation.person_boxes import person_average_precision
    from poselab.evaluation.predictions import merge

    table, file = looker.split.annotations, out / f"{_as_file(name)}.json"
    commitment = early_commitment(boxes.image_ids, boxes.boxes, table)
    shards = [looker.poses(found_people(table, boxes, source=name))]
    ap = given = looker.scored(shards[0], file)
    if len(commitment.missed):
        shown = boxes.scores[commitment.box[commitment.box >= 0]]
        shards.append(looker.poses(_true_boxes(commitment.missed, shown, looker.split)))
        given = looker.scored(merge(shards), file.with_suffix(".given.json"))
    return Source(
        name=name,
        person_ap=person_average_precision(*boxes, table),
        boxes_a_picture=len(boxes.scores) / len(table),
        missed=commitment.miss_rate,
        overlap=commitment.mean_overlap,
        ap=ap,
        given=given,
    )


def _true_boxes(people: Any, scores: Any, split: Split) -> Items:
    """These people's annotated boxes, with the median of the scores."""
    import numpy as np

    from poselab.data.boxes import labelled_people

    everybody = labelled_people(split.annotations)
    rows = np.flatnonzero(np.isin(everybody.person, people))
    score = float(np.median(scores)) if len(scores) else 1.0
    return everybody._replace(
        picture=everybody.picture[rows],
        person=np.full(len(rows), -1),
        boxes=everybody.boxes[rows],
        scores=np.full(len(rows), score),
    )


def _as_file(name: str) -> str:
    return re.sub(r"[^\w.=-]+", "-", name).strip("-.")


def _rows(sources: list[Source]) -> list[Row]:
    """The table: fractions become percent."""
    best = sources[0].ap
    return [
        {
            "boxes": source.name,
            "person AP": source.person_ap,
            "boxes a picture": f"{source.boxes_a_picture:.2f}",
            "missed": source.missed,
            "mean IoU": f"{source.overlap:.2f}",
            "AP": source.ap,
            "lost: early commitment": source.given - source.ap,
            "lost: boxes": best - source.given,
        }
        for source in sources
    ]


def _write(sources: list[Source], out: Path) -> None:
    from poselab.files import write_bytes, write_json
    from poselab.report.decomposition import draw_decomposition
    from poselab.report.tables import markdown, print_table

    rows = _rows(sources)
    write_bytes(out / "table.md", markdown(rows).encode())
    write_json(out / "decomposition.json", [source._asdict() for source in sources])
    draw_decomposition(rows, out / "decomposition.png")
    print_table(rows)
    print(f"tables: {out}")
