#!/bin/sh
# Makes or completes an environment with all that requirements.txt names:
#   environment.sh FOLDER PYTHON [TORCH]
# TORCH: a version, the rest as locked; `lowest`: pyproject.toml's own bounds; `newest`:
# no lock. FOLDER/.ready holds the checkout's path once the environment is whole.
set -eu
folder=$1 python=$2 torch=${3:-}
bounds=$(sed -n 's/^requires-python = "\([^"]*\)".*/\1/p' pyproject.toml)
another="name another: make PYTHON=/path/to/python3.12"
stop() {
  echo "$*" >&2
  exit 1
}
claimed() { # does the Python run, and is it one of those that pyproject.toml claims?
  "$1" - "$bounds" <<'PY' 2>/dev/null
import sys
here = sys.version_info[:3]
for bound in sys.argv[1].split(","):
    version = tuple(int(part) for part in bound.lstrip("><!=").split("."))
    if here < version if bound.startswith(">") else here == version:
        sys.exit(1)
PY
}

[ "$python" ] || stop "No Python $bounds found: install one, or $another"
version=$("$python" -V 2>&1) || stop "PYTHON=$python does not run, $(echo "$version" | head -n 1): $another"
claimed "$python" || stop "PYTHON=$python is $version, the book needs $bounds: $another"
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
  stop "PYTHON=$python lacks venv: apt install python3-venv (Debian, Ubuntu), or $another"

if [ ! -e "$folder/.ready" ] || ! claimed "$folder/bin/python"; then
  sh tools/quietly.sh "$python" -m venv --clear "$folder"
fi
rm -f "$folder/.ready"
case $torch in
  "") cat requirements.lock ;;
  newest) ;;
  lowest) sed -n '/^dependencies/,/^]/s/.*"\([a-z]*\)>=\([0-9.]*\)".*/\1==\2/p' pyproject.toml ;;
  *) grep -v '^torch==' requirements.lock && echo "torch==$torch" ;;
esac >"$folder/constraints.txt"
# by the variable, which takes the place of a machine's own constraints
PIP_CONSTRAINT=$folder/constraints.txt sh tools/quietly.sh \
  "$folder/bin/python" -m pip install -q --disable-pip-version-check -r requirements.txt
pwd >"$folder/.ready"
