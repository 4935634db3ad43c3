#!/bin/sh
# Makes sure that a Chromium is there for the browser tests: chromium.sh PYTHON
set -eu
for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome; do
  [ -n "$name" ] && command -v "$name" >/dev/null && exit 0
done
"$1" - <<'PY' && exit 0
import pathlib, sys
from playwright.sync_api import sync_playwright
with sync_playwright() as p:
    sys.exit(not pathlib.Path(p.chromium.executable_path).exists())
PY
if [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ]; then
  echo "No Chromium found: installing Debian's package"
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null && exit 0
fi
echo "No Chromium found: installing playwright's own"
"$1" -m playwright install chromium && exit 0
echo "The browser tests need Chromium: install it, or name one: CHROMIUM=/path/to/chromium make test" >&2
exit 1
