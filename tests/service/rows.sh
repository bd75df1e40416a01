#!/bin/sh
# What the user unit does under a real user manager, as a person meets it. Each check prints a line; the last is the verdict.
failures=0
now_ms() { echo $(($(date +%s%N) / 1000000)); }
ok() { echo "ok    $*"; }
fail() { echo "FAIL  $*"; failures=$((failures + 1)); }
show() { systemctl --user show -p "$1" --value gazed; }
until_true() { # seconds, command...
  end=$(($(now_ms) + $1 * 1000))
  shift
  until "$@"; do
    [ "$(now_ms)" -lt "$end" ] || return 1
    sleep 0.1
  done
}
property() { busctl --user get-property org.gazed.Gaze1 /org/gazed/Gaze1 org.gazed.Gaze1.Manager "$1" 2>/dev/null; }
# The gaze really comes: a client gets samples with a position.
watch() { timeout 60 gazectl watch --json --seconds "$1" | grep -c '"valid"'; }
another_process() { pid=$(show MainPID); [ "$pid" != 0 ] && [ "$pid" != "$before" ]; }

rm -rf ~/.config ~/.local /tmp/outside
source=synthetic:width=320,height=240,fps=15
# No camera here: the synthetic user. A short watchdog, so that nobody waits for a minute.
mkdir -p ~/.config/systemd/user/gazed.service.d
cat >~/.config/systemd/user/gazed.service.d/here.conf <<END
[Service]
ExecStart=
ExecStart=/usr/bin/gazed --source $source
WatchdogSec=4
END
# In a container the kernel's log is hidden already, by a file of a kind that a user's systemd cannot hide once more.
kernel_log=
if ! [ -f /proc/kmsg ]; then
  kernel_log=ProtectKernelLogs=no
  echo "$kernel_log" >>~/.config/systemd/user/gazed.service.d/here.conf
  echo "note  in a container the kernel's log is hidden already: ProtectKernelLogs is left out here"
fi
until_true 30 systemctl --user daemon-reload || fail "there is no user manager"

[ "$(show ActiveState)" = inactive ] || fail "the service runs although nobody asked: $(show ActiveState)"
began=$(now_ms)
state=$(property State)
if [ "$(show ActiveState)" = active ] && [ "$state" = 's "idle"' ]; then
  ok "a client's first call starts it: answered $state after $(($(now_ms) - began)) ms, process $(show MainPID)"
else
  fail "a client's first call: $state, $(show ActiveState)"
fi
samples=$(watch 10)
[ "$samples" -gt 5 ] && ok "under its sandbox it tracks: $samples valid samples in 10 s" || fail "$samples valid samples in 10 s"

mkdir -p ~/.config/gazed
printf '[clients]\npolcy = "list"\n' >~/.config/gazed/config.toml
systemctl --user reload gazed
said() { journalctl --user -u gazed -o cat 2>/dev/null | grep "$1"; }
until_true 5 said 'configuration stays as it was' >/dev/null && ok "reload with a mistake: $(journalctl --user -u gazed -o verbose | grep -o 'did you mean .*' | tail -1)" ||
  fail "a mistake in the configuration is not told"
printf '[forecast]\nmethod = "hold"\n' >~/.config/gazed/config.toml
systemctl --user reload gazed
until_true 5 said 'configuration was read again' >/dev/null && ok "reload: $(journalctl --user -u gazed -o verbose | grep -o 'F_CHANGED=.*' | tail -1)" ||
  fail "the configuration is not read again"

printf '[clients]\npolicy = "list"\n' >~/.config/gazed/config.toml
systemctl --user reload gazed
listed() { journalctl --user -u gazed -o verbose | grep -q 'F_CHANGED=.*clients.policy'; }
until_true 5 listed || fail "the policy is not read again"
stranger=$(busctl --user call org.gazed.Gaze1 /org/gazed/Gaze1 org.gazed.Gaze1.Manager CreateSession 'a{sv}' 0 2>&1)
samples=$(watch 10)
if gazectl status >/dev/null && [ "$samples" -gt 5 ] && ! echo "$stranger" | grep -q '^o '; then
  ok "with a list, gazectl watches, $samples valid samples, and others do not: $stranger"
else
  fail "with a list, gazectl has $samples valid samples, and another program: $stranger"
fi
printf '[clients]\npolicy = "list"\nallowed = ["busctl"]\n' >~/.config/gazed/config.toml
systemctl --user reload gazed
called() { busctl --user call org.gazed.Gaze1 /org/gazed/Gaze1 org.gazed.Gaze1.Manager CreateSession 'a{sv}' 0 >/dev/null 2>&1; }
until_true 5 called && ok "and those on it do" || fail "a program on the list is refused"
rm ~/.config/gazed/config.toml
systemctl --user reload gazed

before=$(show MainPID)
began=$(now_ms)
kill -9 "$before"
if until_true 10 another_process && until_true 10 property State >/dev/null; then
  ok "killed with -9, it is back after $(($(now_ms) - began)) ms: process $before, now $pid; restarts: $(show NRestarts)"
else
  fail "killed, it does not come back: $(show ActiveState)"
fi
samples=$(watch 10)
[ "$samples" -gt 5 ] && ok "and tracks again: $samples valid samples in 10 s" || fail "$samples valid samples after the kill"

before=$(show MainPID)
began=$(now_ms)
kill -STOP "$before"
if until_true 20 another_process && until_true 10 property State >/dev/null; then
  ok "stalled, the watchdog (4 s) restarts it after $(($(now_ms) - began)) ms: process $before, now $pid"
else
  fail "stalled, it is not restarted: $(show ActiveState)"
fi

# Tracking that stalls while the daemon goes on serving: a recording whose last picture becomes one that never ends.
gazectl synthesize ~/stalling --seconds 10 --source synthetic:width=320,height=240,fps=15 >/dev/null 2>&1
picture=$(ls ~/stalling/frames/* | tail -1)
cp "$picture" /tmp/picture
mkfifo ~/stalling/endless
from() { # source
  sed -i "s|^ExecStart=/.*|ExecStart=/usr/bin/gazed --source $1|" ~/.config/systemd/user/gazed.service.d/here.conf
  systemctl --user daemon-reload
  systemctl --user stop gazed
}
from "recording:$HOME/stalling"
timeout 60 gazectl watch --json >/tmp/stalling.log 2>&1 &
watcher=$!
until_true 20 grep -q '"valid"' /tmp/stalling.log || fail "the recording is not tracked: $(tail -1 /tmp/stalling.log)"
mv -f ~/stalling/endless "$picture"
before=$(show MainPID)
began=$(now_ms)
# The pictures before it take their ten seconds, on a slow machine more.
without_camera() { [ "$(property State)" = 's "no-camera"' ]; }
until_true 40 without_camera && serving=told || serving=silent
if until_true 40 another_process && until_true 10 property State >/dev/null && [ "$serving" = told ]; then
  ok "stalled in the middle of its pictures, which it tells, the watchdog restarts it after $(($(now_ms) - began)) ms: process $before, now $pid"
else
  fail "stalled in the middle of its pictures, it is not restarted, or does not tell: $(show ActiveState) $serving"
fi
said 'neither gives a frame' >/dev/null && ok "and it has said why: $(said 'neither gives a frame' | tail -1)" || fail "it does not say why"
kill $watcher 2>/dev/null
mv -f /tmp/picture "$picture"
samples=$(watch 4)
[ "$samples" -gt 5 ] && ok "the cause gone, it tracks: $samples valid samples" || fail "$samples valid samples after the stall"
from "$source"

gazectl watch --json >/tmp/stopping.log 2>&1 &
watcher=$!
until_true 10 grep -q '"valid"' /tmp/stopping.log || fail "it does not track before the stop"
began=$(now_ms)
systemctl --user stop gazed
took=$(($(now_ms) - began))
[ $took -lt 1000 ] && [ "$(show Result)" = success ] && ok "stopped while it tracks: clean, after $took ms" ||
  fail "stopped while it tracks: $(show Result) after $took ms"
kill $watcher 2>/dev/null

# The unit as it stands, with a probe in the daemon's place.
sed -e 's|^Type=.*|Type=oneshot|' -e '/^BusName=/d' -e '/^ExecReload=/d' -e '/^Restart/d' -e '/^WatchdogSec=/d' \
  -e 's|^ExecStart=.*|ExecStart=/probe.sh|' /usr/lib/systemd/user/gazed.service >~/.config/systemd/user/probe.service
[ -z "$kernel_log" ] || sed -i "s|^ProtectKernelLogs=.*|$kernel_log|" ~/.config/systemd/user/probe.service
systemctl --user daemon-reload
echo outside >/tmp/outside
systemctl --user start probe || true
journalctl --user -u probe -o cat | sed -n 's/^ok /ok    inside: /p; s/^FAIL /FAIL  inside: /p; s/^note /note  inside: /p' >/tmp/probed
cat /tmp/probed
grep -q '^ok    inside: the probe ended' /tmp/probed || fail "the probe did not get to its end: $(journalctl --user -u probe -o cat | tail -3)"
failures=$((failures + $(grep -c '^FAIL' /tmp/probed)))

sed -i 's|^ExecStart=.*|ExecStart=/probe.sh hog|' ~/.config/systemd/user/probe.service
systemctl --user daemon-reload
systemctl --user start probe 2>/dev/null
result=$(systemctl --user show -p Result --value probe)
case $result in
  oom-kill | signal) ok "inside: 700 MB are more than MemoryMax allows: $result" ;;
  *) grep -qw memory "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/cgroup.controllers" 2>/dev/null &&
    fail "MemoryMax does not hold: $result" || echo "note  MemoryMax cannot be tried: no memory controller is delegated here" ;;
esac
verified=$(systemd-analyze --user verify /usr/lib/systemd/user/gazed.service 2>&1) && [ -z "$verified" ] &&
  ok "systemd-analyze --user verify: clean" || fail "systemd-analyze --user verify: $verified"
rated=$(systemd-analyze security --offline=true --threshold=20 /usr/lib/systemd/user/gazed.service | tail -1) &&
  ok "systemd-analyze security: $rated" || fail "systemd-analyze security: $rated"

if [ $failures = 0 ]; then echo "VERDICT: every check passed"; else echo "VERDICT: $failures checks failed"; fi
