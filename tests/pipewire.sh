#!/usr/bin/env bash
# Cameras behind PipeWire and the camera portal (the Cargo feature `pipewire`): builds gazed with it and tracks the synthetic
# user from a camera of a private PipeWire. Needs Debian or Ubuntu; installs what is missing.
#
#   tests/pipewire.sh [--if-can]    with --if-can exit 0 with a note where this machine cannot
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/if-can.sh test-pipewire "$@"

missing=()
command -v pipewire >/dev/null || missing+=(pipewire)
command -v wireplumber >/dev/null || missing+=(wireplumber)
command -v pkg-config >/dev/null || missing+=(pkg-config)
pkg-config --exists libpipewire-0.3 2>/dev/null || missing+=(libpipewire-0.3-dev)
if [ ${#missing[@]} -gt 0 ]; then
  command -v apt-get >/dev/null || cannot "no apt-get; what is missing: ${missing[*]}"
  root=()
  [ "$(id -u)" = 0 ] || root=(sudo -n)
  echo "test-pipewire needs these packages: ${missing[*]}"
  { "${root[@]}" apt-get update -q && "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -q -y --no-install-recommends "${missing[@]}"; } || cannot "the packages cannot be installed"
fi
cargo clippy --locked --all-targets --features pipewire -- -D warnings
cargo test --locked --features pipewire --lib --test it pipewire
