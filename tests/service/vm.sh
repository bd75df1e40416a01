#!/usr/bin/env bash
# The user unit on a real kernel with a V4L2 camera: boots the fresh Debian of `make test-package` in the virtual machine of
# `make test-vm`, with its systemd, and runs camera.sh there as a person who is logged in.
#
#   tests/service/vm.sh [--if-can]    with --if-can exit 0 with a note where this machine cannot
#
# VM_TIMEOUT_S: how long the machine may run in all (default 900).
set -euo pipefail
cd "$(dirname "$0")/../.."
target=$(cd "${CARGO_TARGET_DIR:-target}" && pwd)
work=$target/vm root=$target/fresh/root
mkdir -p "$work"

. tests/if-can.sh test-service "$@"
[ -e "$root/rows.sh" ] || cannot "there is no fresh root: run tests/service/run.sh first"
tests/vm/prepare.sh "$work" || cannot "the virtual machine cannot be prepared here; what is missing stands above"
tests/vm/initramfs.sh "$work" tests/service/vm-init.sh
install -m 755 tests/service/camera.sh "$root/rows.sh"
rm -rf "$root/rows.log" "$root"/var/log/journal/*
mkdir -p "$root/var/log/journal"

kernel=$(echo "$work"/kernel/boot/vmlinuz-*)
timeout "${VM_TIMEOUT_S:-900}" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m "${VM_MEMORY_MB:-2048}" \
  -display none -serial stdio -monitor none -nodefaults -no-reboot -kernel "$kernel" -initrd "$work/initramfs" \
  -append "console=ttyS0 quiet panic=-1 mitigations=off nokaslr clocksource=acpi_pm systemd.log_target=kmsg systemd.default_timeout_start_sec=300" \
  -virtfs "local,path=$root,mount_tag=root0,security_model=none,id=root0" </dev/null >"$work/service-console.log" 2>&1 || true
[ -s "$root/rows.log" ] || { tail -5 "$work/service-console.log" >&2; cannot "the fresh Debian does not boot in the virtual machine"; }
cat "$root/rows.log"
grep -q '^VERDICT: every check passed' "$root/rows.log" && exit 0
echo "test-service: FAILED in the virtual machine; its console is $work/service-console.log" >&2
exit 1
