#!/bin/sh
# Writes requirements.lock from a fresh environment: lock.sh PYTHON [TORCH_VERSION]
# Run it to take newer releases; then `make notebooks all=1` and `make test`.
set -eu
torch=${2:-$(sed -n 's/^torch==//p' requirements.lock)}
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
"$1" -m venv "$new/venv"
"$new/venv/bin/pip" install -q --disable-pip-version-check -r requirements.txt "torch==$torch"
{
  echo "# Written by make lock: exact versions for CI and for the stored outputs."
  # public versions only, and nothing that only one platform has
  "$new/venv/bin/pip" freeze --exclude-editable | sed 's/+[a-z0-9.]*$//' | grep -viE '^(nvidia|triton|cuda)'
} > "$new/lock"
mv "$new/lock" requirements.lock
