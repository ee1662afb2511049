# Every target does its own set-up: clone, then `make prove` or `make test`.
# Stamp files in .venv make a second call quick.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

BIN := .venv/bin
# In CI a lock file that is not up to date is an error; while developing,
# cargo may write it.
LOCKED := $(if $(CI),--locked)
CARGO := cargo
MANIFEST := --manifest-path rust/Cargo.toml

# Whatever can change the compiled extension. The folders are listed too, so
# that a deleted file counts.
RUST_SOURCES := $(wildcard .cargo/config.toml) $(shell find rust \( -name target -o -name fuzz \) -prune -o \
    \( -type d -o -name '*.rs' -o -name '*.toml' -o -name '*.lock' \
    -o -name '*.S' -o -name '*.c' -o -name '*.h' \) -print 2>/dev/null)

PYTHON_SOURCES := $(shell find src \( -name __pycache__ -prune \) -o \
    \( -type d -o -name '*.py' -o -name '*.pyi' -o -name py.typed \) -print)

# cargo and maturin then agree on how PyO3 is built, and neither rebuilds
# what the other one built.
export PYO3_BUILD_EXTENSION_MODULE := 1
export PYO3_PYTHON := $(CURDIR)/.venv/bin/python

.PHONY: help
help:
	@sed -n 's/^## //p' Makefile

## make prove      show, live, what each attack reads from each kind of memory
.PHONY: prove
prove: .venv/.native
	$(BIN)/secretmem prove

## make residue    show what keys leave in memory, beside other libraries
.PHONY: residue
residue: dev
	$(BIN)/secretmem prove --residue

## make dev        build into .venv: .venv/bin/secretmem is then the command
.PHONY: dev
dev: .venv/.native .venv/.dev

.venv/.system: scripts/setup
	@scripts/setup system
	@scripts/setup venv
	@touch $@

.venv/.run: .venv/.system requirements/run.txt
	@scripts/setup pip run
	@touch $@

.venv/.dev: .venv/.run requirements/dev.txt
	@scripts/setup pip dev
	@touch $@

.venv/.docs: .venv/.dev requirements/docs.txt
	@scripts/setup pip docs
	@touch $@

.venv/.native: .venv/.run pyproject.toml $(RUST_SOURCES)
	VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/maturin develop --release $(LOCKED)
	@touch $@

# -- Tests ----------------------------------------------------------------

## make test       the whole test suite, on the tree and on the built wheel
.PHONY: test
test: test-rust test-python

## make test-rust  the core crate's own tests, with AddressSanitizer if it is
#                  there (69: this toolchain has none, and it said so)
.PHONY: test-rust
test-rust: .venv/.run
	$(CARGO) test $(MANIFEST) $(LOCKED) -p secretmem-core
	$(CARGO) test $(MANIFEST) $(LOCKED) -p secretmem-core --features fault
	scripts/asan || [ $$? = 69 ]

## make test-python [ARGS=...]    pytest, the wheel's installation included
.PHONY: test-python
test-python: dev fault-ext wheel .venv/.test-tools oldest
	$(BIN)/python -m pytest --wheel=$$(cat dist/newest) $(ARGS)

## make oldest     an environment with the oldest supported cryptography
.PHONY: oldest
oldest: build/oldest/.made

build/oldest/.made: .venv/.dev requirements/oldest.txt
	@scripts/setup oldest
	@touch $@

# Programs that tests use; without root, a test whose program is missing is
# skipped and names it.
.venv/.test-tools: .venv/.system
	@scripts/setup tools
	@scripts/setup lab
	@touch $@

## make fault-ext  a second extension whose system calls fail on order
#                  (PYTHONPATH=build/fault)
.PHONY: fault-ext
fault-ext: .venv/.run build/fault/.native
	@scripts/link_package build/fault

build/fault/.native: pyproject.toml $(RUST_SOURCES) | .venv/.run
	$(CARGO) build $(MANIFEST) $(LOCKED) --target-dir rust/target \
	    -p secretmem-native --features fault
	mkdir -p $(@D)
	cp rust/target/debug/lib_native.so $(@D)/_native.abi3.so
	@touch $@

## make coverage   branch coverage of the Python side
.PHONY: coverage
coverage: dev fault-ext .venv/.test-tools oldest
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

## make miri       the core's tests under Miri, with the fake kernel
.PHONY: miri
miri: .venv/.system
	scripts/miri

## make asan       the core's tests under AddressSanitizer
.PHONY: asan
asan: .venv/.system
	scripts/asan

## make aarch64    the core's tests as aarch64 code, under qemu-user
.PHONY: aarch64
aarch64: .venv/.system
	scripts/aarch64

# -- Checks without running ------------------------------------------------

## make lint       formats, lints, types, stubs, dependencies, docs
.PHONY: lint
lint: lint-python lint-rust lint-docs
	$(BIN)/python scripts/python_share.py

.PHONY: lint-python
lint-python: dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy $(wildcard src tests scripts bench lab docs/*.py)
	$(BIN)/python -m mypy.stubtest secretmem._native \
	    --allowlist scripts/stubtest-allowlist

.PHONY: lint-rust
lint-rust: .venv/.dev
	$(CARGO) fmt $(MANIFEST) --all --check
	$(CARGO) clippy $(MANIFEST) --locked --workspace --all-targets \
	    -- -D warnings
	$(CARGO) clippy $(MANIFEST) --locked --workspace --all-targets \
	    --features fault -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc $(MANIFEST) --locked \
	    --no-deps --document-private-items -p secretmem-core
	scripts/deny

## make advisories known weaknesses of the Rust dependencies; needs the network
.PHONY: advisories
advisories: .venv/.dev
	scripts/deny advisories

.PHONY: lint-docs
lint-docs: $(if $(wildcard docs/conf.py),docs)

## make docs       the documentation, in docs/_build/html
.PHONY: docs
docs: dev .venv/.docs
	$(BIN)/sphinx-build --quiet -n -W --keep-going docs docs/_build/html

# -- What is built -----------------------------------------------------------

## make wheel      the wheel that is published, in dist/
.PHONY: wheel
wheel: dist/newest

# Any Linux with memfd_secret(2) on by default has glibc 2.34 or newer; Rust
# links the threads and dlopen functions under that version's names.
# maturin checks the symbols as auditwheel does.
dist/newest: .venv/.run pyproject.toml README.md LICENSE-MIT LICENSE-APACHE \
    $(RUST_SOURCES) $(PYTHON_SOURCES)
	mkdir -p $(@D)
	rm -f dist/*.whl
	$(BIN)/maturin build --release $(LOCKED) --out dist \
	    --compatibility manylinux_2_34
	ls dist/*.whl > $@

## make sdist      the source distribution, in dist/
.PHONY: sdist
sdist: .venv/.run
	$(BIN)/maturin sdist --out dist

## make fuzz [INPUTS=200000] [SECONDS_EACH=60] [ARGS=...]    damaged input for
#                  every parser: through Python, then by libFuzzer (69: this
#                  toolchain cannot, and it said so)
INPUTS := 200000
SECONDS_EACH := 60
.PHONY: fuzz
fuzz: dev
	SECRETMEM_FUZZ_INPUTS=$(INPUTS) $(BIN)/python -m pytest \
	    -o faulthandler_timeout=7200 -rP tests/fuzz $(ARGS)
	scripts/fuzz $(SECONDS_EACH) || [ $$? = 69 ]

## make conformance [PROGRAMS=5000] [ARGS=...]    the system call's rules on
#                  this kernel, by long runs of random programs
PROGRAMS := 5000
.PHONY: conformance
conformance: dev
	SECRETMEM_CONFORMANCE_PROGRAMS=$(PROGRAMS) \
	    SECRETMEM_CONFORMANCE_SHRINK=1 \
	    $(BIN)/python -m pytest -o faulthandler_timeout=1800 \
	    tests/conformance $(ARGS)

## make bench      one table of figures, side by side with other ways
.PHONY: bench
bench: dev .venv/.bench-tools
	$(BIN)/python -m bench $(ARGS)
	$(BIN)/python -m bench.agents $(filter --quick,$(ARGS))
	$(BIN)/python -m bench.audits $(filter --quick,$(ARGS))
	$(BIN)/python -m bench.files $(filter --quick,$(ARGS))
	$(BIN)/python -m bench.sealed $(filter --quick,$(ARGS))

## make soak       a million mixed requests of 200 clients to the agent, and a
#                  look for residue at the end (ARGS="REQUESTS CLIENTS")
.PHONY: soak
soak: dev
	PYTHONPATH=tests $(BIN)/python -m agent.soak $(ARGS)

## make lab        the same attacks on real Debian kernels, under QEMU
.PHONY: lab
lab: dev .venv/.lab-tools
	$(BIN)/python -m lab $(ARGS)

.venv/.lab-tools: .venv/.system
	@scripts/setup lab
	@touch $@

.venv/.bench-tools: .venv/.dev requirements/bench.txt
	@scripts/setup bench
	@scripts/setup pip bench
	@touch $@

## make clean      delete what was built, .venv included
.PHONY: clean
clean:
	rm -rf .venv build dist docs/_build rust/target
