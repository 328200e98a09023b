#!/usr/bin/env bash
# Unpacks Debian's libraries for 64-bit Arm into a folder for cross builds: tools/arm_sysroot.sh FOLDER
#
# apt is given a state of its own below FOLDER, so this needs no root and neither adds an architecture
# to the system nor installs a package. Does nothing when FOLDER is already made of the list of today.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
sysroot=${1:?usage: tools/arm_sysroot.sh FOLDER}
list=$root/tools/packages-arm-sysroot.txt

cmp -s "$list" "$sysroot/made-of.txt" && exit 0
rm -rf "$sysroot"
mkdir -p "$sysroot"
sysroot=$(cd "$sysroot" && pwd)

state=$sysroot/apt
mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$state/debs"
: >"$state/status"
apt=(apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o Acquire::Languages=none
  -o APT::Sandbox::User= -o "Dir::State=$state" -o "Dir::State::status=$state/status"
  -o "Dir::Cache=$state/cache")
mapfile -t packages < <(sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' "$list")

echo "arm_sysroot: fetching ${packages[*]}" >&2
# An update that fails in part (a mirror without arm64) is no reason to stop: the download decides.
"${apt[@]}" update >&2 || true
(cd "$state/debs" && "${apt[@]}" download "${packages[@]}" >&2)
for deb in "$state"/debs/*.deb; do dpkg-deb --extract "$deb" "$sysroot"; done
rm -rf "$state"
cp "$list" "$sysroot/made-of.txt"
