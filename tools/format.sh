#!/usr/bin/env bash
# Formats our C++ sources; with --check only says which are not formatted.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
mode=(-i)
[ "${1:-}" = --check ] && mode=(--dry-run -Werror)
# Tracked and new files, but nothing that git ignores.
git ls-files -z --cached --others --exclude-standard -- '*.h' '*.hpp' '*.c' '*.cpp' '*.cu' |
  xargs -0 --no-run-if-empty clang-format-19 "${mode[@]}"
