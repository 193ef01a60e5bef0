# gapless: `make run` starts a server, `make test` tests everything, `make help` lists the rest.
#
#   PYTHON=python3.12   another Python to make the environment with
#   VENV=/some/venv     another environment; several checkouts may share one
#   JOBS=0              tests one after the other, in one process; without it, as many side by side as there are cores
#   PORT=6380           another port for `make run`; ARGS="--maxmemory 1gb" more options for it

PYTHON ?= python3
VENV ?= .venv
PORT ?= 6379
ARGS ?=
JOBS ?= $(shell nproc)

BIN := $(abspath $(VENV))/bin
export PATH := $(BIN):$(PATH)
# What is tested and run is what has been installed, never what the caller's environment adds.
unexport PYTHONPATH
unexport PYTHONHOME
export PIP_DISABLE_PIP_VERSION_CHECK := 1

STAMPS := $(VENV)/.gapless
SOURCES := meson.build meson.options $(shell find src -name __pycache__ -prune -o -print)

PYTEST := $(BIN)/python -m pytest --numprocesses=$(JOBS) --dist=worksteal
CORE_TESTS ?= tests/engine

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test build dev debug check unit differential smoke fuzz crashloop soak asan asan-build bench clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | while IFS="$$(printf '\t')" read -r name what; do \
	    printf '  make %-12s %s\n' "$$name" "$$what"; done

run: build ## build, and start a server on 127.0.0.1:6379
	@exec $(BIN)/gapless serve --bind 127.0.0.1 --port $(PORT) $(ARGS)

build: $(STAMPS)/installed ## make .venv, build the release and install it there

test: ## build, then lint, types, tests, a short fuzz, and the engine's tests under AddressSanitizer
	@$(MAKE) --no-print-directory MACHINE_FLAGS=--install build $(STAMPS)/dev
	@sh tools/install-peers.sh
	@$(MAKE) --no-print-directory --keep-going --jobs=1 check unit smoke asan

check: $(STAMPS)/dev ## ruff, mypy --strict, cython-lint
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/cython-lint src

unit: build $(STAMPS)/dev ## the tests, on the installed release; the comparison with a real Redis is one of them
	$(PYTEST) $(ARGS)

differential: build $(STAMPS)/dev ## the comparison with a real Redis alone
	$(PYTEST) tests/differential $(ARGS)

smoke: build $(STAMPS)/dev ## every fuzzer for some seconds
	$(BIN)/python -m tests.fuzz smoke

fuzz: build $(STAMPS)/dev ## every fuzzer for ten minutes
	$(BIN)/python -m tests.fuzz long $(ARGS)

crashloop: build $(STAMPS)/dev ## kill a server under load, start it again, compare: 10,000 rounds
	$(BIN)/python -m tests.crash $(ARGS)

soak: build $(STAMPS)/dev ## the generated tests with a hundred times as many examples
	HYPOTHESIS_PROFILE=soak $(PYTEST) --timeout=0 $(ARGS)

asan: asan-build ## the engine's tests under AddressSanitizer and UndefinedBehaviorSanitizer
	tools/asan-run $(PYTEST) $(CORE_TESTS) $(ARGS)

asan-build: $(STAMPS)/dev
	$(BIN)/python tools/develop.py asan

debug: $(STAMPS)/dev ## the tests on a debug build, which audits the store while it works
	$(BIN)/python tools/develop.py debug
	PYTHONPATH=$(CURDIR)/build/debug-site $(PYTEST) $(ARGS)

dev: $(STAMPS)/dev ## build in place; prints the PYTHONPATH that imports it
	@$(BIN)/python tools/develop.py release

bench: build $(STAMPS)/bench ## measure against Redis and the embedded caches
	$(BIN)/python -m bench $(ARGS)

clean: ## remove the environment and everything built
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(STAMPS)/venv:
	@sh tools/check-machine.sh $(PYTHON) $(MACHINE_FLAGS)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS) && touch $@

# What builds it, once, so that later builds are incremental in one directory (no isolated environment each time).
$(STAMPS)/build: pyproject.toml $(STAMPS)/venv
	@echo "Installing what builds and runs gapless into $(VENV)"
	@$(BIN)/python tools/requirements.py build run lab > $(STAMPS)/build.txt
	@$(BIN)/python -m pip install --quiet --requirement $(STAMPS)/build.txt
	@touch $@

$(STAMPS)/dev $(STAMPS)/bench: $(STAMPS)/%: $(STAMPS)/build
	@echo "Installing the $* dependencies into $(VENV)"
	@$(BIN)/python tools/requirements.py build run $* > $(STAMPS)/$*.txt
	@$(BIN)/python -m pip install --quiet --requirement $(STAMPS)/$*.txt
	@touch $@

$(STAMPS)/installed: $(STAMPS)/build $(SOURCES)
	@echo "Building gapless (the first time takes a minute or two)"
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation \
	    --config-settings=build-dir=build/wheel .
	@touch $@
