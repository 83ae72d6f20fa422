#!/usr/bin/env bash
# The repository's own tenants.toml, for real: a throw-away PostgreSQL, plan, apply, verify, plan again, one change, and
# all of it deleted. With VAULT=1 the secrets go to an OpenBao of its own; with KEEP=1 it waits before it cleans up.
set -euo pipefail
root=$(cd -- "$(dirname -- "$0")/.." && pwd)
here=$root/scripts
. "$here/needs.sh"

fail() {
  echo "demo: failed: $1" >&2
  exit 1
}

need_rust
bindir=$("$here/postgres.sh") || fail "no PostgreSQL"
export TENANTRY_PG_BINDIR=$bindir PATH=$bindir:$PATH
if [ -n "${VAULT:-}" ]; then bao=$("$here/openbao.sh") || fail "no OpenBao"; fi

# The caller's own database and Vault have no business here.
for name in "${!PG@}" "${!VAULT_@}" "${!BAO_@}" TENANTRY_DATABASE_URL TENANTRY_SECRETS_DIR; do unset "$name"; done

cd "$root"
cargo build --locked --bin tenantry || fail "cargo build"
target=${CARGO_TARGET_DIR:-$root/target}
TENANTRY=$(cd -- "$target/debug" && pwd)/tenantry
DEMO=$(cd -- "$target" && pwd)/demo
export TENANTRY DEMO

rm -rf "$DEMO"
mkdir -p "$DEMO"
cp -R tenants.toml migrations "$DEMO"

began=$(date +%s)
options=()
if [ -n "${VAULT:-}" ]; then
  sed -i.old 's/^store = "file"/store = "vault"/' "$DEMO/tenants.toml" && rm "$DEMO/tenants.toml.old"
  options=(--configured-store)
  VAULT_TOKEN=demo-$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')
  export VAULT_TOKEN BAO
  BAO=$bao
  # Another process may take the port between our look and the server's; then the next is tried.
  for _ in 1 2 3 4 5; do
    port=$((20000 + RANDOM % 20000))
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then continue; fi
    # The token is no argument, which others could read. The shell waits on our pipe: when we end, however, so do they.
    exec 4> >(
      HOME=$DEMO BAO_DEV_ROOT_TOKEN_ID=$VAULT_TOKEN VAULT_DEV_ROOT_TOKEN_ID=$VAULT_TOKEN "$bao" server -dev \
        -dev-no-store-token -dev-listen-address="127.0.0.1:$port" >"$DEMO/openbao.log" 2>&1 &
      cat >/dev/null
      kill $! 2>/dev/null
      wait
    )
    openbao=$!
    export VAULT_ADDR=http://127.0.0.1:$port
    for _ in $(seq 100); do
      "$bao" status -address="$VAULT_ADDR" >/dev/null 2>&1 && break 2
      grep -q 'address already in use' "$DEMO/openbao.log" 2>/dev/null && break
      sleep 0.1
    done
    exec 4>&-
    unset VAULT_ADDR
  done
  [ -n "${VAULT_ADDR:-}" ] || fail "OpenBao did not start; see $DEMO/openbao.log"
  echo "demo: OpenBao is up at $VAULT_ADDR"
fi

# Ctrl-C reaches the whole group: the sandbox cleans up, and then so do we.
trap ':' INT
color=()
if [ -t 1 ]; then color=(--color always); fi
code=0
"$TENANTRY" --config "$DEMO/tenants.toml" ${color[@]+"${color[@]}"} sandbox ${options[@]+"${options[@]}"} \
  -- "$here/demo-inside.sh" || code=$?
if [ -n "${VAULT:-}" ]; then
  exec 4>&-
  wait "$openbao" 2>/dev/null || true
fi

[ -s "$DEMO/verified" ] || fail "see above (tenantry ended with $code)"
[ "$code" = 0 ] || [ "$code" = 130 ] || fail "tenantry ended with $code"
read -r tenants ended <"$DEMO/verified"
rm -rf "$DEMO"
echo "demo: $tenants tenants applied and verified in $((ended - began)) s"
