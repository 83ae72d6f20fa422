#!/usr/bin/env bash
# Every test that starts a PostgreSQL, on each version from 14 to 18 (or VERSIONS="16 17"); a version that cannot be had is
# an error. Ends with a table: version, admin, tests. Logs are below the build directory, in matrix/.
set -uo pipefail
root=$(cd -- "$(dirname -- "$0")/.." && pwd)
here=$root/scripts
. "$here/needs.sh"
cd "$root" || exit 1

need_rust
"$here/openbao.sh" >/dev/null || exit 1
# psql and pg_dump; a newer pg_dump dumps older servers.
bindir=$("$here/postgres.sh") || exit 1
"$here/postgres18.sh" >/dev/null || exit 1
export PATH=$bindir:$PATH RUST_TEST_THREADS=${RUST_TEST_THREADS:-4}
for name in "${!PG@}" "${!VAULT_@}" "${!BAO_@}" TENANTRY_DATABASE_URL TENANTRY_SECRETS_DIR; do unset "$name"; done

logs=${CARGO_TARGET_DIR:-$root/target}/matrix
rm -rf "$logs"
mkdir -p "$logs"
versions=${VERSIONS:-14 15 16 17 18}

# All are here before the first is tested.
for version in $versions; do "$here/postgres_version.sh" "$version" >/dev/null || exit 1; done
code=0
on_each_version() { # what cargo test is to run
  cargo test --locked --no-run "$@" || exit 1
  local version bindir
  for version in $versions; do
    echo "== PostgreSQL $version"
    bindir=$("$here/postgres_version.sh" "$version") || exit 1
    TENANTRY_TEST_POSTGRES=$version TENANTRY_PG_BINDIR=$bindir \
      cargo test --locked --no-fail-fast "$@" 2>&1 | tee -a "$logs/$version.log" | grep --line-buffered -E '^(test result|test .* FAILED|     Running)'
    [ "${PIPESTATUS[0]}" = 0 ] || code=1
  done
}
on_each_version --features failpoints --test crash
on_each_version --test servers --test cli
for version in $versions; do
  echo "== Python, PostgreSQL $version"
  bindir=$("$here/postgres_version.sh" "$version") || exit 1
  TENANTRY_PG_BINDIR=$bindir "$here/python_tests.sh" -rpfE python/tests 2>&1 | tee -a "$logs/$version.log" | grep --line-buffered -E '^(FAILED|ERROR|=+ .* in )'
  [ "${PIPESTATUS[0]}" = 0 ] || code=1
done

# The tests of an admin with CREATEROLE are those in tests/servers/admin.rs, and those with that word in their names elsewhere.
echo
echo "version  admin       passed  failed"
for version in $versions; do
  awk -v version="$version" '
    /^test .* \.\.\. / { admin = ($2 ~ /^admin::|createrole/) ? "CREATEROLE" : "superuser"; count[admin, $NF]++ }
    /^(PASSED|FAILED|ERROR) / { admin = ($2 ~ /createrole/) ? "CREATEROLE" : "superuser"; count[admin, $1 == "PASSED" ? "ok" : "FAILED"]++ }
    END { for (n = split("superuser CREATEROLE", admins, " "); n > 0; n--) {
      a = admins[3 - n]
      printf "%-8s %-10s %7d %7d\n", version, a, count[a, "ok"], count[a, "FAILED"]
      if (count[a, "ok"] == 0) nothing = 1
    } exit nothing }' "$logs/$version.log" || code=1
done
exit "$code"
