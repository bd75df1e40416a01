#!/bin/sh
# In the daemon's place and under its unit's sandbox: tries what the daemon must not be able to do.
if [ "${1:-}" = hog ]; then
  exec perl -e 'my $much = "a" x 700_000_000; print length $much, "\n"'
fi
ok() { echo "ok $*"; }
fail() { echo "FAIL $*"; }
refused() { # what, command...
  what=$1
  shift
  if said=$("$@" 2>&1); then fail "$what: it worked"; else ok "$what: $(echo "$said" | tail -1 | cut -c1-120)"; fi
}
works() {
  what=$1
  shift
  if said=$("$@" 2>&1); then ok "$what"; else fail "$what: $said"; fi
}
network() { perl -MSocket -e 'socket(my $s, $ARGV[0], SOCK_DGRAM, 0) or die "$!\n"' "$1"; }
refused "writing to \$HOME" sh -c 'echo x >"$HOME/probe"'
refused "writing to the configuration" sh -c 'echo x >"$HOME/.config/gazed/probe"'
refused "writing to /usr" sh -c 'echo x >/usr/probe'
works "writing to its own folders" sh -c 'echo x >"$HOME/.local/share/gazed/probe" && echo x >"$HOME/.local/state/gazed/probe" && rm "$HOME"/.local/*/gazed/probe'
refused "seeing the real /tmp" test -e /tmp/outside
works "writing to a /tmp of its own" sh -c 'echo x >/tmp/probe'
refused "an IPv4 socket" network 2
refused "an IPv6 socket" network 10
refused "a packet socket" network 17
works "a Unix socket" network 1
refused "running memory that was written" perl -e 'my $p = syscall(9, 0, 4096, 7, 0x22, -1, 0); die "mmap: $!\n" if $p == -1'
refused "a new user namespace" unshare --user true
works "reading what others were called" grep -q . /proc/1/cmdline
ok "the probe ended"
