"""poselab suite: every experiment of a suite in one process, and one table of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poselab.cli.shipped import shipped

if TYPE_CHECKING:
    from poselab.report.tables import Row

_FIGURES = ("AP", "AP50", "AP75", "AR", "PCKh@0.5")

_HELP = """usage: poselab suite NAME [--config-dir DIR] [key=value ...]

Train every experiment in conf/experiment/NAME/ (with --config-dir also in DIR/experiment/NAME/) in
one process, and print one table: accuracy on the validation pictures, parameters, multiply-adds
(GMACs, one picture, no flip test), seconds.

  poselab suite quickstart
  poselab suite quickstart trainer.max_epochs=2 runs=/tmp/runs

What is finished already is not trained again; what was interrupted goes on from its last epoch.
"""


def main(words: list[str]) -> int:
    """Run the command."""
    from poselab.structures import InputError

    if not words or {"-h", "--help"} & set(words):
        print(_HELP, file=sys.stdout if words else sys.stderr)
        return 0 if words else 2
    from poselab.cli.composing import apart

    folders, rest = apart(words)
    suite = next((word for word in rest if "=" not in word), "")
    experiments = shipped("experiment", folders)
    chosen = [name for name in experiments if name.split("/")[0] == suite]
    if not chosen:
        there = sorted({name.split("/")[0] for name in experiments})
        raise InputError(f"expected a suite out of {', '.join(there)}, got {suite!r}; choose one")
    places = [word for folder in folders for word in ("--config-dir", str(folder))]
    return _run(chosen, [*(word for word in rest if word != suite), *places])


def _run(experiments: list[str], changes: list[str]) -> int:
    from poselab.cli.composing import compose
    from poselab.report.tables import markdown, print_table

    configs = [compose("train", [f"experiment={name}", *changes])[0] for name in experiments]
    place = Path(configs[0].runs) / "suite"
    rows = []
    for n, (name, config) in enumerate(zip(experiments, configs, strict=True), start=1):
        print(f"[{n}/{len(experiments)}] {name}: {place / name}", flush=True)
        rows.append(_row(config, place / name, name))
    table = place / experiments[0].split("/")[0] / "table.md"
    from poselab.files import write_bytes

    write_bytes(table, markdown(rows).encode())
    print_table(rows, "on the validation pictures, by which the best epoch was chosen too")
    print(f"table: {table}\npictures with poses (predictions beside them, curves.png above):")
    for name in experiments:
        print(f"  {place / name}/predictions/pictures.jpg")
    if configs[0].get("report") and len(experiments) > 1:
        print(f"page: {_compared(configs[0], {n: place / n for n in experiments}, table.parent)}")
    return 0


def _compared(config: Any, folders: dict[str, Path], out: Path) -> Path:
    """The page that compares the runs that predicted the same pictures as the first."""
    from poselab import build
    from poselab.files import read_json
    from poselab.report.page import write_page
    from poselab.reporting import compare_runs

    contracts = {
        n: read_json(f / "metrics.json", "metrics")["contract"] for n, f in folders.items()
    }
    first = next(iter(contracts.values()))
    same = {
        name.rpartition("/")[2]: folders[name]
        for name, contract in contracts.items()
        if all(contract[key] == first[key] for key in ("fingerprint", "picture_set"))
    }
    split = build.data(config).val
    comparison = compare_runs(same, split, build.evaluator(config), config.report.replicates)
    return write_page(comparison, out / "index.html", images=split.pictures)


def _row(config: Any, folder: Path, name: str) -> Row:
    """Train where it must, and gather one row of the table."""
    from poselab import runs, training
    from poselab.files import read_json

    runs.expect_one_device(config)
    record = runs.settle(config, folder) or training.train(config, folder, name)
    manifest = read_json(folder / "run.json", "a run's manifest")
    untrained = (manifest.get("untrained") or {}).get("AP")
    figures = {key: record.get(key) for key in _FIGURES}
    cost = manifest["cost"]
    return {
        "method": name.split("/")[1],
        **figures,
        "AP untrained": untrained,
        "epochs": f"{config.trainer.max_epochs}",
        "parameters": f"{cost['parameters'] / 1e6:.2f} M",
        "GMACs": f"{cost['gmacs']:.3f}",
        "seconds": f"{manifest['seconds']:.0f}",
    }
