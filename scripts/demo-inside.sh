#!/usr/bin/env bash
# What the demo shows while its throw-away PostgreSQL is up; run by `tenantry sandbox`, which has applied and verified.
set -euo pipefail
cd "$DEMO"

say() { printf '\n== %s\n' "$1"; }

say "the fleet:  tenantry list"
"$TENANTRY" list

# Shown to the person, and run as it is shown.
if [ -n "${VAULT_ADDR:-}" ]; then
  read_secret() { "$BAO" kv get -field=url "secret/tenants/$1"; }
  shown="\"\$($BAO kv get -field=url secret/tenants/acme)\""
  login="export VAULT_ADDR=$VAULT_ADDR VAULT_TOKEN=$VAULT_TOKEN"
  where="secret/tenants/… at $VAULT_ADDR"
else
  read_secret() { grep -o 'postgresql://[^"]*' "$TENANTRY_SECRETS_DIR/tenants/$1.json"; }
  shown="\"\$(grep -o 'postgresql://[^\"]*' $TENANTRY_SECRETS_DIR/tenants/acme.json)\""
  login=
  where="$TENANTRY_SECRETS_DIR/tenants/…"
fi

say "as acme, with its own secret:  SELECT current_user, current_schema(), count(*) FROM users"
psql "$(read_secret acme)" -X -P pager=off -c 'SELECT current_user, current_schema(), count(*) FROM users'

say "as acme, in globex's schema:  SELECT * FROM globex.users"
if psql "$(read_secret acme)" -X -P pager=off -c 'SELECT * FROM globex.users'; then
  echo "acme read globex's rows" >&2
  exit 1
fi

say "one change, acme = { connection_limit = 10 }:  tenantry plan"
sed 's/^acme = {}/acme = { connection_limit = 10 }/' tenants.toml >changed.toml
"$TENANTRY" --config changed.toml plan

tenants=$("$TENANTRY" list --format json | grep -c '"tenant":')
echo "$tenants $(date +%s)" >verified

say "to try while it is up"
echo "credentials:  $where"
if [ -n "$login" ]; then echo "to log in:    $login"; fi
echo "as a tenant:  psql $shown"
echo "as the admin: PGPASSWORD=$PGPASSWORD psql -h $PGHOST -p $PGPORT -U $PGUSER $PGDATABASE"
if [ -n "${KEEP:-}" ]; then
  echo "Press Enter to end it and delete it all."
  read -r _ || true
else
  echo "(make demo KEEP=1 waits here; now it is deleted.)"
fi
