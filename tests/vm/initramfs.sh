#!/usr/bin/env bash
# initramfs.sh FOLDER INIT PROGRAM...: packs busybox, the video modules and the programs with their libraries into
# FOLDER/initramfs.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
work=$1 init=$2
shift 2
release=$(ls "$work/kernel/lib/modules")
tree=$work/tree
rm -rf "$tree"
modules=$tree/lib/modules/$release
mkdir -p "$tree"/{bin,sbin,dev,proc,sys,tmp,run,host,usr/bin,usr/share/dbus-1} "$modules/extra"
cp "$(command -v busybox)" "$tree/bin/busybox"

depmod -b "$work/kernel" "$release"
for module in vivid videodev 9p 9pnet_virtio virtio_pci; do
  modprobe -d "$work/kernel" -S "$release" --show-depends "$module" 2>/dev/null | awk '/^insmod/ { print $2 }'
done | sort -u | while read -r file; do
  to=$tree/${file#"$work/kernel/"}
  mkdir -p "$(dirname "$to")"
  cp "$file" "$to"
done
cp "$work/v4l2loopback.ko" "$modules/extra/"
cp "$work/kernel/lib/modules/$release"/modules.{order,builtin,builtin.modinfo} "$modules/"
depmod -b "$tree" "$release"

cp /usr/share/dbus-1/session.conf "$tree/usr/share/dbus-1/"
for program in /usr/bin/v4l2-ctl "$@"; do
  strip -o "$tree/usr/bin/$(basename "$program")" "$program" 2>/dev/null || cp -L "$program" "$tree/usr/bin/"
  { ldd "$program" 2>/dev/null || true; } | grep -oE '/[^ ]+' | while read -r library; do
    mkdir -p "$tree/$(dirname "$library")"
    cp -Ln "$library" "$tree/$library"
  done
done
echo 'root:x:0:0:root:/root:/bin/sh' >"$tree/etc_passwd"
mkdir -p "$tree/etc" "$tree/root"
mv "$tree/etc_passwd" "$tree/etc/passwd"
cp "$init" "$tree/init"
chmod +x "$tree/init"
(cd "$tree" && find . | cpio -o -H newc --quiet | zstd -q -3 -T0) >"$work/initramfs"
rm -rf "$tree"
