# Sourced by the other scripts: makes .venv once, reuses it while the locked versions are the same.
# Needs bash and Python 3.11 or newer; POSELAB_PYTHON names another interpreter.

poselab_fail() { printf '%s: %s\n' "$(basename "$0")" "$1" >&2; exit 1; }

poselab_python() {
  local candidate
  for candidate in "${POSELAB_PYTHON:-}" python3 python3.13 python3.12 python3.11 python; do
    [ -n "$candidate" ] || continue
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      printf '%s\n' "$candidate"
      return
    fi
  done
  return 1
}

poselab_environment() {
  local root=$1 python stamp wanted
  python=$(poselab_python) || poselab_fail "expected Python 3.11 or newer, found none; install it or set POSELAB_PYTHON"
  stamp="$root/.venv/poselab-installed"
  wanted=$(cat "$root/requirements.lock" "$root/pyproject.toml" | "$python" -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())')
  if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    printf 'Installing the locked packages into %s/.venv (a minute or two, once) ...\n' "$root"
    [ -x "$root/.venv/bin/python" ] || "$python" -m venv "$root/.venv" || poselab_fail "expected to make $root/.venv, but $python -m venv failed; is its venv package installed?"
    if ! command -v uv >/dev/null 2>&1; then
      "$root/.venv/bin/python" -m pip --version >/dev/null 2>&1 || "$root/.venv/bin/python" -m ensurepip -q || poselab_fail "expected pip in $root/.venv, found none; remove that folder and try again"
      "$root/.venv/bin/python" -m pip install -q --disable-pip-version-check uv || poselab_fail "expected to install uv, but pip failed; is the package index reachable?"
    fi
    PATH="$root/.venv/bin:$PATH" VIRTUAL_ENV="$root/.venv" uv pip install -q --python "$root/.venv/bin/python" -r "$root/requirements.lock" || poselab_fail "expected to install requirements.lock, but uv failed; is the package index reachable and the disk not full?"
    PATH="$root/.venv/bin:$PATH" uv pip install -q --python "$root/.venv/bin/python" --no-deps -e "$root" || poselab_fail "expected to install PoseLab itself, but uv failed"
    printf '%s\n' "$wanted" > "$stamp"
  fi
  PATH="$root/.venv/bin:$PATH"
  export PATH
}
