#!/usr/bin/env bash
# Rounds of random changes to fifty tenants, each disturbed at a random moment, on a PostgreSQL and an OpenBao that keep
# their data. ROUNDS (50), SEED (of the clock), PG=18. See tests/chaos/main.rs.
set -euo pipefail
root=$(cd -- "$(dirname -- "$0")/.." && pwd)
here=$root/scripts
. "$here/needs.sh"
need_rust
cd "$root"
# Its own pg_dump, too.
if [ "${PG:-}" = 18 ]; then TENANTRY_PG_BINDIR=$("$here/postgres18.sh") && export TENANTRY_PG_BINDIR; fi
PATH=$("$here/postgres.sh"):$PATH
export PATH
"$here/openbao.sh" >/dev/null
exec cargo test --locked --quiet --test chaos
