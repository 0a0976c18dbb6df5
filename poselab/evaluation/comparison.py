"""Methods scored on the same images: values, confidence intervals, all pairwise differences."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.evaluation.accumulator import JointAccumulator, metrics_of
from poselab.evaluation.metrics.average_precision import OksAccumulator
from poselab.evaluation.metrics.hotcoco_streaming import MANY
from poselab.evaluation.statistics.bootstrap import (
    LEVEL,
    REPLICATES,
    PairedDifference,
    Replicates,
    holm,
    resample,
    with_intervals,
)
from poselab.io.background import in_background

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.accumulator import Accumulator
    from poselab.evaluation.evaluator import Evaluator
    from poselab.evaluation.predictions_file import PredictionsFile
    from poselab.evaluation.record import Metrics
    from poselab.structures import Floats


@dataclass(frozen=True)
class Method:
    """A name for one run or several that differ by seed, scored; the first run is the one shown.

    ``first_run`` are its values without intervals; ``precision`` (T, 101) is that of COCO's metric
    at each OKS threshold for people of all sizes, None for other metrics.
    """

    name: str
    runs: tuple[PredictionsFile, ...]
    first_run: Metrics
    precision: Floats | None
    replicates: Replicates

    @property
    def comparability(self) -> dict[str, Any]:
        """What the values depend on: the evaluator's record and, if there is one, the run's."""
        return self.first_run.comparability

    def metrics(self, seed: int = 0) -> Metrics:
        """The values of the first run with the intervals that the replicates give."""
        return with_intervals(self.first_run, self.replicates, seed)


class Pair(NamedTuple):
    """The first method minus the second: ``difference`` of every metric (F,), and the primary
    metric's p-value corrected for the number of pairs."""

    first: str
    second: str
    difference: PairedDifference
    p_corrected: float


@dataclass(frozen=True)
class Comparison:
    """Methods in the order of their primary metric, the best first, and all pairs of them.

    ``intended_differences`` are fields of comparability records, such as "run.boxes", in which the
    methods differ because the comparison is about them.
    """

    annotations: Annotations
    primary_metric: str
    methods: tuple[Method, ...]
    pairs: tuple[Pair, ...]
    replicates: int
    seed: int
    intended_differences: frozenset[str] = frozenset()

    def with_intended_differences(self, fields: frozenset[str]) -> Comparison:
        """The same, about these fields of comparability records."""
        return replace(self, intended_differences=fields)

    @property
    def keys(self) -> tuple[str, ...]:
        """The metrics, in the order of every array (F,)."""
        return self.methods[0].replicates.keys

    @property
    def values(self) -> Floats:
        """The values (methods, F) as fractions; :attr:`Replicates.samples` has the replicates."""
        return np.stack([method.replicates.values for method in self.methods])

    @property
    def minimum_detectable(self) -> float:
        """The minimum detectable difference of the primary metric, for the median pair.

        As many pairs as there are share the level. NaN where no two methods ever differ.
        """
        place = self.keys.index(self.primary_metric)
        every = [p.difference.minimum_detectable(len(self.pairs))[place] for p in self.pairs]
        return float(np.median([d for d in every if d > 0] or np.nan))

    def pair(self, first: str, second: str) -> Pair:
        """The pair of two methods, the better one first."""
        return next(p for p in self.pairs if (p.first, p.second) == (first, second))

    def to_json(self) -> dict[str, Any]:
        """All values and differences, as fractions, with what they depend on."""
        return {
            "primary_metric": self.primary_metric,
            "bootstrap": {"replicates": self.replicates, "seed": self.seed, "level": LEVEL},
            "methods": [_method_json(method) for method in self.methods],
            "pairs": [_pair_json(pair, self.keys) for pair in self.pairs],
        }


def _method_json(method: Method) -> dict[str, Any]:
    replicates = method.replicates
    columns = zip(replicates.keys, replicates.values, *replicates.interval(), strict=True)
    return {
        "name": method.name,
        "files": [str(run.path) for run in method.runs],
        "metrics": {k: {"value": float(v), "interval": [lo, hi]} for k, v, lo, hi in columns},
        "comparability": method.comparability,
    }


def _pair_json(pair: Pair, keys: Sequence[str]) -> dict[str, Any]:
    columns = {
        **pair.difference._asdict(),
        "minimum_detectable_difference": pair.difference.minimum_detectable(),
    }
    metrics = {
        key: {name: float(column[n]) for name, column in columns.items()}
        for n, key in enumerate(keys)
    }
    both = {"first": pair.first, "second": pair.second}
    return {**both, "p_corrected": pair.p_corrected, "metrics": metrics}


def compare_methods(
    methods: Mapping[str, Sequence[PredictionsFile]],
    annotations: Annotations,
    evaluator: Evaluator,
    replicates: int = REPLICATES,
    seed: int = 0,
    progress: Callable[[int], Any] = int,
) -> Comparison:
    """Score every method's runs once and resample all of them together.

    ``progress`` is called with each number of new replicates.

    Raises:
        InputError: predictions that the evaluator cannot score.
    """
    runs = list(methods.values())
    flat = iter(_match_runs([run for group in runs for run in group], annotations, evaluator))
    accumulators = [tuple(next(flat) for _ in group) for group in runs]
    replicated = resample(accumulators, replicates, seed, progress)
    scored = [
        _method(name, group, parts[0], sampled)
        for name, group, parts, sampled in zip(methods, runs, accumulators, replicated, strict=True)
    ]
    place = replicated[0].keys.index(evaluator.primary_metric)
    scored.sort(key=lambda method: -np.nan_to_num(method.replicates.values[place]))
    pairs = _pairs(scored, place)
    return Comparison(annotations, evaluator.primary_metric, tuple(scored), pairs, replicates, seed)


def _match_runs(
    runs: Sequence[PredictionsFile], annotations: Annotations, evaluator: Evaluator
) -> list[Accumulator]:
    """The accumulator of every run; large runs are matched by two other processes.

    None is matched here, so that what an engine needs for a while leaves no gaps in this process's
    memory, nor threads that would forbid more processes later.
    """

    def match(some: Sequence[PredictionsFile]) -> list[Accumulator]:
        return [evaluator.accumulate(run.predictions, annotations) for run in some]

    half = len(runs) // 2
    large = half > 0 and sum(len(run.predictions) for run in runs[half:]) >= MANY
    with (
        in_background(partial(match, runs[:half]), worth_it=large) as first,
        in_background(partial(match, runs[half:]), worth_it=large) as others,
    ):
        return [*first(), *others()]


def _method(
    name: str, runs: Sequence[PredictionsFile], first: Accumulator, replicates: Replicates
) -> Method:
    """Keeps no accumulator: that of a large file takes tens of megabytes."""
    metrics = metrics_of(first)
    metrics = replace(metrics, comparability={**metrics.comparability, **runs[0].comparability})
    oks = first.parts[0] if isinstance(first, JointAccumulator) else first
    precision = oks.precision_of_all() if isinstance(oks, OksAccumulator) else None
    return Method(name, tuple(runs), metrics, precision, replicates)


def _pairs(methods: Sequence[Method], place: int) -> tuple[Pair, ...]:
    both = list(combinations(methods, 2))
    differences = [a.replicates.minus(b.replicates) for a, b in both]
    corrected = holm(np.array([d.p[place] for d in differences]))
    return tuple(
        Pair(a.name, b.name, difference, float(p))
        for (a, b), difference, p in zip(both, differences, corrected, strict=True)
    )
