#!/usr/bin/env bash
# The page's tests: tools/test_page.sh unit (types, the parts that need no browser) or
# tools/test_page.sh browser BUILD_FOLDER (in Chromium, before a scripted server and before BUILD_FOLDER/bin/plm).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../web"

case "${1:-}" in
  unit) npx --no-install tsc --noEmit && npx --no-install vitest run ;;
  browser) PLM_BIN="$(cd ..; cd "${2:?usage: tools/test_page.sh browser BUILD_FOLDER}" && pwd)/bin/plm" \
    node --test --test-reporter=spec tests/browser/*.test.mjs ;;
  *) echo "usage: tools/test_page.sh unit | browser BUILD_FOLDER" >&2; exit 2 ;;
esac
