#!/bin/sh
# Brings a Firefox, the second browser for the tests of the site, where that is possible.
set -eu
for name in "${FIREFOX:-}" firefox-esr firefox; do
  [ -n "$name" ] && command -v "$name" >/dev/null && exit 0
done
if [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ]; then
  echo "No Firefox found: installing Debian's package"
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends firefox-esr >/dev/null && exit 0
fi
echo "No Firefox found, so its test is left out: install one, or name it: FIREFOX=/path/to/firefox make test" >&2
[ -z "${CI:-}" ]
