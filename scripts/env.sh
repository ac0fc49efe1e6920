#!/usr/bin/env bash
# Builds the environment in the folder $1: a virtual environment of Python 3.11-3.13, uv where it can be had, else pip.
set -euo pipefail
venv=$1
for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11 python; do
  [ -n "$candidate" ] || continue
  if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; then
    python=$candidate
    break
  fi
done
if [ -z "${python:-}" ]; then
  echo "make env: needs Python 3.11, 3.12 or 3.13 on the PATH (or PYTHON=/path/to/python)" >&2
  exit 2
fi
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
echo "environment: $("$venv/bin/python" -V) in $venv (a minute or two the first time)"
if "$venv/bin/python" -m pip install -q --disable-pip-version-check uv >/dev/null 2>&1; then
  "$venv/bin/uv" pip install -q -p "$venv/bin/python" -c constraints.txt -e '.[dev,fast]'
else
  "$venv/bin/python" -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev,fast]'
fi
echo "environment: ready"
