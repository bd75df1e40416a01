#!/bin/sh
# The unit as it is shipped, with a camera of the kernel (vivid). Emulated, everything takes its time. Each check prints a line.
failures=0
now() { cut -d. -f1 /proc/uptime; }
ok() { echo "[$(now) s] ok    $*"; }
fail() { echo "[$(now) s] FAIL  $*"; failures=$((failures + 1)); }
until_true() { # seconds, command...
  end=$(($(now) + $1))
  shift
  until "$@"; do
    [ "$(now)" -lt $end ] || return 1
    sleep 1
  done
}
show() { systemctl --user show -p "$1" --value gazed; }
property() { busctl --user --timeout=120 get-property org.gazed.Gaze1 /org/gazed/Gaze1 org.gazed.Gaze1.Manager "$1" 2>/dev/null; }
rm -rf ~/.config ~/.local
until_true 120 systemctl --user daemon-reload || fail "there is no user manager"
echo "$(uname -sr), $(systemctl --version | head -1)"
until_true 120 property State >/dev/null && [ "$(show ActiveState)" = active ] && ok "a client's first call starts the unit: $(property State)" ||
  fail "a client's first call does not start the unit: $(show Result)"
gazectl watch --json >/tmp/samples 2>&1 &
watcher=$!
captures() {
  rate=$(property FrameRateHz)
  property State | grep -q '"lost"' && [ "$rate" != 'd 0' ]
}
until_true 180 captures && ok "under the sandbox the camera captures: $(property CameraName), State $(property State), ${rate#d } frames a second" ||
  fail "under the sandbox no picture comes: $(property State) $(property StateDetail)"
pid=$(show MainPID)
ls -l "/proc/$pid/fd" 2>/dev/null | grep -q video0 || grep -q video0 "/proc/$pid/maps" && ok "it is /dev/video0 that is open" || fail "/dev/video0 is not open"
kill $watcher

sed -e 's|^Type=.*|Type=oneshot|' -e '/^BusName=/d' -e '/^ExecReload=/d' -e '/^Restart/d' -e '/^WatchdogSec=/d' \
  -e 's|^ExecStart=.*|ExecStart=/probe.sh\nStandardOutput=truncate:%t/probed|' /usr/lib/systemd/user/gazed.service >/tmp/probe.service
mkdir -p ~/.config/systemd/user
cp /tmp/probe.service ~/.config/systemd/user/probe.service
systemctl --user daemon-reload
echo outside >/tmp/outside
systemctl --user start probe || true
sed -n 's/^ok /ok    inside: /p; s/^FAIL /FAIL  inside: /p; s/^note /note  inside: /p' "$XDG_RUNTIME_DIR/probed" >/tmp/probed
cat /tmp/probed
grep -q '^ok    inside: the probe ended' /tmp/probed || fail "the probe did not get to its end: $(systemctl --user show -p Result --value probe)"
failures=$((failures + $(grep -c '^FAIL' /tmp/probed)))

sed -i 's|^ExecStart=.*|ExecStart=/probe.sh hog|' ~/.config/systemd/user/probe.service
systemctl --user daemon-reload
systemctl --user start probe 2>/dev/null
result=$(systemctl --user show -p Result --value probe)
[ "$result" = oom-kill ] && ok "inside: 700 MB are more than MemoryMax allows: $result" || fail "MemoryMax does not hold: $result"

before=$(show MainPID)
kill -9 "$before"
back() { pid=$(show MainPID); [ "$pid" != 0 ] && [ "$pid" != "$before" ]; }
until_true 60 back && until_true 60 property State >/dev/null && ok "killed with -9, it is back: process $before, now $pid" || fail "killed, it does not come back"
systemctl --user stop gazed
[ "$(show Result)" = success ] && ok "it stops cleanly" || fail "it stops with $(show Result)"
if [ $failures = 0 ]; then echo "VERDICT: every check passed"; else echo "VERDICT: $failures checks failed"; fi
