#!/usr/bin/env bash
# Installs a build into an empty folder, then builds and runs a project that finds it there:
# tests/install/run.sh BUILD_FOLDER
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../../tools/env.sh"
cd "$plm_root"

build=${1:?usage: tests/install/run.sh BUILD_FOLDER}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$build" --prefix "$work/prefix" >"$work/install.log"
# Away from the checkout, with nothing but the prefix to find it by.
cp tests/install/CMakeLists.txt tests/install/consumer.cpp "$work/"
cmake -S "$work" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$work/prefix" --log-level=WARNING
ninja --quiet -C "$work/build"
"$work/build/consumer" "$work/prefix/share/plm/models/story-7m-f16.gguf"
"$work/prefix/bin/plm" --version
(cd / && "$work/prefix/bin/plm" run -p "Once upon a time" -n 8 -s 1 >"$work/story.txt")
[ -s "$work/story.txt" ] || { echo "install: the installed program wrote nothing" >&2; exit 1; }
if grep -rIl "$plm_root" "$work/prefix"; then
  echo "install: the files above name the build machine's folder" >&2
  exit 1
fi
echo "install: find_package(plm), plm::plm and the installed program work"
