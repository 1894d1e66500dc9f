#!/usr/bin/env bash
# Arize Phoenix, which draws traces, in an environment of its own: installed when it is first needed, then served.
# Usage: scripts/phoenix.sh [--install-only]
# PHOENIX_PORT (6006) is where it listens, and PHOENIX_WORKING_DIR where it keeps traces.
set -euo pipefail
cd "$(dirname "$0")/.."
wanted="arize-phoenix==20.26.1"
home=.cache/phoenix
if [ "$(cat $home/installed 2>/dev/null)" != "$wanted" ]; then
    echo "Installing Phoenix into $home, once (0.7 GB) ..." >&2
    rm -rf $home/venv
    .venv/bin/python -m venv $home/venv
    .venv/bin/uv pip install --quiet --compile-bytecode --python $home/venv/bin/python "$wanted"
    echo "$wanted" >$home/installed
fi
[ "${1:-}" = --install-only ] && exit 0
export PHOENIX_WORKING_DIR=${PHOENIX_WORKING_DIR:-$PWD/$home} PHOENIX_HOST=127.0.0.1 PHOENIX_PORT=${PHOENIX_PORT:-6006}
export PHOENIX_TELEMETRY_ENABLED=false PHOENIX_ALLOW_EXTERNAL_RESOURCES=false
exec $home/venv/bin/phoenix serve
