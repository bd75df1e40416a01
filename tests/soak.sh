#!/usr/bin/env bash
# The daemon under load and faults (examples/soak): renders the pictures, then runs on a bus and a home folder of its own.
#
# FRAMES: how many frames are tracked (default 1000000). RING: how many pictures they are of (default 5000). SEED: chooses the
# faults. PROFILE: dev for a build without optimisation (default release). What was rendered is used again.
set -euo pipefail
cd "$(dirname "$0")/.."
frames=${FRAMES:-1000000} ring=${RING:-5000} seed=${SEED:-1} profile=${PROFILE:-release}
target=${CARGO_TARGET_DIR:-target}
programs=$target/$profile
[ "$profile" != dev ] || programs=$target/debug

cargo build --locked --profile "$profile" --bin gazectl --example soak
# Five people, so that the face that is tracked changes.
people=5 each=$(((ring + 4) / 5))
folders=()
began=$(date +%s)
for person in $(seq $people); do
  folder=$target/soak/$person-$each
  folders+=("$folder")
  [ ! -e "$folder/recording.toml" ] || continue
  rm -rf "$folder" "$folder.part"
  "$programs/gazectl" synthesize "$folder.part" --seconds "$(awk "BEGIN { print $each / 30 }")" --source "synthetic:seed=$person,fps=30"
  mv "$folder.part" "$folder"
done
echo "soak: $((people * each)) pictures, $(($(date +%s) - began)) s to render"

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
unset DISPLAY WAYLAND_DISPLAY
# As in the user unit: without it, glibc gives the threads of a camera that is opened again and again pools of their own, and
# it takes tens of thousands of frames until no pool is new.
export MALLOC_ARENA_MAX=2
HOME=$home XDG_CONFIG_HOME=$home/config XDG_DATA_HOME=$home/data XDG_STATE_HOME=$home/state \
  dbus-run-session -- "$programs/examples/soak" "${folders[@]}" --frames "$frames" --seed "$seed"
