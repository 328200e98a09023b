#!/usr/bin/env bash
# Makes .venv-train, the Python environment that holds torch, which plm-train is linked with.
#
# TORCH_SPEC names another torch, e.g. TORCH_SPEC="torch==2.11.0". PLM_PYTHON names a Python that has
# torch already: then nothing is installed. Does nothing when the environment is up to date.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$plm_root"

spec=${TORCH_SPEC:-torch==2.13.0}
if [ -n "${PLM_PYTHON:-}" ]; then
  "$PLM_PYTHON" -c 'import torch' || { echo "train: $PLM_PYTHON cannot import torch" >&2; exit 1; }
  exit 0
fi

# numpy and safetensors: for the tests that compare with PyTorch's own modules.
packages=("$spec" numpy==2.4.6 safetensors==0.8.0 pytest==8.4.2)
stamp="${packages[*]} $plm_root"
if [ "$(cat .venv-train/plm-stamp 2>/dev/null)" = "$stamp" ]; then
  echo "train: .venv-train is up to date ($spec)" >&2
  exit 0
fi

echo "train: installing into .venv-train by pip: ${packages[*]}" >&2
if ! [ -x .venv-train/bin/python ] || ! .venv-train/bin/python -c '' 2>/dev/null; then
  rm -rf .venv-train
  python3 -m venv .venv-train
fi
rm -f .venv-train/plm-stamp
.venv-train/bin/python -m pip --disable-pip-version-check --cache-dir "$PLM_CACHE/pip" install --quiet "${packages[@]}" >&2
.venv-train/bin/python -c 'import torch; print("train: torch", torch.__version__)' >&2
echo "$stamp" > .venv-train/plm-stamp
