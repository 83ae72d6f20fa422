#!/usr/bin/env bash
# Everything CI holds a change to: format, lints, the pure core, all tests with real servers. Ends with "N passed, N failed".
set -uo pipefail
root=$(cd -- "$(dirname -- "$0")/.." && pwd)
here=$root/scripts
. "$here/needs.sh"
cd "$root" || exit 1

need_rust clippy rustfmt
need_curl
# What incremental compilation keeps is as large again as all the rest, and a build from nothing gains nothing by it.
export CARGO_INCREMENTAL=${CARGO_INCREMENTAL:-0}
target=${CARGO_TARGET_DIR:-$root/target}
mkdir -p "$target"
warn_of_space 5 "$target"
# The real servers. An installed PostgreSQL goes first on the PATH, for psql and for those who look for postgres there.
bindir=$("$here/postgres.sh") || exit 1
"$here/postgres18.sh" >/dev/null || exit 1
"$here/openbao.sh" >/dev/null || exit 1
"$here/promtool.sh" >/dev/null || exit 1
"$here/pgbouncer.sh" >/dev/null || exit 1
export PATH=$bindir:$PATH

# Tests mostly wait for servers, so there may be more of them than cores; each of their modules has servers of its own.
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-4}
# The caller's own database and Vault have no business here.
for name in "${!PG@}" "${!VAULT_@}" "${!BAO_@}" TENANTRY_DATABASE_URL TENANTRY_SECRETS_DIR; do unset "$name"; done

broken=()
step() {
  echo "== $*"
  "$@" || broken+=("$*")
}
step cargo fmt --all --check
step cargo clippy --locked --all-targets -- -D warnings
step cargo clippy --locked --features failpoints --bin tenantry --test crash -- -D warnings
step cargo check --locked --lib --no-default-features
step env RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps

log=$(mktemp)
trap 'rm -f "$log"' EXIT
tests() {
  echo "== cargo test $*"
  cargo test --locked --no-fail-fast "$@" 2>&1 | tee -a "$log"
  [ "${PIPESTATUS[0]}" = 0 ] || broken+=("cargo test $*")
}
# What is shipped is tested as it is; the places where a run can be cut off are compiled for these tests only. They go
# first, so that the binary they leave behind is replaced.
tests --features failpoints --test crash
tests
# A package of its own, so that its web framework is built for nobody else.
tests --package signup-axum
step cargo clippy --locked --package tenantry-python --package signup-axum --all-targets -- -D warnings
python() {
  echo "== $here/python_tests.sh"
  "$here/python_tests.sh" 2>&1 | tee -a "$log"
  [ "${PIPESTATUS[0]}" = 0 ] || broken+=("$here/python_tests.sh")
}
python

for command in ${broken[@]+"${broken[@]}"}; do echo "failed: $command"; done
# One line a test binary: "test result: ok. 3 passed; 0 failed; 0 ignored; …"; of pytest "==== 1 failed, 30 passed in 60.00s ====".
awk '/^test result: / { passed += $4; failed += $6 }
  /^=.* in [0-9.]+s.* =*$/ { for (n = 2; n <= NF; n++) { if ($n ~ /^passed/) passed += $(n - 1); if ($n ~ /^(failed|errors?)/) failed += $(n - 1) } }
  END { printf "%d passed, %d failed\n", passed, failed }' "$log"
[ "${#broken[@]}" = 0 ]
