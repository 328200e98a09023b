#!/usr/bin/env bash
# Cross-builds for 64-bit Arm and runs the kernel tests and the oracle under qemu: tools/test_arm.sh
#
# Each CPU below has one instruction set more than the one before: the tests of that one are run there,
# and that it is the one chosen. Left out under emulation is only the reference, the same C++ as on any
# machine.
# Logs: build-arm/logs. The closing line counts the tests.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$plm_root"
started=$SECONDS

tools/bootstrap.sh arm
# Kept between clones; the build finds it where its preset says.
tools/arm_sysroot.sh "$PLM_CACHE/arm-sysroot"
mkdir -p build-arm
[ -L build-arm/sysroot ] || rm -rf build-arm/sysroot
ln -sfn "$PLM_CACHE/arm-sysroot" build-arm/sysroot
mapfile -t programs < <(sed -nE 's/.*FOLDER kernels NAME ([a-z0-9_]+).*/kernels_\1/p' tests/kernels/CMakeLists.txt)
programs+=(runtime_oracle_test)
tools/build.sh arm "${programs[@]}"
echo "arm: built in $((SECONDS - started)) s"

objects=$(ls build-arm/src/kernels/CMakeFiles/plm_kernels.dir/arm/*.o | paste -sd ';')
cmake -DNM=aarch64-linux-gnu-nm "-DOBJECTS=$objects" -P tests/kernels/check_isa_objects.cmake

logs=build-arm/logs
rm -rf "$logs"
mkdir -p "$logs"

# The tests of one instruction set on a CPU that has no better one; on the first also what depends on none.
run_one() {
  local cpu=$1 isa=$2 program=$3 code=0
  local log=$logs/$cpu-$program.log filter="*/$isa*:SelectKernels*:ExpectedIsa*"
  [ "$cpu" = cortex-a72 ] && filter="-*/reference*"
  PLM_EXPECTED_ISA=$isa qemu-aarch64-static -L /usr/aarch64-linux-gnu -cpu "$cpu" "build-arm/bin/$program" \
    "--gtest_filter=$filter" >"$log" 2>&1 || code=$?
  # A crash leaves no count.
  grep -q '^\[  FAILED  \]' "$log" || [ $code -eq 0 ] || echo "[  FAILED  ] 1 test: exit code $code" >>"$log"
}
export -f run_one
export logs

for pair in "cortex-a72 neon" "cortex-a76 neon_dotprod" "max neon_i8mm"; do
  for program in "${programs[@]}"; do
    # Programs without a test of the instruction set.
    [ "$program" = kernels_pack_test ] && [ "$pair" != "cortex-a72 neon" ] && continue
    echo "$pair $program"
  done
done | xargs -P "$(nproc)" -L 1 bash -c 'run_one "$@"' run_one

count() { sed -nE "s/^\[  $1 \] ([0-9]+) tests?.*/\1/p" "$logs"/*.log | awk '{ n += $1 } END { print n + 0 }'; }
passed=$(count PASSED\ ) failed=$(count FAILED\ ) skipped=$(count SKIPPED)
for log in "$logs"/*.log; do
  if ! grep -q '^\[  PASSED  \]' "$log" || grep -q '^\[  FAILED  \]' "$log"; then
    echo "=== $log" && tail -n 40 "$log"
  fi
done
echo "$passed passed, $failed failed, $skipped skipped in $((SECONDS - started)).0s"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
