#!/bin/sh
# Run the unit tests on each installed Python from 3.11 to 3.13, except the minor version $1, if given.
status=0
for minor in 11 12 13; do
  [ "$minor" = "$1" ] && continue
  found=""
  # pyenv puts shims on the path for versions that are not selected; those fail to run.
  for python in "python3.$minor" "$HOME"/.pyenv/versions/3."$minor".*/bin/python; do
    [ -z "$found" ] && "$python" -c '' 2>/dev/null && found=$python
  done
  if [ -z "$found" ]; then
    echo "Python 3.$minor: not installed, left out"
    continue
  fi
  echo "Python 3.$minor"
  make --no-print-directory VENV=".venv-3.$minor" PYTHON="$found" ".venv-3.$minor/.test" &&
    ".venv-3.$minor/bin/python" -m pytest -q -n auto --maxprocesses 4 -m "not server and not full" ||
    status=1
done
exit $status
