#!/bin/sh
# Prints the path of promtool, which checks metrics, alert rules and their unit tests: from PATH, otherwise out of Debian's
# package prometheus.
set -eu

if found=$(command -v promtool); then
  echo "$found"
  exit
fi

name=promtool packages=prometheus path=usr/bin/promtool
advice="put it on the PATH; it comes with Prometheus: sudo apt-get install prometheus   (dnf install golang-github-prometheus; brew install prometheus)"
take() { tar -x ./usr/bin/promtool; }
. "$(dirname -- "$0")/from_debian.sh"
unpack
echo "$ready"
