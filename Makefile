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
RUST_SOURCES := $(shell find rust \( -name target -o -name fuzz \) -prune -o \
    \( -type d -o -name '*.rs' -o -name '*.toml' -o -name '*.lock' \
    -o -name '*.S' -o -name '*.c' -o -name '*.h' \) -print 2>/dev/null)

.PHONY: help
help:
	@sed -n 's/^## //p' Makefile

## make prove      show, live, what each attack reads from each kind of memory
.PHONY: prove
prove: .venv/.native
	$(BIN)/secretmem prove

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
