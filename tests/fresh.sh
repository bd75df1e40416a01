#!/usr/bin/env bash
# fresh.sh FOLDER: a Debian with systemd and D-Bus, as nobody has ever used it, in FOLDER/root. Made once in FOLDER/base.
set -euo pipefail
work=$1
missing=()
command -v debootstrap >/dev/null || missing+=(debootstrap)
command -v systemd-nspawn >/dev/null || missing+=(systemd-container)
if [ ${#missing[@]} -gt 0 ]; then
  apt-get -q update || true
  DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "${missing[@]}"
fi
if [ ! -e "$work/base/.complete" ]; then
  # The release of this machine, from where this machine's own packages come: the programs are linked with its libraries.
  release=$(. /etc/os-release && echo "$VERSION_CODENAME")
  # shellcheck disable=SC2016 # these are apt's
  site=$(apt-get indextargets --format '$(SITE) $(RELEASE)' 'Created-By: Packages' | awk -v release="$release" '$2 == release { print $1; exit }')
  [ -n "$site" ] || { echo "apt does not say where the packages of $release come from"; exit 1; }
  rm -rf "$work/base"
  debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,dbus-user-session,libpam-systemd "$release" "$work/base" "$site"
  rm -rf "$work"/base/var/cache/apt/archives/*.deb
  touch "$work/base/.complete"
fi
rm -rf "$work/root"
cp -a --reflink=auto "$work/base" "$work/root"
cp /etc/resolv.conf "$work/root/etc/resolv.conf" 2>/dev/null || true
