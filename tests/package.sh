#!/usr/bin/env bash
# Builds the Debian package, installs it in a fresh Debian, runs the programs there, and removes it again. Needs root on
# Debian or Ubuntu; installs what is missing.
#
#   tests/package.sh             all of it; exit 0 only where every check passed
#   tests/package.sh --if-can    the same, but exit 0 with a note where this machine cannot
#
# PROFILE: dev for programs without optimisation (default release). The fresh Debian is made once, below target/fresh.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target/fresh"
work=$(cd "$target/fresh" && pwd)
export PATH=$PATH:/usr/sbin:/sbin:$work/tools/bin

. tests/if-can.sh test-package "$@"
failures=0
check() { # what, command...
  local what=$1 said
  shift
  if said=$("$@" 2>&1); then
    echo "ok    $what${said:+: $(head -1 <<<"$said")}"
  else
    echo "FAIL  $what: $said"
    failures=$((failures + 1))
  fi
}
within() { chroot "$work/root" /usr/bin/env -i PATH=/usr/bin:/usr/sbin:/bin:/sbin HOME=/root DEBIAN_FRONTEND=noninteractive "$@"; }

[ "$(id -u)" = 0 ] || cannot "a fresh root can only be made by root"
command -v apt-get >/dev/null || cannot "no apt-get: the fresh root is a Debian"
tests/fresh.sh "$work" >"$work/fresh.log" 2>&1 || { tail -5 "$work/fresh.log" >&2; cannot "a fresh root cannot be made here"; }
echo "ok    a fresh root: $(within sh -c '. /etc/os-release; echo $PRETTY_NAME'), $(du -sm "$work/root" | cut -f1) MB"

command -v cargo-deb >/dev/null || cargo install --quiet --locked --root "$work/tools" cargo-deb ||
  cannot "cargo-deb cannot be installed"
make --no-print-directory deb >"$work/deb.log" 2>&1 || { tail -20 "$work/deb.log" >&2; exit 1; }
package=$(echo target/debian/gazed_*.deb)
echo "ok    $package: $(du -k "$package" | cut -f1) kB, needs $(dpkg-deb -f "$package" Depends)"

cp "$package" "$work/root/gazed.deb"
check "it is installed with all that it needs" within sh -c 'apt-get install -q -y --no-install-recommends /gazed.deb >/tmp/apt.log 2>&1 || { tail -20 /tmp/apt.log; false; }'
check "gazectl --version" within gazectl --version
check "gazed --help" within gazed --help
# There is neither camera nor bus in a bare root: what counts is that it says so.
check "gazectl doctor says what is missing" within sh -c 'gazectl doctor >/tmp/said 2>&1; [ $? = 1 ] && grep -q "no camera is there" /tmp/said && grep -q "^ok   nets" /tmp/said || { cat /tmp/said; false; }'
check "gazed without a bus says so" within sh -c 'gazed --source synthetic >/tmp/said 2>&1; [ $? = 1 ] && grep -q "there is no session bus" /tmp/said || { cat /tmp/said; false; }'
check "pictures can be made and tracked" within sh -c 'gazectl synthesize /tmp/face --seconds 1 >/dev/null && gazectl track /tmp/face --json | grep -c landmarks_px'
check "the unit is well-formed" within env XDG_RUNTIME_DIR=/tmp systemd-analyze --user verify gazed.service
check "every file belongs to the package" within sh -c 'for file in /usr/share/man/man1/gazed.1.gz /usr/share/man/man1/gazectl.1.gz /usr/lib/systemd/user/gazed.service /usr/share/dbus-1/services/org.gazed.Gaze1.service /usr/share/doc/gazed/config.example.toml /usr/share/bash-completion/completions/gazectl; do dpkg -S $file || exit 1; done'
check "it leaves nothing behind when it is removed" within sh -c 'cp -a /var/lib/dpkg /tmp/before; dpkg --purge gazed >/dev/null && ! find /usr -name "*gaze*" | grep .'
[ "$failures" = 0 ] || { echo "test-package: $failures checks failed"; exit 1; }
# For `make test-service`, which boots it.
within dpkg -i /gazed.deb >/dev/null
echo "test-package: every check passed"
