#!/bin/sh
# Prints the path of promtool, which checks metrics, alert rules and their unit tests: from PATH, otherwise out of Debian's
# package prometheus, unpacked once below the build directory, so that no Prometheus is installed or started.
set -eu

if found=$(command -v promtool); then
  echo "$found"
  exit
fi

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
ready=$target/promtool/usr/bin/promtool

fail() {
  echo "promtool.sh: promtool is missing, and $1" >&2
  echo "promtool.sh: put it on the PATH; it comes with Prometheus: sudo apt-get install prometheus   (dnf install golang-github-prometheus; brew install prometheus)" >&2
  exit 1
}

if [ -x "$ready" ]; then echo "$ready"; exit; fi
if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then fail "this is no Debian"; fi
mkdir -p "$target"
# One at a time; whoever waited finds the work done.
if command -v flock >/dev/null && [ -z "${TENANTRY_LOCKED:-}" ]; then
  TENANTRY_LOCKED=1 exec flock "$target/promtool.lock" "$0"
fi
work=$(mktemp -d "$target/promtool.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
# apt checks the package's hash and signature. Old lists may name one that is gone.
download() { (cd "$work" && apt-get download -q -o APT::Sandbox::User=root prometheus >&2); }
if ! download; then
  [ "$(id -u)" = 0 ] || fail "apt-get download prometheus failed; try after: sudo apt-get update"
  apt-get update -q >&2
  download || fail "apt-get download prometheus failed"
fi
mkdir "$work/files"
dpkg-deb --fsys-tarfile "$work"/prometheus_*.deb | tar -x -C "$work/files" ./usr/bin/promtool
rm -rf "$target/promtool"
mv "$work/files" "$target/promtool"
echo "$ready"
