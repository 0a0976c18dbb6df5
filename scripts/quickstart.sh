#!/usr/bin/env bash
# Train and compare four kinds of pose method on generated people; see --help.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
if [ "${1:-}" = --help ] || [ "${1:-}" = -h ]; then
  cat <<'HELP'
usage: bash scripts/quickstart.sh [key=value ...]

Makes .venv with the locked packages (once), generates images of people, trains direct
regression, integral regression, heatmaps (each top-down) and bottom-up part affinity fields on
the CPU, evaluates them on held-out images, prints one table and writes a page that compares them.
About five minutes on two cores, after installation; on more cores all four train at once. Runs that
are finished are not trained again.

  runs=FOLDER              where the runs go (default: runs)
  trainer.max_epochs=2     a shorter look: any key of the experiments can be overridden
  trainer.precision=bf16-mixed   a third faster where the processor has bfloat16 (AVX512-BF16, AMX)
  seed=1                   another seed

Needs bash and Python 3.11 or newer (POSELAB_PYTHON names another interpreter).
HELP
  exit 0
fi
. "$root/scripts/environment.sh"
poselab_environment "$root"
cd "$root"
echo "loading PyTorch and Lightning (the first time takes a while) ..."
exec poselab suite quickstart "$@"
