#!/usr/bin/env bash
# Configures (once) and builds a preset of CMakePresets.json: tools/build.sh PRESET [TARGET...]
# All talk goes to stderr, so that what is built can be used in a pipe.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$plm_root"
exec >&2

preset=${1:?usage: tools/build.sh PRESET [TARGET...]}
shift
case "$preset" in
  release) folder=build ;;
  *) folder=build-$preset ;;
esac

# Ninja configures again by itself when a CMakeLists.txt changes; a preset that changed, or a folder
# that was moved here with its cache, must be told.
if [ ! -f "$folder/build.ninja" ] || [ CMakePresets.json -nt "$folder/build.ninja" ] ||
   ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$plm_root" "$folder/CMakeCache.txt"; then
  cmake --preset "$preset" --fresh --log-level=WARNING
fi
# With the page where there is one, without where there is none: what CMake found must still be so.
found=page
grep -qs page_archive_absent "$folder/build.ninja" && found=no-page
there=no-page
[ -f web/dist/page.archive ] && there=page
[ $found = $there ] || cmake --preset "$preset" --log-level=WARNING
targets=("$@")
[ ${#targets[@]} -eq 0 ] && targets=(all)
# Nothing to do is the usual case of `make run`, and not worth a line.
if [ "$(ninja -n -C "$folder" "${targets[@]}" | tail -n 1)" = "ninja: no work to do." ]; then
  exit 0
fi
if [ -t 2 ]; then
  exec ninja -C "$folder" "${targets[@]}"
fi
exec ninja --quiet -C "$folder" "${targets[@]}"
