#!/usr/bin/env bash
# Runs the tests of several machines, in a network and among processes of its own: nothing is left behind.
set -euo pipefail
cd "$(dirname "$0")/.."
ip link set lo up
"${PYTHON:-.venv/bin/python}" -m pytest -m cluster tests/cluster "$@"
