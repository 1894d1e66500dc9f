#!/usr/bin/env bash
# Makes .venv from the lock that fits this machine: gpu where nvidia-smi lists one, else cpu.
set -euo pipefail
cd "$(dirname "$0")/.."

kind=${GHOSTROUTER_EXTRA:-$(nvidia-smi -L >/dev/null 2>&1 && echo gpu || echo cpu)}
lock=locks/$kind.lock
stamp=.venv/.installed
wanted=$(cat "$lock" pyproject.toml scripts/setup.sh scripts/system_packages.sh | sha256sum)
[ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && exit 0

find_python() {
    for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11; do
        if [ -n "$candidate" ] && "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    echo "Python 3.11, 3.12 or 3.13 is needed (with venv); set PYTHON=/path/to/python3" >&2
    exit 1
}

echo "Setting up .venv ($kind), once; this takes a minute or two ..."
python=$(find_python)
[ -x .venv/bin/python ] || "$python" -m venv .venv
[ -x .venv/bin/uv ] || .venv/bin/python -m pip install --quiet --disable-pip-version-check "uv==$(sed -n 's/^uv==\([0-9.]*\).*/\1/p' "$lock")"

# uv does not read pip's find-links; without a torch wheel there, PyTorch's own index is used.
export UV_FIND_LINKS="${UV_FIND_LINKS:-${PIP_FIND_LINKS:-}}"
backend=()
if [ "$kind" = cpu ] && ! ls ${UV_FIND_LINKS:+"$UV_FIND_LINKS"/torch-*+cpu-*.whl} >/dev/null 2>&1; then
    backend=(--torch-backend=cpu)
fi
.venv/bin/uv pip sync --quiet --python .venv/bin/python --compile-bytecode "${backend[@]}" "$lock"
.venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
scripts/system_packages.sh prometheus=prometheus
echo "$wanted" > "$stamp"
echo "Done. Run 'source .venv/bin/activate' to use the tools in it."
