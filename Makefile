# Every command sets up what it needs, on a machine that has python3 (3.11 or newer) with venv,
# git and make: no root, nothing installed before, an empty or unwritable home, any locale.
#
#   PYTHON    the interpreter that .venv is made from
#   WORKERS   how many processes run tests
#   ARGS      handed on to the demo, to pytest or to the benchmark

PYTHON ?= python3
WORKERS ?= 2
ARGS ?=

.DEFAULT_GOAL := help
.NOTPARALLEL:
.SUFFIXES:
unexport PYTHONHOME PYTHONPATH PIP_PREFIX PIP_TARGET

BIN := .venv/bin
# PIP_CONSTRAINT pins the build backend's own environment for pip before 25.3,
# PIP_BUILD_CONSTRAINT since. Both are relative: a list in the environment splits at spaces.
PIP_INSTALL := PIP_USER=0 PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt \
	PYTHONUTF8=1 $(BIN)/python -m pip install --quiet --no-input --no-cache-dir \
	--disable-pip-version-check --constraint constraints.txt
PYTEST := $(BIN)/python -m pytest

# A .venv works only where it was made: the checkout may have moved, the interpreter may be gone.
VENV_FITS := $(shell [ "$$(cat .venv/.made 2>/dev/null)" = "$$(pwd -P)" ] \
	&& $(BIN)/python -c '' 2>/dev/null && echo yes)

.PHONY: help
help: ## list the commands
	@echo "make COMMAND [ARGS=...]"
	@sed -n 's/^\([a-z-]*\):.*## /  \1	/p' Makefile | expand -t 18

.PHONY: demo
demo: .venv/.run ## watch agents race, crash and oversleep in a scratch repository
	@$(BIN)/handrail demo $(ARGS)

.PHONY: test
test: .venv/.dev ## run the tests; ARGS go to pytest, WORKERS=2 processes
	@$(PYTEST) -n $(WORKERS) $(ARGS)

.PHONY: check
# `test` runs all of tests/, and with it the second half of `layers` and `docs`: nothing runs twice.
check: format-check lint types imports test ## format, lint, types, layers, docs, tests

.PHONY: format
format: .venv/.dev ## rewrite the code in the one format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix-only --quiet .

.PHONY: format-check
format-check: .venv/.dev
	@echo "format"
	@$(BIN)/ruff format --check .

.PHONY: lint
lint: .venv/.dev ## ruff's rules
	@echo "lint"
	@$(BIN)/ruff check .

.PHONY: types
types: .venv/.dev ## mypy, strict
	@echo "types"
	@$(BIN)/mypy src tests tools $(wildcard bench)

.PHONY: imports
imports: .venv/.dev
	@echo "layers"
	@$(BIN)/lint-imports --no-logo

.PHONY: layers
layers: imports ## who may import whom, and what each layer must not do
	@$(PYTEST) tests/architecture $(ARGS)

.PHONY: docs
docs: .venv/.dev ## every command, code and setting is documented; every link leads somewhere
	@$(PYTEST) tests/docs $(ARGS)

.PHONY: bench
bench: .venv/.dev ## measure, each number beside its floor
	@$(BIN)/python -m bench $(ARGS)

.PHONY: nightly
nightly: .venv/.dev ## the long tests, with many more examples
	@HYPOTHESIS_PROFILE=nightly $(PYTEST) -n $(WORKERS) -m nightly $(ARGS)

.PHONY: constraints
constraints: .venv/.made ## resolve all dependencies anew and pin them in constraints.txt
	@$(BIN)/python tools/constraints.py

.PHONY: clean
clean: ## remove .venv, caches and build outputs
	rm -rf .venv build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find src tests bench tools -type d -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

# ------------------------------------------------------------------------------------------------
# Three stamps: the environment; with what Handrail needs; with what its developers need.

.PHONY: FORCE
FORCE:

.venv/.made: $(if $(VENV_FITS),,FORCE)
	@if [ -e .venv ] && [ ! -f .venv/pyvenv.cfg ] && [ -n "$$(ls -A .venv)" ]; then \
		echo "make: .venv is here and is no virtual environment; move it away first." >&2; \
		exit 1; \
	fi; \
	chosen=; \
	for candidate in "$(PYTHON)" python3.13 python3.12 python3.11; do \
		if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			chosen=$$candidate; \
			break; \
		fi; \
	done; \
	if [ -z "$$chosen" ]; then \
		echo "make: Handrail needs Python 3.11 or newer, and '$(PYTHON)' is none;" \
			"name one: make PYTHON=/path/to/python3" >&2; \
		exit 1; \
	fi; \
	echo "Making .venv with $$("$$chosen" --version) (once, a few seconds) ..." >&2; \
	if ! "$$chosen" -m venv --clear .venv; then \
		rm -rf .venv; \
		echo "make: '$$chosen -m venv' failed; on Debian and Ubuntu it needs the package" \
			"python3-venv." >&2; \
		exit 1; \
	fi; \
	pwd -P > .venv/.made

.venv/.run: .venv/.made pyproject.toml constraints.txt
	@echo "Installing Handrail and what it needs into .venv (once, some ten seconds) ..." >&2
	@$(PIP_INSTALL) --editable .
	@touch $@

.venv/.dev: .venv/.made pyproject.toml constraints.txt
	@echo "Installing Handrail and the tools of its developers into .venv (once, up to a minute) ..." >&2
	@$(PIP_INSTALL) --editable '.[dev]'
	@touch .venv/.run $@
