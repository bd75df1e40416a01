#!/usr/bin/env bash
# Tests the real camera path on real V4L2 devices, without a camera: boots Debian's kernel in QEMU by emulation, with the
# virtual camera `vivid` and a loopback device that plays pictures of the synthetic user, and runs gazed there through
# every fault that a camera can have. Needs Debian or Ubuntu on x86-64; builds everything below target/vm.
#
#   tests/vm/run.sh              all of it; exit 0 only where every check passed
#   tests/vm/run.sh --if-can     the same, but exit 0 with a note where this machine cannot
#
# VM_PATIENCE_S: how long frames may take to come again after a fault, in the guest's seconds (default 15; emulation on a
# busy machine needs more). VM_TIMEOUT_S: how long the machine may run in all (default 900).
set -euo pipefail
cd "$(dirname "$0")/../.."
here=tests/vm
work=${CARGO_TARGET_DIR:-target}/vm
mkdir -p "$work/share"
work=$(cd "$work" && pwd)

. tests/if-can.sh test-vm "$@"

began=$(date +%s)
step() { echo "test-vm: $(($(date +%s) - began)) s: $*"; }

step "kernel and modules"
"$here/prepare.sh" "$work" || cannot "the virtual machine cannot be prepared here; what is missing stands above"

step "programs"
cargo build --locked --bins --example vm-feed
programs=${CARGO_TARGET_DIR:-target}/debug

step "pictures of the synthetic user"
rm -rf "$work/share"
mkdir -p "$work/share"
"$programs/gazectl" synthesize "$work/share/face" --seconds 4 --source synthetic:seed=11,fps=30 >"$work/synthesize.log" 2>&1 ||
  { cat "$work/synthesize.log" >&2; exit 1; }

step "guest"
"$here/initramfs.sh" "$work" "$here/init.sh" "$programs/gazed" "$programs/gazectl" "$programs/examples/vm-feed" \
  /usr/bin/dbus-daemon /usr/bin/dbus-send
{ echo "PATIENCE_S=${VM_PATIENCE_S:-15}"; cat "$here/scenario.sh"; } >"$work/share/scenario.sh"

step "boot"
kernel=$(echo "$work"/kernel/boot/vmlinuz-*)
timeout "${VM_TIMEOUT_S:-900}" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m "${VM_MEMORY_MB:-1536}" \
  -display none -serial stdio -monitor none -nodefaults -no-reboot -kernel "$kernel" -initrd "$work/initramfs" \
  -append "console=ttyS0 quiet panic=-1 mitigations=off nokaslr clocksource=acpi_pm" \
  -virtfs "local,path=$work/share,mount_tag=host0,security_model=none,id=host0" </dev/null |
  sed -u 's/\r//' | tee "$work/console.log" || true

step "done"
if grep -q '^VERDICT: every check passed$' "$work/console.log"; then
  exit 0
fi
echo "test-vm: FAILED; the guest's console is $work/console.log, the daemon's log $work/share/gazed.log" >&2
exit 1
