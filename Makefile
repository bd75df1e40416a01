# `make demo` and `make test` do all the set-up by themselves; the rest is cargo's.
.PHONY: demo test

demo:
	@tests/demo.sh

test:
	@tests/check.sh
