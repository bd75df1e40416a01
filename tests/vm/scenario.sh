# What happens in the virtual machine (busybox sh): gazed on cameras that fail in every way a camera can.
# Each check prints a line; the last line is the verdict.
began=$(cut -d. -f1 /proc/uptime)
failures=0
# How long frames may take to come again after a fault. Starting is no recovery, and may take longer.
patience=${PATIENCE_S:-15}
starting=$((patience * 4))
export HOME=/root XDG_RUNTIME_DIR=/run DBUS_SESSION_BUS_ADDRESS=unix:path=/run/bus
now() { cut -d. -f1 /proc/uptime; }
passed() { echo "[$(($(now) - began)) s] ok    $*"; }
failed() { echo "[$(($(now) - began)) s] FAIL  $*"; failures=$((failures + 1)); }
fault() { fault="$*"; echo "[$(($(now) - began)) s] FAULT $*"; }

property() {
  dbus-send --session --print-reply=literal --dest=org.gazed.Gaze1 /org/gazed/Gaze1 org.freedesktop.DBus.Properties.Get \
    string:org.gazed.Gaze1.Manager "string:$1" 2>/dev/null | sed 's/^ *variant *//'
}

# State must become $1 within $2 s; with a third argument, StateDetail must then contain it.
reaches() {
  deadline=$(($(now) + $2))
  while :; do
    state=$(property State)
    detail=$(property StateDetail)
    case $state in
      $1) case $detail in *"$3"*) return 0 ;; esac ;;
    esac
    [ "$(now)" -lt "$deadline" ] || break
    sleep 0.2
  done
  return 1
}
# The truth while the fault lasts.
tells() {
  if reaches "$1" "$patience" "$2"; then
    passed "$fault: State is '$state': $detail"
  else
    failed "$fault: State is '$state' ($detail), not '$1' with '$2'"
  fi
}
# Frames come for the first time.
begins() {
  if reaches "$1" $starting; then
    passed "$fault: State is '$state'"
  else
    failed "$fault: State is '$state' ($detail), not '$1'"
  fi
}
# Frames arrive again, soon after the cause has gone away, and nobody restarted anything.
recovers() {
  since=$(now)
  if reaches "$1" "$patience" "$2" && kill -0 "$daemon" 2>/dev/null; then
    passed "$fault: over, State is '$state' after $(($(now) - since)) s"
  else
    failed "$fault: State is '$state' ($detail), not '$1', $patience s after its end"
  fi
}

start() { # source, and a configuration's text
  printf '%s\n' "${2:-}" >/tmp/config.toml
  RUST_LOG=info,gazed::capture=debug gazed --source "$1" --config /tmp/config.toml 2>>/host/gazed.log &
  daemon=$!
  reaches idle $starting || failed "gazed does not start on $1"
}
# Asks for gaze until `unsubscribe`.
subscribe() {
  gazectl watch --json >/tmp/samples 2>/tmp/watch.log &
  watcher=$!
}
# Neither a descriptor of a camera nor a mapping of its frames is left in the daemon.
lets_go() { # when
  held=$(ls -l "/proc/$daemon/fd" | grep /dev/video; grep /dev/video "/proc/$daemon/maps")
  [ -z "$held" ] || failed "$1 the camera is held: $held"
}
unsubscribe() {
  kill "$watcher" 2>/dev/null
  wait "$watcher" 2>/dev/null
  reaches idle "$patience" || failed "the camera stays open without a client: $state"
  lets_go "without a client"
}
stop() {
  kill "$daemon"
  wait "$daemon" && passed "gazed ended cleanly" || failed "gazed ended with $?"
}
feed() { # further arguments of vm-feed
  echo normal >/tmp/mode
  vm-feed /dev/video5 /host/face/frames /tmp/mode "$@" >/dev/null 2>>/host/feed.log &
  feeder=$!
}
end_feed() {
  echo stop >/tmp/mode
  wait "$feeder" 2>/dev/null
}
control() { v4l2-ctl -d /dev/video0 -c "$1" || failed "v4l2-ctl cannot set $1"; }

: >/host/gazed.log
: >/host/feed.log
modprobe vivid n_devs=2 node_types=0x1,0x1 num_inputs=1,1 input_types=0,0 vid_cap_nr=0,1
modprobe v4l2loopback devices=1 video_nr=5 exclusive_caps=1 card_label=camfeed max_buffers=8
dbus-daemon --session --fork --address="$DBUS_SESSION_BUS_ADDRESS" >/dev/null

echo "--- cameras"
gazectl cameras

echo "--- no camera of the name that was asked for"
start camera:nowhere
subscribe
fault "the named camera is not there"
tells no-camera "no camera is called \`nowhere\`"
unsubscribe
stop

for format in YUYV NV12; do
  echo "--- vivid, $format"
  fault "none ($format)"
  start camera:platform:vivid-000 "[camera]
pixel_format = '$format'"
  subscribe
  begins lost
  grep -q "camera streams.*format=$format" /host/gazed.log && passed "$format is what the camera sends" ||
    failed "the camera does not send $format"
  unsubscribe
  stop
done

echo "--- faults of a device: vivid"
start camera:platform:vivid-000
subscribe
fault "none"
begins lost

fault "unplugged while tracking, and replugged"
echo vivid.0 >/sys/bus/platform/drivers/vivid/unbind
tells no-camera "plug"
echo vivid.0 >/sys/bus/platform/drivers/vivid/bind
recovers lost

fault "stalled: no frames, no error"
control percentage_of_dropped_buffers=100
tells no-camera "stopped sending pictures"
control percentage_of_dropped_buffers=0
recovers lost

fault "fatal streaming error"
: >/tmp/states
before=$(grep -c 'the camera failed' /host/gazed.log)
control inject_fatal_streaming_error=1
sleep 2
[ "$(grep -c 'the camera failed' /host/gazed.log)" -gt "$before" ] && passed "$fault: $(grep 'the camera failed' /host/gazed.log | tail -1 | sed 's/.*error=//')" ||
  failed "$fault: it was not noticed"
recovers lost

fault "frames that the driver calls damaged"
for i in 1 2 3 4 5; do control inject_v4l2_buf_flag_error=1; done
recovers lost

fault "paused by the user, and resumed"
grep -q /dev/video "/proc/$daemon/maps" || failed "$fault: no frames are mapped while they come"
gazectl pause >/dev/null
tells paused "by the user"
sleep 1
lets_go "while paused"
gazectl resume >/dev/null
recovers lost

fault "time stamps that wrap around in the future"
control wrap_timestamp=1
sleep 3
recovers lost
control wrap_timestamp=0
unsubscribe

fault "busy at start, and freed later"
v4l2-ctl -d /dev/video0 --stream-mmap --stream-to=/dev/null >/dev/null 2>&1 &
user=$!
sleep 1
subscribe
tells no-camera "being used by v4l2-ctl (process $user)"
kill $user
recovers lost
unsubscribe

fault "left at a fractional frame rate"
v4l2-ctl -d /dev/video0 --set-fmt-video=width=640,height=480,pixelformat=YUYV --set-parm=12.5 >/dev/null
rate=$(v4l2-ctl -d /dev/video0 --get-parm | sed -n 's/.*second: \([0-9.]*\).*/\1/p')
[ "$rate" = 12.500 ] && passed "$fault: it stands at $rate" || failed "$fault: it stands at '$rate'"
subscribe
recovers lost
rate=$(v4l2-ctl -d /dev/video0 --get-parm | sed -n 's/.*second: \([0-9.]*\).*/\1/p')
[ "$rate" = 25.000 ] && passed "$fault: set to $rate" || failed "$fault: still at '$rate'"
unsubscribe
stop

echo "--- two cameras, the used one vanishes"
feed
start camera
subscribe
fault "the used camera vanishes, another one is there"
begins lost
name=$(property CameraName)
echo vivid.0 >/sys/bus/platform/drivers/vivid/unbind
recovers tracking
passed "$fault: $name gave way to $(property CameraName)"
echo vivid.0 >/sys/bus/platform/drivers/vivid/bind
unsubscribe
stop
end_feed

echo "--- faults of the pictures: MJPEG through the loopback device"
feed
start camera:camfeed
subscribe
fault "none (MJPEG of the synthetic user)"
begins tracking
valid() { grep -c '"valid"' /tmp/samples; }
# Emulated, one frame takes a second or more.
gaze_comes() {
  count=$(valid)
  since=$(now)
  until [ "$(valid)" -ge $((count + 3)) ]; do
    [ "$(now)" -lt $((since + starting)) ] || return 1
    sleep 0.2
  done
  seconds=$(($(now) - since))
}
gaze_comes && passed "gaze from MJPEG frames that came through /dev/video5: 3 valid samples in $seconds s" ||
  failed "no valid gaze comes from MJPEG frames"
grep '"valid"' /tmp/samples | tail -1

for spoilt in corrupt truncated wrong-size; do
  fault "$spoilt JPEG"
  echo $spoilt >/tmp/mode
  tells no-camera "is unusable"
  echo normal >/tmp/mode
  recovers tracking
done
for spoilt in zero-stamp future-stamp; do
  fault "$spoilt"
  echo $spoilt >/tmp/mode
  gaze_comes && passed "$fault: gaze goes on" || failed "$fault: no gaze any more"
  newest=$(tail -1 /tmp/samples | sed 's/.*"captured_ns":\([0-9]*\).*/\1/')
  [ "$((newest / 1000000000))" -le "$(now)" ] && [ "$((newest / 1000000000))" -ge "$(($(now) - 15))" ] &&
    passed "$fault: stamped on arrival instead" || failed "$fault: captured_ns $newest at $(now) s"
  echo normal >/tmp/mode
  recovers tracking
done
fault "stalled loopback"
echo pause >/tmp/mode
tells no-camera "stopped sending pictures"
echo normal >/tmp/mode
recovers tracking

fault "only odd formats"
end_feed
sleep 2
feed odd
tells error "no format that gazed can read"
end_feed
sleep 2
feed
recovers tracking
unsubscribe
stop
end_feed

grep -E "panicked| ERROR " /host/gazed.log && failed "the daemon's log has a panic or an error" || passed "no panic in the daemon's log"
if [ $failures = 0 ]; then
  echo "VERDICT: every check passed"
else
  echo "VERDICT: $failures checks failed"
fi
