"""Methods scored on the same people: figures, how sure they are, and every pair's difference."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.evaluation.metrics.hotcoco_streaming import MANY
from poselab.evaluation.metrics.oks import OksEvaluator
from poselab.evaluation.statistics.bootstrap import (
    LEVEL,
    REPLICATES,
    Difference,
    Replicates,
    holm,
    resampled,
)
from poselab.io.background import meanwhile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from poselab.annotations.table import Annotations
    from poselab.evaluation.accumulator import Tally
    from poselab.evaluation.evaluator import Evaluator
    from poselab.evaluation.predictions import Predictions
    from poselab.evaluation.record import Metrics


class Run(NamedTuple):
    """One predictions file: where it lies, its poses, and the contract a run left beside it."""

    path: Path
    predictions: Predictions
    comparability: Mapping[str, Any]


@dataclass(frozen=True)
class Method:
    """A name for one run or several that differ by seed, scored; the first run is the one shown."""

    name: str
    runs: tuple[Run, ...]
    metrics: tuple[Metrics, ...]
    replicates: Replicates

    @property
    def comparability(self) -> dict[str, Any]:
        """What the figures depend on: the evaluator's part, and the run's where one left it."""
        return {**self.metrics[0].comparability, **self.runs[0].comparability}


class Pair(NamedTuple):
    """The first method minus the second: ``difference`` of every figure (F,), and the headline's
    p-value corrected for the number of pairs."""

    first: str
    second: str
    difference: Difference
    p_corrected: float


@dataclass(frozen=True)
class Comparison:
    """Methods in the order of their headline figure, the best first, and all pairs of them.

    ``asked`` are fields of contracts that the comparison is about, such as "run.boxes": methods are
    meant to differ in them.
    """

    annotations: Annotations
    primary_metric: str
    methods: tuple[Method, ...]
    pairs: tuple[Pair, ...]
    replicates: int
    seed: int
    asked: frozenset[str] = frozenset()

    def asking(self, fields: frozenset[str]) -> Comparison:
        """The same, about these fields of contracts."""
        return replace(self, asked=fields)

    @property
    def keys(self) -> tuple[str, ...]:
        """The figures, in the order of every array (F,)."""
        return self.methods[0].replicates.keys

    @property
    def detectable(self) -> float:
        """The smallest headline difference that this set can tell apart, of the closest pair.

        NaN where there are no two methods that ever differ.
        """
        place = self.keys.index(self.primary_metric)
        differing = [p.difference.detectable[place] for p in self.pairs]
        return float(min((d for d in differing if d > 0), default=np.nan))

    def pair(self, first: str, second: str) -> Pair:
        """The pair of two methods, the better one first."""
        return next(p for p in self.pairs if (p.first, p.second) == (first, second))

    def to_json(self) -> dict[str, Any]:
        """All figures and differences, as fractions, with what they depend on."""
        return {
            "primary_metric": self.primary_metric,
            "bootstrap": {"replicates": self.replicates, "seed": self.seed, "level": LEVEL},
            "methods": [_method_json(method) for method in self.methods],
            "pairs": [self._pair_json(pair) for pair in self.pairs],
        }

    def _pair_json(self, pair: Pair) -> dict[str, Any]:
        columns = {**pair.difference._asdict(), "detectable": pair.difference.detectable}
        figures = {
            key: {name: float(column[n]) for name, column in columns.items()}
            for n, key in enumerate(self.keys)
        }
        both = {"first": pair.first, "second": pair.second}
        return {**both, "p_corrected": pair.p_corrected, "figures": figures}


def _method_json(method: Method) -> dict[str, Any]:
    replicates = method.replicates
    columns = zip(replicates.keys, replicates.values, *replicates.interval(), strict=True)
    return {
        "name": method.name,
        "files": [str(run.path) for run in method.runs],
        "figures": {k: {"value": float(v), "interval": [lo, hi]} for k, v, lo, hi in columns},
        "comparability": method.comparability,
    }


def compare(
    named: Mapping[str, Sequence[Run]],
    annotations: Annotations,
    evaluator: Evaluator,
    replicates: int = REPLICATES,
    seed: int = 0,
    progress: Callable[[int], Any] = int,
) -> Comparison:
    """Score every method and resample all of them together.

    Raises:
        InputError: what the evaluator refuses.
    """
    runs = list(named.values())
    scored = iter(_scored([run for group in runs for run in group], annotations, evaluator))
    both = [[next(scored) for _ in group] for group in runs]
    draws = resampled([[tally for _, tally in group] for group in both], replicates, seed, progress)
    methods = [
        Method(name, tuple(group), tuple(metrics for metrics, _ in figures), drawn)
        for name, group, figures, drawn in zip(named, runs, both, draws, strict=True)
    ]
    place = draws[0].keys.index(evaluator.primary_metric)
    methods.sort(key=lambda method: -np.nan_to_num(method.replicates.values[place]))
    pairs = _pairs(methods, place)
    return Comparison(
        annotations, evaluator.primary_metric, tuple(methods), pairs, replicates, seed
    )


def _scored(
    runs: Sequence[Run], annotations: Annotations, evaluator: Evaluator
) -> list[tuple[Metrics, Tally]]:
    """Figures and tally of every run, of half of them by a second process where they are large."""

    def score(some: Sequence[Run]) -> list[tuple[Metrics, Tally]]:
        return [_figures_and_tally(run.predictions, annotations, evaluator) for run in some]

    half = len(runs) // 2
    large = sum(len(run.predictions) for run in runs[half:]) >= MANY
    with meanwhile(partial(score, runs[half:]), worth_it=large and half > 0) as others:
        return [*score(runs[:half]), *others()]


def _figures_and_tally(
    predictions: Predictions, annotations: Annotations, evaluator: Evaluator
) -> tuple[Metrics, Tally]:
    if isinstance(evaluator, OksEvaluator):
        return evaluator.scored(predictions, annotations)
    return evaluator(predictions, annotations), evaluator.tally(predictions, annotations)


def _pairs(methods: Sequence[Method], place: int) -> tuple[Pair, ...]:
    both = list(combinations(methods, 2))
    differences = [a.replicates.minus(b.replicates) for a, b in both]
    corrected = holm(np.array([d.p[place] for d in differences]))
    return tuple(
        Pair(a.name, b.name, difference, float(p))
        for (a, b), difference, p in zip(both, differences, corrected, strict=True)
    )
