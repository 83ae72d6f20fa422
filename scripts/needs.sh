# To be sourced: makes sure of Rust and a C compiler (ring's, for TLS), or says exactly what to install.
# Root on Debian gets the compiler installed; Rust is a person's own choice of toolchain, so it is only asked for.

need_rust() { # The further tools of the toolchain that are wanted, such as: need_rust clippy rustfmt
  if ! command -v cargo >/dev/null && [ -x "${CARGO_HOME:-${HOME:-/nonexistent}/.cargo}/bin/cargo" ]; then
    PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH
    export PATH
  fi
  wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml")
  if ! command -v cargo >/dev/null; then
    missing "cargo is missing" "install Rust $wanted or newer with rustup, as https://rustup.rs says, and open a new shell"
  fi
  found=$(cargo --version | cut -d' ' -f2)
  if [ "$(printf '%s\n' "$wanted" "$found" | sort -V | head -n 1)" != "$wanted" ]; then
    missing "cargo is $found; Rust $wanted or newer is needed" "type: rustup update stable"
  fi
  for tool in "$@"; do
    case $tool in
      rustfmt) subcommand=fmt ;;
      *) subcommand=$tool ;;
    esac
    cargo "$subcommand" --version >/dev/null 2>&1 || missing "$tool is missing" "type: rustup component add $tool"
  done
  need_cc
}

need_cc() {
  need_program cc "gcc libc6-dev" "a C compiler (cc)" "sudo apt-get install gcc libc6-dev   (dnf install gcc; xcode-select --install)"
}

need_curl() { # What examples/deploy pushes metrics with.
  need_program curl "curl ca-certificates" "curl" "sudo apt-get install curl"
}

need_program() { # its name, Debian's packages, what it is, and what to type
  if command -v "$1" >/dev/null; then return; fi
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing $3 with apt-get" >&2
    # shellcheck disable=SC2086 # Several packages.
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $2; } >&2
  else
    missing "$3 is missing" "type: $4"
  fi
}

warn_of_space() { # GB that a build from nothing and its servers take, and a directory on the file system they lie on
  local free
  free=$(($(df -Pk "$2" | awk 'END { print $4 }') / 1024 / 1024))
  if [ "$free" -lt "$1" ]; then
    echo "${0##*/}: $free GB are free in $2; a build from nothing takes about $1 GB" >&2
  fi
}

missing() {
  echo "${0##*/}: $1" >&2
  echo "${0##*/}: $2" >&2
  exit 1
}
