#!/usr/bin/env bash
# Finds out what building and testing gazed still needs here, and installs it: saying what, and asking first where a
# person is at the terminal.
set -euo pipefail

# What is probed for is what the build uses, not the names of packages: those differ between releases.
found() {
  case $1 in
    cc) command -v cc ;;
    clang) command -v clang ;;
    libclang) compgen -G "${LIBCLANG_PATH:-/nonexistent}/libclang*.so*" || compgen -G '/usr/lib*/libclang*.so' ||
      compgen -G '/usr/lib/llvm*/lib/libclang*.so*' || compgen -G '/usr/lib*/llvm*/lib*/libclang*.so*' ||
      compgen -G '/usr/lib/*-linux-gnu*/libclang*.so*' ;;
    # Where the environment says where OpenCV is, it is believed.
    opencv) [ -n "${OPENCV_INCLUDE_PATHS:-}" ] || compgen -G '/usr/include/opencv4/opencv2/imgproc.hpp' ||
      compgen -G '/usr/local/include/opencv4/opencv2/imgproc.hpp' ;;
    kernel-headers) compgen -G '/usr/include/linux/videodev2.h' ;;
    dbus) command -v dbus-run-session && command -v dbus-daemon ;;
  esac >/dev/null
}

debian_cc="gcc libc6-dev" fedora_cc="gcc" arch_cc="gcc"
debian_clang="clang" fedora_clang="clang" arch_clang="clang"
debian_libclang="libclang-dev" fedora_libclang="clang-devel" arch_libclang="clang"
debian_opencv="libopencv-core-dev libopencv-imgproc-dev" fedora_opencv="opencv-devel" arch_opencv="opencv"
debian_kernel_headers="linux-libc-dev" fedora_kernel_headers="kernel-headers" arch_kernel_headers="linux-api-headers"
debian_dbus="dbus" fedora_dbus="dbus-daemon" arch_dbus="dbus"

packages_of() { # family: the packages for everything in $missing
  local what name
  for what in "${missing[@]}"; do
    name="$1_${what//-/_}"
    echo "${!name}"
  done | xargs
}

look() {
  missing=()
  for what in cc clang libclang opencv kernel-headers dbus; do
    found "$what" || missing+=("$what")
  done
}

give_up() {
  cat >&2 <<END
gazed: $1
What is missing (${missing[*]}) comes with these packages:
  Debian, Ubuntu:  sudo apt-get install $(packages_of debian)
  Fedora:          sudo dnf install $(packages_of fedora)
  Arch Linux:      sudo pacman -S --needed $(packages_of arch)
END
  exit 1
}

if ! command -v cargo >/dev/null; then
  echo "gazed: there is no Rust toolchain (cargo); https://rustup.rs has it for every distribution" >&2
  exit 1
fi

look
[ ${#missing[@]} -gt 0 ] || exit 0

command -v apt-get >/dev/null || give_up "this system has no apt-get, so nothing was installed."
packages=$(packages_of debian)
as_root=()
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || give_up "installing packages needs root, and there is no sudo."
  as_root=(sudo)
fi
echo "gazed needs these packages: $packages"
if [ -t 0 ] && [ -z "${CI:-}" ]; then
  read -r -p "Install them now with apt-get? [Y/n] " answer
  case $answer in
    '' | y* | Y*) ;;
    *) give_up "nothing was installed." ;;
  esac
elif [ ${#as_root[@]} -gt 0 ]; then
  # Without a terminal nobody can type a password.
  as_root=(sudo -n)
fi
# shellcheck disable=SC2086 # a list of words
if ! { "${as_root[@]}" apt-get update -q &&
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $packages; }; then
  give_up "apt-get could not install them; what it says stands above."
fi
look
[ ${#missing[@]} = 0 ] || give_up "the packages are installed, and still something was not found."
