#!/usr/bin/env bash
# Rewrites what the tests compare with; look at the difference before you commit it.
set -euo pipefail
root=$(cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/scripts/needs.sh"
need_rust
cd "$root"
PATH=$("$root/scripts/postgres.sh"):$PATH
export PATH
SNAPSHOTS=overwrite cargo test --locked --quiet --test cli readme:: reference:: help::
git status --short -- README.md docs tests/snapshots
echo "snapshots: written; see git diff"
