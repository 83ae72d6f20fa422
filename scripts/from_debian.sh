# To be sourced by what takes a program out of Debian's packages, unpacked once below the build directory, so that nothing
# is installed or started. Sets $ready, the program; wants $name, $packages, $path (of the program), $advice, and a function
# take, which takes out of the file system archive on its input what is needed.
# shellcheck shell=sh disable=SC2154 # They are the caller's.

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
ready=$target/$name/$path

fail() {
  echo "$name.sh: $name is missing, and $1" >&2
  echo "$name.sh: $advice" >&2
  exit 1
}

unpack() {
  if [ -x "$ready" ]; then return; fi
  if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then fail "this is no Debian"; fi
  mkdir -p "$target"
  # One at a time; whoever waited finds the work done.
  if command -v flock >/dev/null && [ -z "${TENANTRY_LOCKED:-}" ]; then
    TENANTRY_LOCKED=1 exec flock "$target/$name.lock" "$0"
  fi
  work=$(mktemp -d "$target/$name.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  trap 'exit 1' HUP INT TERM
  # apt checks the package's hash and signature. Old lists may name one that is gone.
  # shellcheck disable=SC2086 # Several packages.
  download() { (cd "$work" && apt-get download -q -o APT::Sandbox::User=root $packages >&2); }
  if ! download; then
    [ "$(id -u)" = 0 ] || fail "apt-get download $packages failed; try after: sudo apt-get update"
    apt-get update -q >&2
    download || fail "apt-get download $packages failed"
  fi
  mkdir "$work/files"
  for package in "$work"/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | (cd "$work/files" && take)
  done
  rm -rf "${target:?}/$name"
  mv "$work/files" "$target/$name"
}
