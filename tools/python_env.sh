#!/usr/bin/env bash
# Makes .venv, the project's own Python environment for the tests, from tools/requirements-test.txt, and .venv-eval, of
# lm-evaluation-harness alone, from tools/requirements-eval.txt. Does nothing with what is up to date. A llama.cpp that
# does not build is no failure: the reason goes to .venv/llama-cpp-python.missing, which the tests show when they skip.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$plm_root"

# .venv-eval is a link to where all checkouts share it: it is large, and knows nothing of the checkout. Where lm-eval cannot
# be had, its test skips.
make_eval() {
  local requirements=tools/requirements-eval.txt key folder
  key=$({ cat "$requirements"; python3 -c 'import sys; print(sys.version, sys.prefix)'; } | cksum | cut -d' ' -f1)
  folder=$PLM_CACHE/venv-eval/$key
  mkdir -p "$PLM_CACHE/venv-eval"
  (
    flock 9
    if [ -e "$folder/plm-done" ]; then
      echo "python: .venv-eval is up to date"
      exit 0
    fi
    echo "python: installing into .venv-eval by pip: $(sed -e 's/#.*//' -e '/^ *$/d' "$requirements" | tr '\n' ' ')"
    rm -rf "$folder"
    python3 -m venv "$folder"
    if "$folder/bin/python" -m pip --disable-pip-version-check --cache-dir "$PLM_CACHE/pip" install --quiet \
         -r "$requirements"; then
      touch "$folder/plm-done"
    else
      echo "python: lm-eval could not be installed; its test will skip"
      rm -rf "$folder"
    fi
  ) 9>"$PLM_CACHE/venv-eval/lock"
  [ -d .venv-eval ] && [ ! -L .venv-eval ] || ln -sfn "$folder" .venv-eval
}
make_eval

requirements=tools/requirements-test.txt
# The wheel of llama.cpp is built with -march=native, so it belongs to one kind of CPU and Python.
machine=$(python3 -c 'import platform, sys; print(platform.machine(), sys.version_info[:2])'
          grep -m1 -E '^(flags|Features)' /proc/cpuinfo 2>/dev/null || true)
key=$(printf '%s' "$machine" | cksum | cut -d' ' -f1)
# Its AMX products crash with arch plm (a segmentation fault in ggml_backend_amx_mul_mat, 0.3.36), so on a CPU with
# AMX everything else that the CPU has is named instead.
llama_cpu="-DGGML_NATIVE=ON"
if grep -qw amx_int8 <<<"$machine"; then
  llama_cpu="-DGGML_NATIVE=OFF"
  for feature in AVX AVX2 FMA F16C BMI2 AVX512 AVX512_VBMI AVX512_VNNI AVX512_BF16; do
    llama_cpu+=" -DGGML_$feature=ON"
  done
  key+=-without-amx
fi
stamp=$({ cat "$requirements" tools/python_env.sh; echo "$key $plm_root"; } | cksum)

if [ "$(cat .venv/plm-stamp 2>/dev/null)" = "$stamp" ]; then
  echo "python: .venv is up to date"
  exit 0
fi

echo "python: installing into .venv by pip: $(sed -e 's/#.*//' -e '/^ *$/d' "$requirements" | tr '\n' ' ')"
[ -x .venv/bin/python ] && .venv/bin/python -c '' 2>/dev/null || { rm -rf .venv; python3 -m venv .venv; }
rm -f .venv/plm-stamp .venv/llama-cpp-python.missing
pip() { .venv/bin/python -m pip --disable-pip-version-check --cache-dir "$PLM_CACHE/pip" "$@"; }

grep -v '^llama-cpp-python' "$requirements" > .venv/requirements-plain.txt
pip install --quiet -r .venv/requirements-plain.txt

llama=$(grep '^llama-cpp-python' "$requirements")
wheels=$PLM_CACHE/wheels/$key
log=.venv/llama-cpp-python.log
# Its source also holds the chat templates of some seventy models, which tests/python/test_chat_templates.py renders.
templates=$PLM_CACHE/chat-templates/$llama
mkdir -p "$wheels"
has_wheel() { ls "$wheels"/llama_cpp_python-"${llama#*==}"-*.whl >/dev/null 2>&1; }
# pip's own cache is passed over: it knows nothing of the CPU a wheel was built for.
uncached_pip() { .venv/bin/python -m pip --disable-pip-version-check "$@" --quiet --no-cache-dir --no-deps; }
if ! has_wheel || [ ! -d "$templates" ]; then
  source_folder=$(mktemp -d)
  trap 'rm -rf "$source_folder"' EXIT
  uncached_pip download --no-binary llama-cpp-python "$llama" -d "$source_folder" >"$log" 2>&1 || true
  if tar -xzf "$source_folder"/*.tar.gz -C "$source_folder" --strip-components=5 --wildcards '*/llama.cpp/models/templates/*.jinja' \
       >>"$log" 2>&1; then
    mkdir -p "$templates"
    mv "$source_folder"/*.jinja "$templates/"
  fi
fi
if ! has_wheel; then
  echo "python: building $llama for this CPU (minutes, once; log in $log)"
  export CMAKE_ARGS="$llama_cpu -DGGML_OPENMP=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF \
-DLLAMA_BUILD_TOOLS=OFF -DLLAMA_BUILD_SERVER=OFF -DLLAVA_BUILD=OFF"
  uncached_pip wheel "$source_folder"/*.tar.gz -w "$wheels" >>"$log" 2>&1 || true
fi
ln -sfn "$templates" .venv/chat-templates
# Another wheel of the same version may be there.
pip uninstall --quiet --yes llama-cpp-python >>"$log" 2>&1 || true
if ! pip install --quiet --find-links "$wheels" --only-binary llama-cpp-python "$llama" >>"$log" 2>&1 ||
   ! .venv/bin/python -c 'import llama_cpp' >>"$log" 2>&1; then
  echo "$llama could not be built or loaded; see $log" | tee .venv/llama-cpp-python.missing
fi
echo "$stamp" > .venv/plm-stamp
