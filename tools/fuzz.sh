#!/usr/bin/env bash
# Runs every fuzz target for SECONDS on its seed corpus: tools/fuzz.sh SECONDS [TARGET...]
# Targets are the programs fuzz_* of the preset "fuzz"; seeds lie in tests/fuzz/corpus/<target>.
# New inputs are kept under build-fuzz/corpus, so that a longer run goes on where the last stopped.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$plm_root"

seconds=${1:?usage: tools/fuzz.sh SECONDS [TARGET...]}
shift
tools/build.sh fuzz
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
  mapfile -t targets < <(find build-fuzz/bin -maxdepth 1 -type f -name 'fuzz_*' -printf '%f\n' | sort)
fi
[ ${#targets[@]} -gt 0 ] || { echo "fuzz: no targets in build-fuzz/bin" >&2; exit 1; }

# One target for each CPU at a time; a target's lines come together when it has ended.
fuzz_one() {
  local target=$1 found=build-fuzz/corpus/$1 seeds=tests/fuzz/corpus/${1#fuzz_} code=0 said
  mkdir -p "$found" build-fuzz/crashes
  local folders=("$found")
  [ -d "$seeds" ] && folders+=("$seeds")
  build-fuzz/bin/"$target" -max_total_time="$seconds" -print_final_stats=1 -timeout=10 -rss_limit_mb=2048 \
    -artifact_prefix=build-fuzz/crashes/"$target"- "${folders[@]}" >build-fuzz/"$target".log 2>&1 || code=$?
  if [ $code -ne 0 ]; then
    said="fuzz: $target FAILED; input in build-fuzz/crashes, log build-fuzz/$target.log
$(tail -n 40 build-fuzz/"$target".log)"
  else
    said="fuzz: $target, $seconds s: $(sed -n 's/^stat::number_of_executed_units: *//p' build-fuzz/"$target".log) inputs"
  fi
  printf '%s\n' "$said"
  return $code
}
export -f fuzz_one
export seconds
printf '%s\n' "${targets[@]}" | xargs -P "$(nproc)" -I{} bash -c 'fuzz_one {}'
