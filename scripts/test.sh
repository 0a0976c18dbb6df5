#!/usr/bin/env bash
# Run every check on a fresh clone: formatting, types, tests. Arguments go to pytest.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/scripts/environment.sh"
poselab_environment "$root"
cd "$root"
if [ $# -eq 0 ]; then
  echo "ruff:" && ruff check . && ruff format --check .
  echo "mypy:" && mypy
fi
echo "pytest:"
# Two processes share two cores; torch's own threads would only get in each other's way.
OMP_NUM_THREADS=1 exec pytest -n 2 --dist loadfile "$@"
