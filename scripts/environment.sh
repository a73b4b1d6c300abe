# Sourced by the other scripts: a .venv at the root with the pinned dependencies.
# Safe to run again: nothing is installed while pyproject.toml and constraints.txt are unchanged.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3.11 python3.12 python3.13 python3; do
        if [ -n "$candidate" ] && command -v "$candidate" >/dev/null &&
            "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))'; then
            echo "$candidate"
            return
        fi
    done
    echo "PTACL needs Python 3.11, 3.12 or 3.13 on PATH (or PYTHON=/path/to/python)" >&2
    exit 1
}

prepare_environment() {
    local wanted
    wanted=$(cat pyproject.toml constraints.txt | sha256sum | cut -c1-16)
    if [ -x .venv/bin/python ] && [ "$(cat .venv/ptacl-environment 2>/dev/null)" = "$wanted" ]; then
        return
    fi
    if [ ! -x .venv/bin/python ]; then
        "$(find_python)" -m venv .venv
    fi
    echo "installing dependencies into .venv (once; some minutes)" >&2
    .venv/bin/python -m pip install --quiet --disable-pip-version-check \
        --constraint constraints.txt --editable '.[dev,hdf5,web]' >&2
    # no wheel of hnswlib exists: it is compiled here, and where it cannot be, search is exact
    .venv/bin/python -m pip install --quiet --disable-pip-version-check \
        --constraint constraints.txt --editable '.[index]' >/dev/null 2>&1 ||
        echo "hnswlib could not be built (it needs a C++ compiler and Python's headers):" \
            "neighbours are searched exactly, which is fast up to about a million people" >&2
    echo "$wanted" > .venv/ptacl-environment
}

prepare_environment
export PATH="$PWD/.venv/bin:$PATH"
