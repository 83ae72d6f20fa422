#!/bin/sh
# Prints the path of pgbouncer: from PATH, otherwise out of Debian's packages, with the libraries it needs beside it.
set -eu

if found=$(command -v pgbouncer); then
  echo "$found"
  exit
fi

name=pgbouncer packages="pgbouncer libevent-2.1-7 libc-ares2" path=run
advice="put it on the PATH: sudo apt-get install pgbouncer   (dnf install pgbouncer; brew install pgbouncer)"
take() {
  tar -x ./usr
  cat >run <<'RUN'
#!/bin/sh
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
for directory in "$here"/usr/lib/*-linux-gnu*; do LD_LIBRARY_PATH=$directory${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}; done
export LD_LIBRARY_PATH
exec "$here/usr/sbin/pgbouncer" "$@"
RUN
  chmod +x run
}
. "$(dirname -- "$0")/from_debian.sh"
unpack
echo "$ready"
