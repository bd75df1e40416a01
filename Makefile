# `make demo` and `make test` do all the set-up by themselves; the rest is cargo's.
.PHONY: demo test test-train test-vm test-pipewire test-package test-service soak build install uninstall deb

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
DATADIR ?= $(PREFIX)/share
UNITDIR ?= $(PREFIX)/lib/systemd/user
CARGO_TARGET_DIR ?= target
# `install -s` for programs without their symbols.
INSTALL_PROGRAM ?= install
# The one with models/train/requirements.txt.
PYTHON ?= python3
# dev for a build without optimisation, in tests.
PROFILE ?= release
# `pipewire`, for cameras behind it; needs its development files (Debian: libpipewire-0.3-dev, pkg-config).
FEATURES ?=
BUILT = $(CARGO_TARGET_DIR)/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))

demo:
	@tests/demo.sh

test:
	@tests/check.sh
	@$(MAKE) --no-print-directory test-train

# Of the code that trains the nets, where its requirements are installed: they are too large to be fetched for this alone.
test-train:
	@if $(PYTHON) -c "import albumentations, cv2, onnx, onnxruntime, torch" 2>/dev/null; then \
	  $(PYTHON) -W ignore -m unittest discover -s models/train/tests -t .; \
	else echo "test-train skipped: $(PYTHON) lacks models/train/requirements.txt"; fi

# Real V4L2 devices and every fault of a camera, in a virtual machine (Debian or Ubuntu, x86-64).
test-vm:
	@tests/vm/run.sh

# Cameras behind PipeWire, which the programs know where they are built with FEATURES=pipewire.
test-pipewire:
	@tests/pipewire.sh

# The Debian package, installed in a fresh Debian; and the unit in one that boots, with a user manager of its own.
test-package:
	@tests/package.sh

test-service:
	@tests/service/run.sh
	@tests/service/vm.sh

# The daemon on a camera that never waits and keeps failing: FRAMES=1000000, of RING=5000 pictures rendered beforehand.
soak:
	@tests/soak.sh

build:
	cargo build --profile $(PROFILE) --locked --bins $(addprefix --features ,$(FEATURES))

# Programs, units, man page and completions; DESTDIR for packages. `make build` first, as the user who has the toolchain.
install:
	@test -x $(BUILT)/gazed || { echo "run \`make build\` first" >&2; exit 1; }
	$(INSTALL_PROGRAM) -D -m 755 -t $(DESTDIR)$(BINDIR) $(BUILT)/gazed $(BUILT)/gazectl
	install -d $(DESTDIR)$(UNITDIR) $(DESTDIR)$(DATADIR)/dbus-1/services $(DESTDIR)$(DATADIR)/man/man1
	install -d $(DESTDIR)$(DATADIR)/bash-completion/completions $(DESTDIR)$(DATADIR)/zsh/site-functions
	install -d $(DESTDIR)$(DATADIR)/fish/vendor_completions.d
	sed 's|@BINDIR@|$(BINDIR)|' systemd/gazed.service >$(DESTDIR)$(UNITDIR)/gazed.service
	sed 's|@BINDIR@|$(BINDIR)|' systemd/org.gazed.Gaze1.service >$(DESTDIR)$(DATADIR)/dbus-1/services/org.gazed.Gaze1.service
	install -D -m 644 systemd/gazed.example.toml $(DESTDIR)$(DATADIR)/doc/gazed/config.example.toml
	install -m 644 LICENSE-MIT LICENSE-APACHE README.md $(DESTDIR)$(DATADIR)/doc/gazed
	install -m 644 models/LICENSE $(DESTDIR)$(DATADIR)/doc/gazed/LICENSE-weights
	$(BUILT)/gazectl man >$(DESTDIR)$(DATADIR)/man/man1/gazectl.1
	$(BUILT)/gazectl man gazed >$(DESTDIR)$(DATADIR)/man/man1/gazed.1
	$(BUILT)/gazectl completions bash >$(DESTDIR)$(DATADIR)/bash-completion/completions/gazectl
	$(BUILT)/gazectl completions zsh >$(DESTDIR)$(DATADIR)/zsh/site-functions/_gazectl
	$(BUILT)/gazectl completions fish >$(DESTDIR)$(DATADIR)/fish/vendor_completions.d/gazectl.fish

uninstall:
	rm -f $(addprefix $(DESTDIR)$(BINDIR)/,gazed gazectl) $(DESTDIR)$(UNITDIR)/gazed.service
	rm -f $(DESTDIR)$(DATADIR)/dbus-1/services/org.gazed.Gaze1.service $(DESTDIR)$(DATADIR)/man/man1/gazectl.1 $(DESTDIR)$(DATADIR)/man/man1/gazed.1
	rm -f $(DESTDIR)$(DATADIR)/bash-completion/completions/gazectl $(DESTDIR)$(DATADIR)/zsh/site-functions/_gazectl
	rm -f $(DESTDIR)$(DATADIR)/fish/vendor_completions.d/gazectl.fish
	rm -rf $(DESTDIR)$(DATADIR)/doc/gazed

# A Debian package of just what is installed; needs cargo-deb (`cargo install cargo-deb`).
deb: build
	rm -rf target/deb-root
	$(MAKE) install DESTDIR=target/deb-root PREFIX=/usr INSTALL_PROGRAM="install -s"
	cargo deb --no-build --locked
