#!/usr/bin/env bash
# Everything that must hold before a change is taken: formatting, lints, tests, and the client library by itself.
set -euo pipefail
cd "$(dirname "$0")/.."
tests/setup.sh

cargo fmt --check
cargo clippy --locked --all-targets -- -D warnings
# A renderer that only wants the gaze builds the library without OpenCV, nets or cameras.
cargo clippy --locked --no-default-features --lib -- -D warnings
cargo test --locked
