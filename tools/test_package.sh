#!/usr/bin/env bash
# Builds the Python package's wheel, installs it into an empty environment and tests it there.
#
# The wheel is built as `pip install .` does, but with the build tools of .venv (tools/python_env.sh), whose paths stay the
# same, so that the compiled objects are found again; and as those of build-test are, so that those serve.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$plm_root"

folder=$plm_root/build-package
mkdir -p "$folder"
rm -rf "$folder/dist" "$folder/venv"
export CXX=${CXX:-$(command -v c++)}
started=$SECONDS
.venv/bin/python -m pip --disable-pip-version-check wheel --quiet . --no-build-isolation --no-deps --no-cache-dir \
  -w "$folder/dist" -C cmake.define.PLM_WARNINGS_AS_ERRORS=ON -C build-dir=build-package
wheel=$(ls "$folder"/dist/plm-*.whl)
echo "package: $(basename "$wheel"), $(stat -c %s "$wheel") bytes, built in $((SECONDS - started)) s"

python3 -m venv "$folder/venv"
python=$folder/venv/bin/python
"$python" -m pip --disable-pip-version-check install --quiet --no-index "$wheel"
# By itself first: it needs nothing but Python.
(cd / && "$python" -c 'import plm; print("package:", plm.__version__, repr(plm.Model().generate("Once upon a time", max_tokens=8, temperature=0).text))')
# pytest and mypy are those of .venv.
.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
  >"$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/tools-of-the-tests.pth"
cd "$folder"
"$python" -m pytest -q -ra -p no:cacheprovider --doctest-modules --pyargs plm "$plm_root/python/tests"
