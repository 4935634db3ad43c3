#!/bin/sh
# Writes requirements.lock for every Python we claim: lock.sh PYTHON [TORCH_VERSION [ALL]]
# Versions stay where they still fit; ALL takes the newest of everything but torch.
# Then `make notebooks all=1` and `make test`.
set -eu
torch=${2:-$(sed -n 's/^torch==//p' requirements.lock)}
least=$(sed -n 's/^requires-python = ">=\([0-9.]*\).*/\1/p' pyproject.toml)
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
"$1" -m venv "$new/venv"
"$new/venv/bin/python" -m pip install -q --disable-pip-version-check uv
[ "${3:-}" ] || cp requirements.lock "$new/all"
echo "torch==$torch" > "$new/torch"
"$new/venv/bin/uv" pip compile -q --universal --python-version "$least" \
  --no-annotate --no-header --strip-extras --no-emit-package torch-layers-book \
  --constraint "$new/torch" requirements.txt --output-file "$new/all"
{
  echo "# Written by make lock: exact versions for CI and for the stored outputs."
  # a build of torch brings the packages of its own platform
  grep -vE '^(nvidia|triton|cuda)' "$new/all"
} > "$new/lock"
mv "$new/lock" requirements.lock
