#!/usr/bin/env bash
# Installs the Debian or Ubuntu packages that are missing: tools/bootstrap.sh build|page|package|test|train|arm
#
# Says what it installs; asks before it uses sudo; without a terminal it fails with the command to
# type. When nothing is missing it takes a few hundredths of a second, so it runs before every build.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

die() { echo "bootstrap: $*" >&2; exit 1; }

read_list() { sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' "$root/tools/packages-$1.txt"; }

# node and npm need not be the system's own packages.
read_page_list() {
  command -v node >/dev/null && command -v npm >/dev/null || read_list page
}
# A browser from a snap cannot be had by apt.
read_browser_list() {
  grep -qsx 'ID=debian' /etc/os-release && read_list browser || true
}

case "${1:-}" in
  build) wanted=$(read_list build) ;;
  page) wanted=$(read_page_list) ;;
  test) wanted=$(read_list build; read_list train; read_list test; read_page_list; read_browser_list) ;;
  package) wanted=$(read_list build; read_list package) ;;
  train) wanted=$(read_list build; read_list train) ;;
  arm) wanted=$(read_list build; read_list arm) ;;
  *) die "usage: tools/bootstrap.sh build|page|package|test|train|arm" ;;
esac
[ -n "$wanted" ] || exit 0
mapfile -t packages <<<"$wanted"

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  command -v cmake >/dev/null && command -v ninja >/dev/null && exit 0
  die "no apt-get on this system; install the counterparts of: ${packages[*]}"
fi

# dpkg-query exits 1 when a package is unknown to it: that is an answer here, not a failure.
installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "${packages[@]}" 2>/dev/null | sed -n 's/^installed //p') || true
missing=()
for package in "${packages[@]}"; do
  grep -qxF -- "$package" <<<"$installed" || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

command=(apt-get install --yes --no-install-recommends "${missing[@]}")
if [ "$(id -u)" -eq 0 ]; then
  as_root=(env DEBIAN_FRONTEND=noninteractive)
else
  by_hand="sudo apt-get update && sudo ${command[*]}"
  command -v sudo >/dev/null || die "packages are missing and there is no sudo; as root: ${by_hand//sudo /}"
  if [ "${CI:-}" = true ] || [ ! -t 0 ]; then
    die "packages are missing; type: $by_hand"
  fi
  echo "plm needs these packages: ${missing[*]}" >&2
  read -r -p "Install them with sudo apt-get? [y/N] " answer
  [[ "$answer" =~ ^[Yy] ]] || die "nothing installed; type: $by_hand"
  as_root=(sudo DEBIAN_FRONTEND=noninteractive)
fi

echo "bootstrap: installing by apt: ${missing[*]}" >&2
# An update that fails in part (one dead mirror) is no reason to stop: the install decides.
"${as_root[@]}" apt-get update -qq >&2 || true
"${as_root[@]}" "${command[@]}" -qq >&2 || die "apt-get could not install: ${missing[*]}"
