#!/usr/bin/env bash
# Resolves the dependencies into locks/cpu.lock and locks/gpu.lock, with hashes.
set -euo pipefail
cd "$(dirname "$0")/.."
common=(--quiet --group dev --generate-hashes --no-header --no-annotate --python-version 3.11 --python-platform linux)
UV_FIND_LINKS="${UV_FIND_LINKS:-${PIP_FIND_LINKS:-}}" \
    .venv/bin/uv pip compile pyproject.toml --extra cpu "${common[@]}" --override locks/overrides.txt -o locks/cpu.lock
# PyTorch's CPU wheels are one file per Python version; the hash of the one seen here would refuse the others.
awk '/^torch==/ {print $1; skip=1; next} /^[^ ]/ {skip=0} !skip' locks/cpu.lock > locks/cpu.lock.new
mv locks/cpu.lock.new locks/cpu.lock
env -u UV_FIND_LINKS -u PIP_FIND_LINKS \
    .venv/bin/uv pip compile pyproject.toml --extra gpu "${common[@]}" -o locks/gpu.lock
