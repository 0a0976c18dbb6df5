"""poselab suite: every experiment of a suite in one process, and one table of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poselab.experiments.configs import shipped
from poselab.report.tables import Estimate, Quantity

if TYPE_CHECKING:
    from poselab.report.tables import Cell, Row

_FIGURES = ("AP", "AP50", "AP75", "AR", "PCKh@0.5")
_LIMITED = ("AP", "PCKh@0.5")

_HELP = """usage: poselab suite NAME [EXPERIMENT ...] [--config-dir DIR] [key=value ...]

Train every experiment in conf/experiment/NAME/ (with --config-dir also in DIR/experiment/NAME/),
or those that are named, in one process, and print one table: accuracy on the validation images
with 95 % confidence limits over images, parameters, multiply-adds (GMACs, one image, no flip
test), images a second that are predicted on this machine (no flip test), seconds of training.

  poselab suite quickstart
  poselab suite quickstart trainer.max_epochs=2 runs=/tmp/runs
  poselab suite bench/top_down heatmap simcc rle

What is finished already is not trained again; what was interrupted goes on from its last epoch.

Suites: {suites}
"""


def main(words: list[str]) -> int:
    """Run the command."""
    if not words or {"-h", "--help"} & set(words):
        suites = " ".join(sorted({_suite(name) for name in shipped("experiment")}))
        print(_HELP.format(suites=suites), file=sys.stdout if words else sys.stderr)
        return 0 if words else 2
    from poselab.experiments.compose import apart

    folders, rest = apart(words)
    changes = [word for word in rest if "=" in word]
    chosen = _chosen([word for word in rest if "=" not in word], folders)
    places = [word for folder in folders for word in ("--config-dir", str(folder))]
    return _run(chosen, [*changes, *places])


def _suite(experiment: str) -> str:
    return experiment.rpartition("/")[0]


def _chosen(words: list[str], folders: list[Path]) -> list[str]:
    """The experiments that the words name: a suite, and those of it that are wanted."""
    from poselab.structures import InputError

    experiments = shipped("experiment", folders)
    suite, *wanted = words or [""]
    there = [name for name in experiments if _suite(name) == suite.rstrip("/")]
    if not there:
        suites = sorted({_suite(name) for name in experiments})
        raise InputError(f"expected a suite out of {', '.join(suites)}, got {suite!r}; choose one")
    short = {name.rpartition("/")[2]: name for name in there}
    if unknown := [word for word in wanted if word not in short]:
        raise InputError(
            f"expected experiments of {suite} out of {', '.join(short)}, got {unknown[0]!r}; "
            "choose some of these, or none for all"
        )
    return [short[word] for word in wanted] or there


def _run(experiments: list[str], changes: list[str]) -> int:
    from poselab.experiments.compose import compose

    configs = [compose("train", [f"experiment={name}", *changes])[0] for name in experiments]
    place = Path(configs[0].runs) / "suite"
    rows = []
    for n, (name, config) in enumerate(zip(experiments, configs, strict=True), start=1):
        print(f"[{n}/{len(experiments)}] {name}: {place / name}", flush=True)
        rows.append(_row(config, place / name, name))
    suite = place / _suite(experiments[0])
    _tabulate(rows, suite)
    print("images with poses (predictions beside them, curves.png above):")
    for name in experiments:
        print(f"  {place / name}/predictions/images.jpg")
    if configs[0].get("report") and len(experiments) > 1:
        print(f"page: {_compared(configs[0], {n: place / n for n in experiments}, suite)}")
    return 0


def _tabulate(rows: list[Row], suite: Path) -> None:
    from poselab.io.files import write_bytes
    from poselab.report.tables import csv_text, markdown, print_table

    print_table(rows, "on the validation images, by which the best epoch was chosen too")
    for name, text in (("table.md", markdown(rows)), ("table.csv", csv_text(rows))):
        write_bytes(suite / name, text.encode())
    print(f"table: {suite / 'table.md'} (and .csv)")


def _compared(config: Any, folders: dict[str, Path], out: Path) -> Path:
    """The page that compares the runs that predicted the same images as the first."""
    from poselab.experiments import build
    from poselab.experiments.reporting import compare_runs
    from poselab.io.files import read_json
    from poselab.report.page import write_page

    comparability_records = {
        n: read_json(f / "metrics.json", "metrics")["comparability"] for n, f in folders.items()
    }
    first = next(iter(comparability_records.values()))
    same = {
        name.rpartition("/")[2]: folders[name]
        for name, comparability in comparability_records.items()
        if all(comparability[key] == first[key] for key in ("fingerprint", "image_set"))
    }
    split = build.data(config).val
    comparison = compare_runs(same, split, build.evaluator(config), config.report.replicates)
    return write_page(comparison, out / "index.html", image_folder=split.images)


def _row(config: Any, folder: Path, name: str) -> Row:
    """Train where it must, and gather one row of the table."""
    from poselab.experiments import runs
    from poselab.experiments import train as training
    from poselab.io.files import read_json

    runs.check_one_device(config)
    record = runs.finished_metrics(config, folder) or training.train(config, folder, name)
    manifest = read_json(folder / "run.json", "a run's manifest")
    cost = manifest["cost"]
    return {
        "method": name.rpartition("/")[2],
        **{key: _figure(key, record) for key in _FIGURES},
        "AP untrained": (manifest.get("untrained") or {}).get("AP"),
        "epochs": _quantity(config.trainer.max_epochs, ".0f"),
        "parameters": Quantity(cost["parameters"], f"{cost['parameters'] / 1e6:.2f} M"),
        "GMACs": _quantity(cost["gmacs"], ".3f"),
        "images/s": _quantity(_speed(folder, manifest), ".0f"),
        "seconds": _quantity(manifest["seconds"], ".0f"),
    }


def _quantity(value: float, form: str) -> Quantity:
    return Quantity(value, format(value, form))


def _figure(key: str, record: dict[str, Any]) -> Cell:
    """A figure, with its confidence limits where the run has them and the table has room."""
    limits = (record.get("interval") or {}).get(key)
    if key not in _LIMITED or limits is None:
        return record.get(key)
    return Estimate(record[key], *limits)


def _speed(folder: Path, manifest: dict[str, Any]) -> float:
    """Images a second of a finished run, measured once and kept in its manifest."""
    if "images_per_second" not in manifest:
        import torch

        from poselab.experiments import build, runs
        from poselab.experiments.speed import images_per_second
        from poselab.io.files import write_json

        module, config, _ = build.load(runs.best_checkpoint(folder))
        batch = next(iter(build.data(config).val_dataloader()))
        on_gpu = torch.cuda.is_available() and config.trainer.accelerator != "cpu"
        speed = images_per_second(module, batch, "cuda" if on_gpu else "cpu")
        write_json(folder / "run.json", manifest | {"images_per_second": speed})
        return speed
    return float(manifest["images_per_second"])
