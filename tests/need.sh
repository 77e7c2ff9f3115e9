#!/bin/sh
# Install the programs named that are missing, with apt. With INSTALL=0, or where that fails, print
# which packages to install instead.
packages=""
for program; do
  command -v "$program" >/dev/null || case $program in
    node) packages="$packages nodejs" ;;
    *) packages="$packages $program" ;;
  esac
done
[ -z "$packages" ] && exit 0

advice="Programs are missing. Install these packages, then run make again:$packages"
if [ "$INSTALL" = 0 ] || ! command -v apt-get >/dev/null; then
  echo "$advice" >&2
  exit 1
fi
apt="apt-get"
[ "$(id -u)" = 0 ] || apt="sudo -n apt-get"
echo "Installing with $apt (INSTALL=0 prevents this):$packages" >&2
export DEBIAN_FRONTEND=noninteractive
errors=$($apt update -qq 2>&1 >/dev/null &&
  $apt install -qq -y --no-install-recommends $packages 2>&1 >/dev/null) && exit 0
echo "$errors" | tail -n 5 >&2
echo "$advice" >&2
exit 1
