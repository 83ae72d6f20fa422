#!/usr/bin/env bash
# The release binary.
set -euo pipefail
root=$(cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/scripts/needs.sh"
need_rust
cd "$root"
cargo build --locked --release --bin tenantry
echo "build: ${CARGO_TARGET_DIR:-target}/release/tenantry"
