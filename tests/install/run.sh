#!/usr/bin/env bash
# Installs a build into an empty folder, then builds and runs projects that find it there, the examples among them:
# tests/install/run.sh BUILD_FOLDER
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../../tools/env.sh"
cd "$plm_root"

build=${1:?usage: tests/install/run.sh BUILD_FOLDER}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
die() { echo "install: $*" >&2; exit 1; }

cmake --install "$build" --prefix "$work/prefix" >"$work/install.log"
# Away from the checkout, with nothing but the prefix to find it by.
cp -r examples "$work/examples"
mkdir "$work/consumer"
cp tests/install/CMakeLists.txt tests/install/consumer.cpp "$work/consumer"
for project in consumer examples; do
  cmake -S "$work/$project" -B "$work/build-$project" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$work/prefix" \
    --log-level=WARNING
  ninja --quiet -C "$work/build-$project"
done
model=$work/prefix/share/plm/models/story-7m-f16.gguf
"$work/build-consumer/consumer" "$model"
"$work/prefix/bin/plm" --version
(cd / && "$work/prefix/bin/plm" run -p "Once upon a time" -n 8 -s 1 >"$work/story.txt")
[ -s "$work/story.txt" ] || die "the installed program wrote nothing"

# says LANGUAGE EXAMPLE PATTERN [ARGUMENT...]: the example succeeds, and a line of what it says matches.
says() {
  local example=$2_$1 pattern=$3
  "$work/build-examples/$example" "$model" "${@:4}" >"$work/said.txt" || die "the example $example failed"
  grep -qE "$pattern" "$work/said.txt" || { cat "$work/said.txt" >&2; die "the example $example says something else"; }
}
for language in cpp c; do
  says $language generate '^Once upon a time.{80,}'
  says $language chat '[a-z]{3,} [a-z]{2,}'
  says $language embed '^dog and dog 0\.[0-9]+, dog and king 0\.[0-9]+$'
  says $language score '^ time\s-[01]\.?[0-9]*'
  says $language session '^0 of [0-9]+ tokens' "$work/session-$language"
  says $language session '^([1-9][0-9]*) of [0-9]+ tokens' "$work/session-$language"
  "$work/build-examples/generate_$language" "$work/no-such-model" 2>"$work/said.txt" && die "a model that is not there was found"
  grep -q no-such-model "$work/said.txt" || die "the example in $language does not say which file is missing"
done
cmp "$work/session-cpp" "$work/session-c" || die "sessions saved by C++ and by C differ"

# The shared library shows the C interface and nothing else.
library=$work/prefix/lib/libplm.so
[ -e "$library" ] || library=$(find "$work/prefix" -name libplm.so)
shown=$(nm -D --defined-only "$library" | awk '{print $3}')
hidden=$(grep -v '^plm_' <<<"$shown" || true)
[ -z "$hidden" ] || die "libplm.so shows more than the C interface: $hidden"
declared=$(grep -oE '\bplm_[a-z_]+\(' include/plm/plm_c.h | grep -v plm_text_of | tr -d '(' | sort -u)
diff <(sort -u <<<"$shown") <(cat <<<"$declared") || die "libplm.so does not show what plm_c.h declares"

if grep -rIl "$plm_root" "$work/prefix"; then
  die "the files above name the build machine's folder"
fi
echo "install: find_package(plm), plm::plm, plm::c, the examples and the installed program work"
