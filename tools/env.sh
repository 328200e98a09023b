# Sourced by the other scripts: where downloads and compiled objects are kept between builds.
# PLM_CACHE names the folder; else ~/.cache/plm, else (home not writable) the build tree.
plm_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

if [ -z "${PLM_CACHE:-}" ]; then
  PLM_CACHE="${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/plm"
  if ! mkdir -p "$PLM_CACHE" 2>/dev/null || [ ! -w "$PLM_CACHE" ]; then
    PLM_CACHE="$plm_root/.cache"
    mkdir -p "$PLM_CACHE"
  fi
fi
export PLM_CACHE

# Relative paths in the keys, so that another clone on the same machine finds the same objects.
export CCACHE_DIR="${CCACHE_DIR:-$PLM_CACHE/ccache}" CCACHE_BASEDIR="$plm_root" CCACHE_NOHASHDIR=1
