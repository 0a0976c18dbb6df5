"""Suites: several experiments trained in one process and compared in one table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from poselab.evaluation.run_record import recorded
from poselab.evaluation.statistics.estimate import Estimate
from poselab.experiments import build, runs
from poselab.experiments.config.compose import compose
from poselab.experiments.parallel import parallel_runs, train_in_parallel
from poselab.experiments.reporting import compare_runs
from poselab.experiments.speed import images_per_second
from poselab.experiments.train import train_run
from poselab.io.files import write_bytes, write_json
from poselab.report.page import write_page
from poselab.report.tables import Quantity, csv_text, markdown, print_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from omegaconf import DictConfig

    from poselab.report.tables import Row

_METRICS = ("AP", "AP50", "AP75", "AR", "PCKh@0.5")
_WITH_INTERVAL = ("AP", "PCKh@0.5")
"""Metrics whose confidence intervals the table has room for."""

_CAPTION = (
    "On the validation images, by which the best epoch was chosen too. In brackets: 95 % bootstrap "
    "confidence interval over validation images; how far trainings with other seeds differ is not "
    "in it: train again with seed=1 runs=FOLDER, and give `poselab compare` NAME=RUN,RUN."
)


def run_suite(experiments: Sequence[str], overrides: Sequence[str]) -> Path:
    """Train the experiments of one suite, print and write their table; the suite's folder.

    Finished runs are not trained again, interrupted ones resume from their last epoch. Where the
    config asks for a report, ``index.html`` compares the runs.

    Raises:
        InputError: a config cannot be used, or a run's folder holds another run.
    """
    configs = [compose("train", [f"experiment={name}", *overrides])[0] for name in experiments]
    place = Path(configs[0].runs) / "suite"
    _train_missing(dict(zip(experiments, configs, strict=True)), place, overrides)
    rows = [
        _row(config, place / name, name) for name, config in zip(experiments, configs, strict=True)
    ]
    folder = place / experiments[0].rpartition("/")[0]
    print_table(rows, _CAPTION)
    write_bytes(folder / "table.md", markdown(rows).encode())
    write_bytes(folder / "table.csv", csv_text(rows).encode())
    if configs[0].get("report") and len(experiments) > 1:
        _write_page(configs[0], {name: place / name for name in experiments}, folder)
    return folder


def _train_missing(
    configs: Mapping[str, DictConfig], place: Path, overrides: Sequence[str]
) -> None:
    """Train the experiments that are not finished, on a CPU several at once."""
    for n, (name, config) in enumerate(configs.items(), start=1):
        runs.check_one_device(config)
        print(f"[{n}/{len(configs)}] {name}: {place / name}", flush=True)
    missing = {
        name: config
        for name, config in configs.items()
        if runs.finished_metrics(config, place / name) is None
    }
    processes = parallel_runs(list(missing.values()))
    if processes == 1:
        for name, config in missing.items():
            print(f"training {name} ...", flush=True)
            train_run(config, place / name, name)
        return
    for config in missing.values():
        build.data(config)  # data that is missing is generated once, before all of them need it
    print(f"training {len(missing)} experiments, {processes} at a time ...", flush=True)
    train_in_parallel({name: place / name for name in missing}, overrides, processes)


def _row(config: DictConfig, folder: Path, name: str) -> Row:
    """A finished run's row of the table."""
    record = runs.read_metrics(folder)
    manifest = runs.read_manifest(folder)
    file = folder / "run.json"
    seconds, cost = recorded(manifest, "seconds", file), recorded(manifest, "cost", file)
    parameters, gmacs = recorded(cost, "parameters", file), recorded(cost, "gmacs", file)
    metrics: Row = {key: record.get(key) for key in _METRICS}
    for key in {*_WITH_INTERVAL} & {*(record.get("interval") or {})}:
        metrics[key] = Estimate(record[key], *record["interval"][key])
    return {
        "method": name.rpartition("/")[2],
        **metrics,
        "AP untrained": (manifest.get("untrained") or {}).get("AP"),
        "epochs": _quantity(config.trainer.max_epochs, ".0f"),
        "parameters": Quantity(parameters, f"{parameters / 1e6:.2f} M"),
        "GMACs": _quantity(gmacs, ".3f"),
        "images/s": _quantity(_measured_speed(config, folder, manifest), ".0f"),
        "seconds": _quantity(seconds, ".0f"),
    }


def _quantity(value: float, form: str) -> Quantity:
    return Quantity(value, format(value, form))


def _measured_speed(config: DictConfig, folder: Path, manifest: dict[str, Any]) -> float:
    """Images per second that a finished run predicts, measured once and kept in its manifest."""
    if "images_per_second" not in manifest:
        module, _, _ = build.load(runs.best_checkpoint(folder))
        batch = next(iter(build.data(config).val_dataloader()))
        on_gpu = torch.cuda.is_available() and config.trainer.accelerator != "cpu"
        speed = images_per_second(module, batch, "cuda" if on_gpu else "cpu")
        manifest["images_per_second"] = speed
        write_json(folder / "run.json", manifest)
    return float(manifest["images_per_second"])


def _write_page(config: DictConfig, folders: Mapping[str, Path], out: Path) -> None:
    """The page that compares the runs that predicted the same images as the first."""
    records = {name: runs.read_metrics(folder)["comparability"] for name, folder in folders.items()}
    first = next(iter(records.values()))
    same = {
        name.rpartition("/")[2]: folders[name]
        for name, record in records.items()
        if all(record[key] == first[key] for key in ("fingerprint", "image_set"))
    }
    print("resampling images to compare the runs, writing index.html ...", flush=True)
    split = build.data(config).val
    comparison = compare_runs(same, split, build.evaluator(config), config.report.replicates)
    write_page(comparison, out / "index.html", image_folder=split.images)
