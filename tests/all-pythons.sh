#!/bin/sh
# Run the tests that need no server on each of the Pythons 3.11 to 3.13 that is installed.
status=0
for minor in 11 12 13; do
  found=""
  # What stands in the path may be a shim for a version that isn't there.
  for python in "python3.$minor" "$HOME"/.pyenv/versions/3."$minor".*/bin/python; do
    [ -z "$found" ] && "$python" -c '' 2>/dev/null && found=$python
  done
  if [ -z "$found" ]; then
    echo "Python 3.$minor: not installed"
    continue
  fi
  echo "Python 3.$minor"
  make --no-print-directory VENV=".venv-3.$minor" PYTHON="$found" ".venv-3.$minor/.test" &&
    ".venv-3.$minor/bin/python" -m pytest -q -m "not server" || status=1
done
exit $status
