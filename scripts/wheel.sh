#!/usr/bin/env bash
# Builds the wheel of python/, optimized, and says where it is. Other arguments go to maturin, such as --profile dev.
set -euo pipefail
root=$(cd -- "$(dirname -- "$0")/.." && pwd)
here=$root/scripts
. "$here/needs.sh"

need_rust
target=${CARGO_TARGET_DIR:-$root/target}
mkdir -p "$target"
target=$(cd -- "$target" && pwd)
venv=$("$here/python_venv.sh")
if [ "$#" = 0 ]; then set -- --release; fi
dir=$target/wheels
rm -rf "$dir"
export CARGO_TARGET_DIR=$target PYO3_PYTHON=$venv/bin/python VIRTUAL_ENV=$venv PATH=$venv/bin:$PATH
maturin build --quiet --locked --manifest-path "$root/python/Cargo.toml" --out "$dir" "$@" >&2
echo "$dir"/*.whl
