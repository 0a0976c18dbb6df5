"""Uncertainty of metric values: bootstrap over images and seeds; estimates of OKS sigmas."""

from typing import Any

from poselab.ranges import check_whole

MOST_REPLICATES = 100_000
"""Bootstrap replicates at most: their own error is then far below what any interval shows."""


def check_replicates(name: str, value: Any, least: int = 1) -> None:
    """Check a number of bootstrap replicates.

    Raises:
        InputError: it is not a whole number from ``least`` to :data:`MOST_REPLICATES`.
    """
    check_whole(name, value, least, MOST_REPLICATES)
