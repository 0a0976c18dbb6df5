"""poselab suite: train every experiment of a suite, and print one table of them."""

from __future__ import annotations

import sys

_HELP = """usage: poselab suite NAME [EXPERIMENT ...] [--config-dir DIR] [key=value ...]

Train every experiment of a suite, or those that are named, and print one table: accuracy on the
validation images with 95 % confidence intervals over images, parameters, multiply-adds (GMACs, one
image, no flip test), images per second predicted on this machine (no flip test), seconds of
training. --config-dir adds suites from a folder of your own; `poselab list suites` lists them all.

  poselab suite quickstart
  poselab suite quickstart trainer.max_epochs=2 runs=/tmp/runs
  poselab suite bench/top_down heatmap simcc rle

Finished runs are not trained again, interrupted ones resume from their last epoch. Suites for the
CPU (trainer.accelerator=cpu) train as many experiments at once as PyTorch has threads (set
OMP_NUM_THREADS to change that); "seconds" then are those of a run that shares the cores.
"""


def main(words: list[str]) -> int:
    """Run the suite and print where its tables, images and page are."""
    if not words or {"-h", "--help"} & set(words):
        print(_HELP, file=sys.stdout if words else sys.stderr)
        return 0 if words else 2
    from poselab.experiments.config.names import split_config_dirs, suite_experiments

    folders, rest = split_config_dirs(words)
    suite, *wanted = [word for word in rest if "=" not in word] or [""]
    experiments = suite_experiments(suite, wanted, folders)

    from poselab.experiments.training_processes import start_fork_server

    start_fork_server()  # before this process imports the same libraries: both take 15 seconds
    from poselab.experiments.suite import run_suite

    places = [word for folder in folders for word in ("--config-dir", str(folder))]
    folder = run_suite(experiments, [*(word for word in rest if "=" in word), *places])
    print(f"table: {folder / 'table.md'} (and .csv)")
    print("images with poses (predictions beside them, curves.png above):")
    for name in experiments:
        print(f"  {folder / name.rpartition('/')[2]}/predictions/images.jpg")
    if (folder / "index.html").exists():
        print(f"page: {folder / 'index.html'}")
    return 0
