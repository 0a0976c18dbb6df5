"""poselab ablate: one question, answered by rows of runs with several seeds each."""

from __future__ import annotations

import sys

_HELP = """usage: poselab ablate ablation=PAPER/QUESTION [key=value ...]

Train every row of an ablation with every seed (a Hydra sweep in one process), then print the
table: ours as mean ± standard deviation over seeds, the published value, the difference. Finished
runs are not trained again, interrupted ones resume. `poselab list ablations` shows what there is.

  poselab ablate ablation=heatmap/sigma
  poselab ablate ablation=heatmap/sigma ablation.seeds=[0] 'overrides=["trainer.max_epochs=2"]'
  poselab ablate ablation=heatmap/sigma hydra/launcher=joblib   (with a launcher plugin)
"""


def main(words: list[str]) -> int:
    """Run the ablation and print where its table is."""
    if not words or {"-h", "--help"} & set(words):
        print(_HELP, file=sys.stdout if words else sys.stderr)
        return 0 if words else 2
    from poselab.experiments.ablation import run_ablation

    print(f"table: {run_ablation(words)}")
    return 0
