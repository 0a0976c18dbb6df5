"""What ``import poselab`` offers for experiments; the commands call the same functions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poselab.experiments import runs
from poselab.experiments.config.compose import compose
from poselab.experiments.config.overrides import quoted
from poselab.experiments.config.trust import trusting
from poselab.experiments.library_messages import hide_library_messages
from poselab.experiments.prediction.predictor import load
from poselab.experiments.resume import (
    REPORTABLE,
    check_trained,
    check_trained_here,
    with_changes,
)
from poselab.experiments.run import Run
from poselab.experiments.train import report_run, train_run
from poselab.io.folders import only_writer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.experiments.prediction.image_poses import ImagePoses
    from poselab.experiments.prediction.predictor import Images

    Overrides = Sequence[str] | Mapping[str, Any]
    Trust = str | Sequence[str] | None

__all__ = ["load", "predict", "resume", "train", "write_report"]


def train(
    experiment: str | None = None,
    overrides: Overrides = (),
    config_dir: Path | str | None = None,
    trust: Trust = None,
) -> Run:
    """Train an experiment by its name SUITE/NAME, or the config that overrides alone make; the run.

    overrides: "key=value" words of Hydra's grammar, as on the command line, or a mapping from
    dotted keys to values. config_dir: a folder with configs of your own. trust: modules of your
    own whose classes the config may name, such as "my_method"; "__main__" is a script or notebook.

    Example::

        run = poselab.train("quickstart/heatmap", {"trainer.max_epochs": 3, "seed": 1})
        print(run)  # its metrics as a table

    Raises:
        InputError: no such experiment or key, or a dataset that is not there; nothing is trained.
    """
    hide_library_messages()
    words = [] if experiment is None else [f"experiment={experiment}"]
    words += override_words(overrides)
    if config_dir is not None:
        words += ["--config-dir", str(config_dir)]
    with trusting(trust):
        config, choices = compose("train", words)
        name = choices.get("experiment") or "custom"
        folder = runs.new_folder(config, name)
        train_run(config, folder, name)
    return Run(folder)


def resume(folder: Path | str, overrides: Overrides = (), trust: Trust = None) -> Run:
    """Resume a run from its last checkpoint; a finished run without changes stays as it is, one
    that was interrupted in its report is reported.

    overrides: more epochs, such as ``{"trainer.max_epochs": 20}``, or other devices, data.workers,
    loggers and reports. trust: as in :func:`train`.

    Raises:
        InputError: no such run, imported weights, or a change that would make it another run.
    """
    hide_library_messages()
    folder, changes = Path(folder), override_words(overrides)
    config, experiment = runs.load_run(folder)
    check_trained_here(folder)
    with trusting(trust):
        config = with_changes(folder, config, changes)
        if changes or not runs.is_finished(folder):
            train_run(config, folder, experiment)
    return Run(folder)


def write_report(folder: Path | str, overrides: Overrides = (), trust: Trust = None) -> Run:
    """Score and report a run again that has trained, without training: metrics, curves, the page.

    overrides: ``{"report.replicates": 2000}``, or where the data lies now. trust: as in
    :func:`train`.

    Raises:
        InputError: no such run, one that has not trained to its end, or changed annotations.
    """
    hide_library_messages()
    folder, changes = Path(folder), override_words(overrides)
    config, experiment = runs.load_run(folder)
    check_trained(folder)
    with trusting(trust), only_writer(folder):
        config = with_changes(folder, config, changes, REPORTABLE)
        report_run(config, folder, experiment)
    return Run(folder)


def predict(
    source: Path | str,
    images: Images,
    boxes: Path | str | None = None,
    detector: str | None = None,
    trust: Trust = None,
) -> ImagePoses:
    """Load a model and predict poses in images; see :func:`load` and ``Predictor.predict``.

    Example::

        poses = poselab.predict("runs/imported/hrnet", "photos", detector="runs/detector")
        print(poses)  # how many in which image
        poses.write("poses")  # what `poselab predict` writes

    Raises:
        InputError: no such model or image.
    """
    return load(source, trust=trust).predict(images, boxes, detector)


def override_words(overrides: Overrides) -> list[str]:
    """Overrides as "key=value" words of Hydra's grammar."""
    if isinstance(overrides, Mapping):
        return [f"{key}={_word(value)}" for key, value in overrides.items()]
    return list(overrides)


def _word(value: Any) -> str:
    """A value in Hydra's grammar; strings are quoted, so that they may hold any character."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_word(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(_word, value)) + "]"
    if isinstance(value, (int, float)):
        return str(value)
    return quoted(str(value))
