#!/usr/bin/env bash
# Installs what the tests in tests/node need, from its lock file, by npm. Those tests skip without it. Does nothing when it
# is up to date.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$plm_root/tests/node"

stamp=$(cksum < package-lock.json)
if [ "$(cat node_modules/.plm-stamp 2>/dev/null)" = "$stamp" ]; then
  echo "node: tests/node is up to date"
  exit 0
fi
command -v npm >/dev/null || { echo "node: npm is not installed (apt-get install npm)"; exit 1; }
npm ci --no-audit --no-fund --cache "$PLM_CACHE/npm"
echo "$stamp" > node_modules/.plm-stamp
