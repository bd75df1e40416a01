#!/usr/bin/env bash
# Shows gazed at work: builds it, starts it on the camera if there is one and else on the synthetic user, watches the gaze
# over D-Bus for twenty seconds, and leaves a picture of it in target/demo/gaze.png.
set -euo pipefail
cd "$(dirname "$0")/.."
demo=$PWD/target/demo
bin=$PWD/target/release
seconds=20

if [ "${1:-}" != --on-this-bus ]; then
  tests/setup.sh
  echo "Building gazed; the first time takes some minutes."
  cargo build --release --locked --bins
  # The desktop's own gazed, if it runs, is left alone: the demo then has a bus to itself, as it does without a desktop.
  if ! said=$("$bin/gazectl" status 2>&1) && [[ $said != *"no session bus"* ]]; then
    exec "$0" --on-this-bus
  fi
  exec dbus-run-session -- "$0" --on-this-bus
fi

mkdir -p "$demo"
# Calibrations made here are not the user's.
export XDG_DATA_HOME=$demo/data XDG_STATE_HOME=$demo/state XDG_CONFIG_HOME=$demo/config

if [ -n "$("$bin/gazectl" cameras --json)" ]; then
  source=camera
  echo "Starting gazed on the camera."
else
  source=synthetic:seed=7
  echo "There is no camera, so gazed is started on the synthetic user: a rendered person at a desk."
fi

"$bin/gazed" --source "$source" 2>"$demo/gazed.log" &
daemon=$!
trap 'kill "$daemon" 2>/dev/null; wait "$daemon" 2>/dev/null || true' EXIT
for _ in $(seq 100); do
  "$bin/gazectl" status >/dev/null 2>&1 && break
  if ! kill -0 "$daemon" 2>/dev/null; then
    cat "$demo/gazed.log" >&2
    echo "gazed did not start; what it says stands above" >&2
    exit 1
  fi
  sleep 0.1
done

if [ "$source" != camera ]; then
  echo "Calibrating: the synthetic user is asked to look at nine points and to turn its head."
  "$bin/gazectl" calibrate --yes --terminal --points 9 --profile demo || echo "Going on without a calibration."
elif [ -t 0 ] && [ -t 1 ]; then
  read -r -p "Calibrate first? It takes half a minute; without it the gaze is rough. [Y/n] " answer
  case $answer in
    '' | y* | Y*) "$bin/gazectl" calibrate --profile demo || echo "Going on without a calibration." ;;
  esac
fi

echo "Watching the gaze for $seconds seconds."
"$bin/gazectl" watch --json --seconds "$seconds" >"$demo/gaze.jsonl" &
recorder=$!
"$bin/gazectl" watch --seconds "$seconds"
wait "$recorder"
"$bin/gazectl" plot "$demo/gaze.jsonl" "$demo/gaze.png"
"$bin/gazectl" status
echo "The picture of it is target/demo/gaze.png."
