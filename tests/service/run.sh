#!/usr/bin/env bash
# The user unit under a real user manager: boots the fresh Debian of `make test-package` with systemd-nspawn and runs rows.sh
# there as a person who is logged in. Needs root on Debian or Ubuntu; installs what is missing.
#
#   tests/service/run.sh [--if-can]    with --if-can exit 0 with a note where this machine cannot
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(cd "${CARGO_TARGET_DIR:-target}" && pwd)/fresh
export PATH=$PATH:/usr/sbin:/sbin

. tests/if-can.sh test-service "$@"
[ "$(id -u)" = 0 ] || cannot "only root can boot a container"
# A root from before the last change would be tested for what it was then.
packages=("$work"/../debian/gazed_*.deb)
if [ ! -e "$work/root/usr/bin/gazed" ] || [ -n "$(find src models systemd Cargo.lock -newer "${packages[-1]}" -print -quit)" ]; then
  tests/package.sh $if_can
fi
[ -e "$work/root/usr/bin/gazed" ] || cannot "there is no fresh root"
command -v systemd-nspawn >/dev/null || cannot "systemd-nspawn is not installed"

root=$work/root
chroot "$root" id person >/dev/null 2>&1 || chroot "$root" useradd --create-home --shell /bin/sh person
install -m 755 tests/service/rows.sh "$root/rows.sh"
install -m 755 tests/service/probe.sh "$root/probe.sh"
install -D -m 644 /dev/null "$root/var/lib/systemd/linger/person"
cat >"$root/etc/systemd/system/rows.service" <<'END'
[Unit]
After=user@1000.service
Wants=user@1000.service
FailureAction=poweroff-force
SuccessAction=poweroff-force
[Service]
Type=oneshot
User=person
Environment=XDG_RUNTIME_DIR=/run/user/1000 DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus
ExecStart=/rows.sh
StandardOutput=truncate:/rows.log
StandardError=inherit
TimeoutStartSec=800
[Install]
WantedBy=multi-user.target
END
chroot "$root" systemctl -q enable rows.service
mkdir -p "$root/var/log/journal"
rm -rf "$root/rows.log" "$root"/var/log/journal/*
# nspawn only ever removes what lies in memory, which /run does not on every machine.
mkdir -p /run/systemd/nspawn
timeout 400 unshare --mount sh -c 'mount -t tmpfs tmpfs /run/systemd/nspawn && exec systemd-nspawn "$@"' sh \
  --quiet --directory="$root" --boot --register=no --keep-unit --console=pipe </dev/null >"$work/boot.log" 2>&1 || true
[ -s "$root/rows.log" ] || { tail -5 "$work/boot.log" >&2; cannot "the container does not boot here"; }
cat "$root/rows.log"
grep -q '^VERDICT: every check passed' "$root/rows.log" && exit 0
echo "test-service: FAILED; what the service logged is in $root/var/log/journal" >&2
exit 1
