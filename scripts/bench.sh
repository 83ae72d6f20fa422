#!/usr/bin/env bash
# How the cost of a tenant grows, beside the same SQL by psql, in one run. SIZES ("100 400 1600"), PLANS ("100 1000"),
# PARALLELISM (4), PG=18. See tests/bench/main.rs.
set -euo pipefail
root=$(cd -- "$(dirname -- "$0")/.." && pwd)
here=$root/scripts
. "$here/needs.sh"
need_rust
cd "$root"
# Its psql serves every version.
"$here/postgres18.sh" >/dev/null
PATH=$("$here/postgres.sh"):$PATH
export PATH
exec cargo test --locked --quiet --release --test bench
