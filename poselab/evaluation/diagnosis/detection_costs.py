"""What a top-down method loses to its boxes: people whom none shows, what else is poor, the rest.

A method that is given true boxes, and then a detector's, differs by the boxes alone. Giving the
people whom these leave out their true boxes as well tells apart what was lost before any pose was
looked for (early commitment, Cao et al. 2017, section 1) and what the other boxes' place, size and
number cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from poselab.evaluation.comparison import compare
from poselab.evaluation.diagnosis.costs import FALSE_NEGATIVE, Cost, without_people
from poselab.evaluation.statistics.bootstrap import REPLICATES, resampled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from poselab.annotations.table import Annotations
    from poselab.evaluation.comparison import Comparison, Method, Run
    from poselab.evaluation.diagnosis.diagnosis import Diagnosis
    from poselab.evaluation.diagnosis.undetected import Commitment
    from poselab.evaluation.metrics.oks import OksEvaluator
    from poselab.evaluation.predictions import Predictions
    from poselab.evaluation.statistics.bootstrap import Replicates

EARLY, BOXED = "early commitment", "false negative in a box"
"""Errors into which a person that nobody found falls here: no box shows him, or one does."""

OF_BOXES = frozenset({"run.boxes"})
"""Fields of a contract in which sources of boxes are meant to differ."""


class Boxes(NamedTuple):
    """One source of boxes, and the poses that a method found in them.

    person_ap of the boxes; number of them; run the poses scored; given the poses with those of
    people whom no box shows, in their true boxes.
    """

    name: str
    person_ap: float
    number: int
    commitment: Commitment
    run: Run
    given: Predictions


class Part(NamedTuple):
    """A share of the 100 points as a fraction, with its paired 95 % limits."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class BoxCost:
    """Where the points go with one source of boxes: ap, early, boxes and poses add up to 1.

    early is lost to people whom no box shows, boxes to whatever else separates this source from
    true boxes, poses is what is lost on true boxes too. A part is below 0 where boxes make up for
    it, such as by scores that rank poses better. ``from_truth`` is the AP minus that on true boxes,
    p its p-value, corrected for all pairs of sources; NaN for the true boxes themselves.
    """

    source: Boxes
    images: int
    given: float
    ap: Part
    early: Part
    boxes: Part
    poses: Part
    from_truth: Part
    p: float


def box_costs(
    sources: Sequence[Boxes],
    annotations: Annotations,
    evaluator: OksEvaluator,
    replicates: int = REPLICATES,
    seed: int = 0,
    progress: Callable[[int], Any] = int,
) -> tuple[Comparison, list[BoxCost]]:
    """Score every source on the same resampled images; the first is that of the true boxes.

    Raises:
        InputError: what the evaluator refuses.
    """
    runs = {source.name: [source.run] for source in sources}
    comparison = compare(runs, annotations, evaluator, replicates, seed, progress)
    comparison = comparison.asking(OF_BOXES)
    tallies = [[evaluator.tally(source.given, annotations)] for source in sources]
    given = resampled(tallies, replicates, seed, progress)
    methods = {method.name: method for method in comparison.methods}
    ground_truth = methods[sources[0].name]
    return comparison, [
        _cost(source, comparison, methods[source.name], more, ground_truth)
        for source, more in zip(sources, given, strict=True)
    ]


def _cost(
    source: Boxes, comparison: Comparison, method: Method, given: Replicates, ground_truth: Method
) -> BoxCost:
    place = comparison.keys.index(comparison.primary_metric)
    own, best = (_figure(each.replicates, place) for each in (method, ground_truth))
    p = {frozenset(pair[:2]): pair.p_corrected for pair in comparison.pairs}
    return BoxCost(
        source=source,
        images=len(comparison.annotations),
        given=_figure(given, place).value,
        ap=own,
        early=_apart(given, method.replicates, place),
        boxes=_apart(ground_truth.replicates, given, place),
        poses=Part(1 - best.value, 1 - best.high, 1 - best.low),
        from_truth=_apart(method.replicates, ground_truth.replicates, place),
        p=p.get(frozenset((method.name, ground_truth.name)), float("nan")),
    )


def _figure(drawn: Replicates, place: int) -> Part:
    low, high = (float(limits[place]) for limits in drawn.interval())
    return Part(float(drawn.values[place]), low, high)


def _apart(first: Replicates, second: Replicates, place: int) -> Part:
    value, low, high = (float(column[place]) for column in first.minus(second)[:3])
    return Part(value, low, high)


def apart(
    costs: Sequence[Cost],
    cost: BoxCost,
    diagnosis: Diagnosis,
    annotations: Annotations,
    evaluator: OksEvaluator,
) -> list[Cost]:
    """The costs of errors with early commitment as one of its own, before all others.

    ``costs`` and ``diagnosis`` are those of the source's poses. Early commitment counts people whom
    no box shows and is put right by their true boxes; what it leaves of false negatives are people
    whom a box shows. Somebody may count as neither, where a pose in another's box answers for him.
    """
    found = cost.source.run.predictions.take(diagnosis.considered)
    shown = diagnosis.missed.copy()
    shown[cost.source.commitment.missed] = False
    before = evaluator(found, annotations).values["AP"]
    after = evaluator(found, without_people(annotations, shown)).values["AP"]
    missed = len(cost.source.commitment.missed)
    boxed = Cost(BOXED, int(np.count_nonzero(shown)), after, after - before)
    others = [boxed if c.kind == FALSE_NEGATIVE else c for c in costs]
    return [Cost(EARLY, missed, cost.given, cost.early.value), *others]
