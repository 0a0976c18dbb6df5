"""PoseLab: train, evaluate and compare 2-D human pose estimation methods on equal terms.

The Python API, which imports nothing heavy until it is used:

    run = poselab.train("quickstart/heatmap", {"trainer.max_epochs": 3})
    poses = poselab.load(run).predict("photos")
    metrics = poselab.evaluate(run, annotations)
    comparison = poselab.compare({"a": run, "b": "others.json"}, annotations)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from poselab.evaluation.api import evaluate as evaluate
    from poselab.experiments.api import load as load
    from poselab.experiments.api import predict as predict
    from poselab.experiments.api import resume as resume
    from poselab.experiments.api import train as train
    from poselab.experiments.api import write_report as write_report
    from poselab.report.comparison_report import compare as compare

__version__ = "0.1.0"

_API = {
    **dict.fromkeys(
        ("train", "resume", "write_report", "load", "predict"), "poselab.experiments.api"
    ),
    "evaluate": "poselab.evaluation.api",
    "compare": "poselab.report.comparison_report",
}
"""Function → the module that defines it."""

__all__ = ["__version__", *_API]


def __getattr__(name: str) -> Any:
    """Import a function of the API when it is first asked for."""
    if name not in _API:
        raise AttributeError(f"module 'poselab' has no attribute {name!r}")
    return getattr(importlib.import_module(_API[name]), name)


def __dir__() -> list[str]:
    """What completion in a notebook shows."""
    return __all__
