#!/bin/sh
# Install the programs named, with apt, where they're missing; or say in one line what to install.
missing=""
for program; do
  command -v "$program" >/dev/null || case $program in
    node) missing="$missing nodejs" ;;
    *) missing="$missing $program" ;;
  esac
done
[ -z "$missing" ] && exit 0
sudo=""
[ "$(id -u)" = 0 ] || sudo="sudo -n"
export DEBIAN_FRONTEND=noninteractive
if command -v apt-get >/dev/null && $sudo apt-get update -qq >/dev/null 2>&1 &&
  $sudo apt-get install -qq -y --no-install-recommends $missing >/dev/null 2>&1; then
  exit 0
fi
echo "Programs are missing; install these packages:$missing" >&2
exit 1
