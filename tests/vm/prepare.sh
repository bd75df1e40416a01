#!/usr/bin/env bash
# prepare.sh FOLDER: fetches Debian's kernel (whose package has the module vivid) and builds the module v4l2loopback for it,
# below FOLDER. Installs what is missing where it may; nothing is done twice.
set -euo pipefail
work=$1
[ "$(uname -m)" = x86_64 ] || { echo "the virtual machine is for x86-64" >&2; exit 1; }
command -v apt-get >/dev/null || { echo "no apt-get: the kernel comes from Debian's or Ubuntu's packages" >&2; exit 1; }
root=()
if [ "$(id -u)" != 0 ]; then
  root=(sudo -n)
fi
apt() { "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 "$@" >>"$work/apt.log" 2>&1; }
: >"$work/apt.log"

missing=()
need() { command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ] || missing+=("$2"); }
need qemu-system-x86_64 qemu-system-x86
need busybox busybox-static
need cpio cpio
need depmod kmod
need zstd zstd
need v4l2-ctl v4l-utils
need dbus-daemon dbus
need dbus-send dbus
if [ ${#missing[@]} -gt 0 ]; then
  echo "test-vm needs these packages: ${missing[*]}"
  apt update || true
  apt install --no-install-recommends "${missing[@]}" || { tail -5 "$work/apt.log" >&2; exit 1; }
fi

if [ ! -d "$work/kernel/boot" ] || [ ! -e "$work/v4l2loopback.ko" ]; then
  rm -rf "$work/kernel" "$work/loopback" "$work/debs"
  mkdir -p "$work/debs"
  release=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: linux-image-//p' | head -1)
  if [ -z "$release" ]; then
    apt update || true
    release=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: linux-image-//p' | head -1)
  fi
  [ -n "$release" ] || { echo "apt knows no package linux-image-amd64 (Ubuntu's kernels are not supported yet)" >&2; exit 1; }
  [ -d "/usr/src/linux-headers-$release" ] || apt install --no-install-recommends "linux-headers-$release" make gcc ||
    { tail -5 "$work/apt.log" >&2; exit 1; }
  (cd "$work/debs" && apt-get -q download "linux-image-$release" v4l2loopback-dkms >>"$work/apt.log" 2>&1) ||
    { tail -5 "$work/apt.log" >&2; exit 1; }
  dpkg -x "$work"/debs/v4l2loopback-dkms_*.deb "$work/loopback"
  source=$(echo "$work"/loopback/usr/src/v4l2loopback-*)
  make -s -C "$source" KERNEL_DIR="/usr/src/linux-headers-$release" KERNELRELEASE= v4l2loopback.ko >"$work/loopback.log" 2>&1 ||
    { tail -20 "$work/loopback.log" >&2; exit 1; }
  dpkg -x "$work"/debs/linux-image-*.deb "$work/kernel"
  strip --strip-debug -o "$work/v4l2loopback.ko" "$source/v4l2loopback.ko"
  rm -rf "$work/debs"
fi
