#!/usr/bin/env bash
# What the tests of the page need besides .venv: a Chromium, and the packages from which the page is built.
set -euo pipefail
cd "$(dirname "$0")/.."

found=${CHROMIUM:-$(command -v chromium chromium-browser google-chrome google-chrome-stable | head -n 1 || true)}
if [ -z "$found" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Installing Chromium, for the tests of the page ..."
        apt-get -qq -o DPkg::Lock::Timeout=600 update
        apt-get -qq -o DPkg::Lock::Timeout=600 install -y --no-install-recommends chromium fonts-inter >/dev/null
    else
        echo "The tests of the page need Chromium or Chrome: install your system's package, or set CHROMIUM=/path/to/it." >&2
    fi
fi

page=dashboards/live
wanted=$(sha256sum < $page/package-lock.json)
if [ "$(cat $page/node_modules/.installed 2>/dev/null)" != "$wanted" ]; then
    scripts/npm.sh ci --no-audit --no-fund --loglevel=error
    echo "$wanted" > $page/node_modules/.installed
fi
