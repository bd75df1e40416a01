# `make demo` and `make test` do all the set-up by themselves; the rest is cargo's.
.PHONY: demo test test-vm

demo:
	@tests/demo.sh

test:
	@tests/check.sh

# Real V4L2 devices and every fault of a camera, in a virtual machine (Debian or Ubuntu, x86-64).
test-vm:
	@tests/vm/run.sh
