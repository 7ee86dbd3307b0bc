#!/usr/bin/env bash
# A wheel, without CUDA, built from the source archive, installed in a new environment and tried
# there with no compiler on the PATH. PYTHON is that of the development environment.
set -euo pipefail
python=${PYTHON:?}
work=build/wheel-check
rm -rf "$work"
"$python" -m build -q --sdist --no-isolation -o "$work"
"$python" -m pip wheel -q --no-deps --no-build-isolation --config-settings=cmake.define.GRAPHCUT_CUDA=OFF \
  -w "$work" "$work"/*.tar.gz
"$python" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q -c constraints.txt "$work"/*.whl scipy
cp tests/wheel_smoke.py "$work"
cd "$work"
env -i venv/bin/python wheel_smoke.py
env -i venv/bin/python -m graphcut_ext
