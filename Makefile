# `make demo` and `make test` do all the set-up by themselves; the rest is cargo's.
.PHONY: demo test test-vm soak build install uninstall

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
DATADIR ?= $(PREFIX)/share
UNITDIR ?= $(PREFIX)/lib/systemd/user
CARGO_TARGET_DIR ?= target
RELEASE = $(CARGO_TARGET_DIR)/release

demo:
	@tests/demo.sh

test:
	@tests/check.sh

# Real V4L2 devices and every fault of a camera, in a virtual machine (Debian or Ubuntu, x86-64).
test-vm:
	@tests/vm/run.sh

# The daemon on a camera that never waits and keeps failing: FRAMES=1000000, of RING=5000 pictures rendered beforehand.
soak:
	@tests/soak.sh

build:
	cargo build --release --locked --bins

# Programs, units, man page and completions; DESTDIR for packages. `make build` first, as the user who has the toolchain.
install:
	@test -x $(RELEASE)/gazed || { echo "run \`make build\` first" >&2; exit 1; }
	install -D -m 755 -t $(DESTDIR)$(BINDIR) $(RELEASE)/gazed $(RELEASE)/gazectl
	install -d $(DESTDIR)$(UNITDIR) $(DESTDIR)$(DATADIR)/dbus-1/services $(DESTDIR)$(DATADIR)/man/man1
	install -d $(DESTDIR)$(DATADIR)/bash-completion/completions $(DESTDIR)$(DATADIR)/zsh/site-functions
	install -d $(DESTDIR)$(DATADIR)/fish/vendor_completions.d
	sed 's|@BINDIR@|$(BINDIR)|' systemd/gazed.service >$(DESTDIR)$(UNITDIR)/gazed.service
	sed 's|@BINDIR@|$(BINDIR)|' systemd/org.gazed.Gaze1.service >$(DESTDIR)$(DATADIR)/dbus-1/services/org.gazed.Gaze1.service
	install -D -m 644 systemd/gazed.example.toml $(DESTDIR)$(DATADIR)/doc/gazed/config.example.toml
	$(RELEASE)/gazectl man >$(DESTDIR)$(DATADIR)/man/man1/gazectl.1
	$(RELEASE)/gazectl man gazed >$(DESTDIR)$(DATADIR)/man/man1/gazed.1
	$(RELEASE)/gazectl completions bash >$(DESTDIR)$(DATADIR)/bash-completion/completions/gazectl
	$(RELEASE)/gazectl completions zsh >$(DESTDIR)$(DATADIR)/zsh/site-functions/_gazectl
	$(RELEASE)/gazectl completions fish >$(DESTDIR)$(DATADIR)/fish/vendor_completions.d/gazectl.fish

uninstall:
	rm -f $(addprefix $(DESTDIR)$(BINDIR)/,gazed gazectl) $(DESTDIR)$(UNITDIR)/gazed.service
	rm -f $(DESTDIR)$(DATADIR)/dbus-1/services/org.gazed.Gaze1.service $(DESTDIR)$(DATADIR)/man/man1/gazectl.1 $(DESTDIR)$(DATADIR)/man/man1/gazed.1
	rm -f $(DESTDIR)$(DATADIR)/bash-completion/completions/gazectl $(DESTDIR)$(DATADIR)/zsh/site-functions/_gazectl
	rm -f $(DESTDIR)$(DATADIR)/fish/vendor_completions.d/gazectl.fish
	rm -rf $(DESTDIR)$(DATADIR)/doc/gazed
