#!/usr/bin/env bash
# Builds the page that plm serve shows, web/dist/page.archive, from web/. Needs node and npm; what npm fetches is
# what web/package-lock.json names, and is kept in PLM_CACHE. The next build of plm takes the page in.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$plm_root/web"

command -v npm >/dev/null || { echo "page: there is no npm here (Debian and Ubuntu: nodejs and npm)" >&2; exit 1; }
node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 18 ? 1 : 0)' ||
  { echo "page: node is $(node --version), expected 18 or later" >&2; exit 1; }

# The libraries belong to a lock file, a node and a folder.
stamp=$({ cat package-lock.json; node --version; pwd; } | cksum)
if [ "$(cat node_modules/.plm-stamp 2>/dev/null)" != "$stamp" ]; then
  echo "page: installing into web/node_modules by npm" >&2
  npm ci --cache "$PLM_CACHE/npm" --prefer-offline --no-audit --no-fund --loglevel=error >&2
  echo "$stamp" > node_modules/.plm-stamp
fi
node build.mjs
