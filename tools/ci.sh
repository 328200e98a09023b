#!/usr/bin/env bash
# The stages of `make test`, in order, or those named: tools/ci.sh [STAGE...]
#
# Every stage runs even when one before it failed, as long as what it needs was built. Each leaves
# its output in build-test/logs/STAGE.log; the closing line counts the tests of all stages.
set -uo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$plm_root"

all_stages=(layers format page build python-env ctest python package browser install asan-ubsan tsan arm train fuzz tidy)
stages=("$@")
[ ${#stages[@]} -eq 0 ] && stages=("${all_stages[@]}")

jobs=$(nproc)
logs=build-test/logs
fuzz_seconds=${SECONDS_EACH:-60}
mkdir -p "$logs"

# Each stage is a function; `-` in a name is written `_`. What it prints goes to its log as well.
stage_layers() { python3 tools/check_layers.py && python3 tools/check_layers_test.py; }
stage_format() { tools/format.sh --check && echo "format: clean"; }
# Before the build, which takes the page into the program.
stage_page() { tools/build_page.sh && tools/test_page.sh unit; }
stage_build() { tools/build.sh test; }
stage_python_env() { tools/python_env.sh && tools/node_env.sh; }
stage_unit() { run_ctest build-test -L 'unit|kernel' -LE slow; }
stage_ctest() { run_ctest build-test; }
stage_python() { PLM_BUILD_DIR=$plm_root/build-test .venv/bin/python -m pytest tests/python -q -ra; }
stage_package() { tools/test_package.sh; }
stage_browser() { tools/test_page.sh browser build-test; }
stage_install() { tests/install/run.sh build-test; }
stage_asan_ubsan() { tools/build.sh asan-ubsan && run_ctest build-asan-ubsan -LE slow; }
# TSan has nothing to find in what starts no threads, so only the rest is built.
stage_tsan() { tools/build.sh tsan threaded_tests && run_ctest build-tsan -L 'threads|model' -LE slow; }
# The trainer has a build folder of its own, with torch.
stage_train() {
  tools/train_deps.sh && tools/build.sh train-test train_tests && run_ctest build-train-test -L train &&
    PLM_TRAIN_BUILD_DIR=$plm_root/build-train-test PLM_BUILD_DIR=$plm_root/build-test \
      .venv/bin/python -m pytest tests/python/test_train.py -q -ra
}
stage_arm() { tools/test_arm.sh; }
stage_fuzz() { tools/fuzz.sh "$fuzz_seconds"; }
stage_tidy() { python3 tools/tidy.py build-test; }

run_ctest() { ctest --test-dir "$1" --output-on-failure --no-tests=error -j "$jobs" "${@:2}"; }

# "passed failed skipped" as the log's test runner counted them; a stage without a runner counts as one.
count_tests() {
  python3 - "$1" "$2" <<'PY'
import re, sys
text, exit_code = open(sys.argv[1], errors="replace").read(), int(sys.argv[2])
def number(pattern):
    return sum(int(n) for n in re.findall(pattern, text, re.M))
failed = passed = skipped = 0
for wrong, total in re.findall(r"^\d+% tests passed, (\d+) tests? failed out of (\d+)", text, re.M):
    failed += int(wrong)
    passed += int(total) - int(wrong)
not_run = len(re.findall(r"^\s*\d+/\d+ Test .*\*\*\*(?:Skipped|Not Run)", text, re.M))
skipped += not_run
passed -= min(passed, not_run)
ran = re.search(r"^Ran (\d+) tests? in", text, re.M)
if ran and exit_code == 0:
    passed += int(ran.group(1))
# vitest, and node's own runner.
for counts in re.findall(r"^ *Tests  (.*) \(\d+\)$", text, re.M):
    for count, word in re.findall(r"(\d+) (passed|failed|skipped)", counts):
        if word == "passed": passed += int(count)
        elif word == "failed": failed += int(count)
        else: skipped += int(count)
passed += number(r"^\S+ pass (\d+)$")
failed += number(r"^\S+ fail (\d+)$")
skipped += number(r"^\S+ skipped (\d+)$")
last = text.rstrip().rsplit("\n", 1)[-1]
if re.search(r" in [\d.]+s", last):
    for count, word in re.findall(r"(\d+) (passed|failed|error|skipped)", last):
        if word == "passed": passed += int(count)
        elif word == "skipped": skipped += int(count)
        else: failed += int(count)
if passed + failed == 0:
    passed = int(exit_code == 0)
if exit_code != 0 and failed == 0:
    failed = 1
print(passed, failed, skipped)
PY
}

passed=0 failed=0 skipped=0 built=yes
summary=()
for stage in "${stages[@]}"; do
  function_name=stage_${stage//-/_}
  declare -F "$function_name" >/dev/null || { echo "ci: no stage $stage; stages: ${all_stages[*]} unit" >&2; exit 2; }
  if [ $built = no ] && [[ "$stage" =~ ^(unit|ctest|python|package|browser|install|tidy)$ ]]; then
    summary+=("$(printf '%-12s not run: the build failed' "$stage")")
    failed=$((failed + 1))
    continue
  fi
  echo "=== $stage"
  started=$SECONDS
  "$function_name" 2>&1 | tee "$logs/$stage.log"
  code=${PIPESTATUS[0]}
  [ "$stage" = build ] && [ "$code" -ne 0 ] && built=no
  read -r stage_passed stage_failed stage_skipped < <(count_tests "$logs/$stage.log" "$code")
  passed=$((passed + stage_passed)) failed=$((failed + stage_failed)) skipped=$((skipped + stage_skipped))
  verdict=ok
  [ "$code" -ne 0 ] && verdict=FAILED
  summary+=("$(printf '%-12s %-6s %5d s  %d passed, %d failed, %d skipped' \
    "$stage" "$verdict" $((SECONDS - started)) "$stage_passed" "$stage_failed" "$stage_skipped")")
done

echo "=== summary (logs in $logs)"
printf '%s\n' "${summary[@]}"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
