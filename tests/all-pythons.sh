#!/bin/sh
# Run the tests that need no server on each of the Pythons 3.11 to 3.13 that is installed.
status=0
for minor in 11 12 13; do
  python=$(command -v "python3.$minor" || ls -d "$HOME"/.pyenv/versions/3.$minor.*/bin/python 2>/dev/null | tail -n 1)
  # A pyenv shim stands in the path for versions that aren't installed, too.
  if [ -z "$python" ] || ! "$python" -c '' 2>/dev/null; then
    echo "Python 3.$minor: not installed"
    continue
  fi
  echo "Python 3.$minor"
  make --no-print-directory VENV=".venv-3.$minor" PYTHON="$python" ".venv-3.$minor/.test" &&
    ".venv-3.$minor/bin/python" -m pytest -q -m "not server" || status=1
done
exit $status
