#!/usr/bin/env bash
# Runs every fuzz target, or those named, for FUZZ_SECONDS each (default 600), one after the other. What is found is kept in
# fuzz/artifacts; the exit code is that of the first target that found something.
set -euo pipefail
root=$(cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/scripts/needs.sh"
cd "$root"

need_rust
toolchain=${FUZZ_TOOLCHAIN:-nightly}
# libFuzzer's instrumentation is in no stable compiler.
rustc "+$toolchain" --version >/dev/null 2>&1 || { echo "fuzzing wants a nightly compiler: rustup toolchain install nightly" >&2; exit 1; }
cargo fuzz --version >/dev/null 2>&1 || { echo "fuzzing wants cargo-fuzz: cargo install cargo-fuzz" >&2; exit 1; }

[ $# -gt 0 ] || mapfile -t targets < <(cargo fuzz list)
[ $# = 0 ] || targets=("$@")
for target in "${targets[@]}"; do
  mkdir -p "fuzz/corpus/$target"
  # 2 GB and half a minute for one input are findings too.
  cargo "+$toolchain" fuzz run "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- \
    -max_total_time="${FUZZ_SECONDS:-600}" -timeout=30 -rss_limit_mb=2048 -print_final_stats=1
done
