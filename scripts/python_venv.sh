#!/bin/sh
# Prints the directory of a virtual environment with what python/requirements-test.txt pins, made once below the build
# directory. May run any number of times at once.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
mkdir -p "$target"
venv=$(CDPATH='' cd -- "$target" && pwd)/python-tests
wanted=$root/python/requirements-test.txt
ready=$venv/requirements-test.txt

if ! cmp -s "$wanted" "$ready"; then
    # Whoever waits here finds it done.
    exec 9>"$target/.python-tests.lock"
    if command -v flock >/dev/null; then flock 9; fi
fi

if ! cmp -s "$wanted" "$ready"; then
    if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            { apt-get update && apt-get install -y --no-install-recommends python3-venv; } >&2
        else
            echo "python_venv.sh: python3 with venv is missing; type: sudo apt-get install python3-venv" >&2
            exit 1
        fi
    fi
    if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
        echo "python_venv.sh: $(python3 --version) is too old for the tests' packages; put Python 3.10 or newer first in PATH" >&2
        exit 1
    fi
    rm -rf "$venv"
    python3 -m venv "$venv" >&2
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: \
        --require-hashes --requirement "$wanted" >&2
    # Last, and in one step: its presence says that all of the above is done.
    cp "$wanted" "$ready.new"
    mv "$ready.new" "$ready"
fi

echo "$venv"
