"""Two sides that do the same work, timed in turn."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable


class Ratios(NamedTuple):
    """CPU milliseconds of both sides (medians), and how many times ours fits into the peer's: the
    median over rounds, the lowest and the highest tenth."""

    ours_ms: float
    peer_ms: float
    median: float
    low: float
    high: float


def interleaved(ours: Callable[[], Any], peer: Callable[[], Any], rounds: int) -> Ratios:
    """Run both sides once, then in turn ``rounds`` times.

    Counted are CPU seconds of the process, which other processes on the same core do not lengthen.
    """
    times = np.zeros((rounds + 1, 2))
    for row in times:
        for side, work in enumerate((ours, peer)):
            start = time.process_time()
            work()
            row[side] = time.process_time() - start
    times = times[1:]  # the first round warms up
    ratio = times[:, 1] / times[:, 0]
    ours_ms, peer_ms = 1e3 * np.median(times, axis=0)
    return Ratios(ours_ms, peer_ms, *np.quantile(ratio, [0.5, 0.1, 0.9]).tolist())
