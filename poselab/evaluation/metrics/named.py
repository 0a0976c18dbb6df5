"""The evaluators by the names that ``--metric`` takes; each imports only what it needs."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, NamedTuple

from poselab.io.json_text import shortened
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from poselab.evaluation.evaluator import Evaluator
    from poselab.evaluation.metrics.oks import OksEvaluator


class Settings(NamedTuple):
    """The settings of metrics that the command line offers.

    engine: what matches by OKS. match: how pckh and pck match predictions to people, one of
    :data:`poselab.evaluation.matching.instances.MATCH_RULES`. reference: what pck measures
    distances by, "torso" or "box".
    """

    engine: str = "hotcoco"
    match: str = "annotation_id"
    reference: str = "torso"


DEFAULTS = Settings()


def named_evaluator(metric: str, settings: Settings = DEFAULTS) -> Evaluator:
    """The evaluator of a metric: one of :data:`METRICS`, or any class as PACKAGE.MODULE.CLASS.

    Raises:
        InputError: no metric of that name.
    """
    if metric in METRICS:
        return METRICS[metric](settings)
    module, _, name = metric.rpartition(".")
    try:
        evaluator: Evaluator = getattr(importlib.import_module(module), name)()
    except Exception as error:  # anybody's module may raise anything
        raise _no_evaluator(metric, str(error) if module else "no dot in it") from error
    if not (hasattr(evaluator, "primary_metric") and hasattr(evaluator, "accumulate")):
        raise _no_evaluator(metric, "it has no primary_metric or no accumulate()")
    return evaluator


def _no_evaluator(metric: str, reason: str) -> InputError:
    return InputError(
        f"expected a metric out of {', '.join(METRICS)}, or PACKAGE.MODULE.CLASS of an evaluator, "
        f"got {shortened(metric)} ({shortened(reason, 200)}); correct it"
    )


def _oks(settings: Settings) -> OksEvaluator:
    from poselab.evaluation.metrics.oks import OksEvaluator

    return OksEvaluator(engine=settings.engine)


def _crowdpose(settings: Settings) -> Evaluator:
    from poselab.evaluation.metrics.crowding import CrowdPoseEvaluator

    return CrowdPoseEvaluator(_oks(settings))


def _whole_body(settings: Settings) -> Evaluator:
    from poselab.evaluation.metrics.body_parts import WholeBodyEvaluator

    return WholeBodyEvaluator(_oks(settings))


def _pckh(settings: Settings) -> Evaluator:
    from poselab.evaluation.metrics.pckh import PckhEvaluator

    return PckhEvaluator(match=settings.match)


def _pck(settings: Settings) -> Evaluator:
    from poselab.evaluation.metrics.pck import PckEvaluator

    return PckEvaluator(reference=settings.reference, match=settings.match)


METRICS: dict[str, Callable[[Settings], Evaluator]] = {
    "oks": _oks,
    "crowdpose": _crowdpose,
    "wholebody": _whole_body,
    "pckh": _pckh,
    "pck": _pck,
}
