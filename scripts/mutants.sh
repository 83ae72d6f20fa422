#!/usr/bin/env bash
# Changes the core, a little at a time, and sees whether its tests notice: MUTANTS=1/8 tries every eighth change, FILES='src/core/plan/**'
# those of some files. Ends with how many were caught. Needs cargo-mutants.
set -uo pipefail
root=$(cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/scripts/needs.sh"
cd "$root" || exit 1

need_rust
if ! cargo mutants --version >/dev/null 2>&1; then
  echo "cargo-mutants is needed: cargo install cargo-mutants --locked" >&2
  exit 1
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
# The pure core alone: nothing of the driver is built for a change of a plan. In a copy, so that the work tree stays as it is.
cargo mutants --output "$out" --file "${FILES:-src/core/**/*.rs}" --shard "${MUTANTS:-1/20}" --sharding round-robin \
  --no-default-features --test-tool cargo --timeout 300 --no-shuffle --caught --unviable -- --lib --test core
status=$?
count() { wc -l <"$out/mutants.out/$1.txt"; }
caught=$(($(count caught) + $(count timeout)))
missed=$(count missed)
echo "$caught caught, $missed missed, $(count unviable) that do not compile"
# 2: some were missed, 3: some ran too long. Whether that is too many is said by the share.
case $status in 0 | 2 | 3) ;; *) exit "$status" ;; esac
[ $((caught * 100)) -ge $(((caught + missed) * 95)) ]
