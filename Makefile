# Hopline. `make help` lists what can be made.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV ?= .venv
BIN := $(VENV)/bin
# Debian's own interpreter first: a version manager's shim must not decide what the server runs on.
PYTHON ?= $(firstword $(wildcard /usr/bin/python3) python3)
# -qq: only errors; a warning per package about a look-up elsewhere would hide them
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input -qq

.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---- preparing ------------------------------------------------------------------------------------------------------

.PHONY: install
install: $(VENV)/.installed ## prepare .venv with the server (no root)
	@echo "ready: make run, or $(BIN)/hopline --help"

.PHONY: dev
dev: $(VENV)/.installed-dev ## prepare .venv with the server and the development tools (no root)

$(VENV)/bin/python:
	@scripts/make-venv.sh "$(PYTHON)" "$(VENV)"

# Both stamps hang on the lock and on pyproject.toml (entry points): a changed lock is installed again, else nothing runs.
$(VENV)/.installed: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "installing the server from requirements.lock ..."
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	@echo "installing the development tools from requirements-dev.lock ..."
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

# ---- running --------------------------------------------------------------------------------------------------------

# A configuration in the usual place is served; without one the demonstration office opens, so that `make install` and
# `make run` on a bare machine show calls hopping at once.
CONFIG ?= $(firstword $(wildcard hopline.toml config/hopline.toml))

.PHONY: run
run: $(VENV)/.installed ## start the server, or the demonstration office without a configuration
	@exec $(BIN)/hopline $(if $(CONFIG),serve --config $(CONFIG),demo)

# ---- checking -------------------------------------------------------------------------------------------------------

.PHONY: check
check: dev ## types, lint, rooms and fast tests (no root, under 90 s)
	@$(BIN)/python scripts/suites.py check $(foreach suite,$(ONLY),--only $(suite))

.PHONY: test
test: dev ## prepare real neighbours and run every suite (ONLY="postgres browser" selects)
	@$(BIN)/python scripts/suites.py test $(foreach suite,$(ONLY),--only $(suite))

.PHONY: bench
bench: dev ## measure, print JSON (ROOM=name selects)
	@$(BIN)/python -m benchmarks $(ROOM)

.PHONY: format
format: dev ## order imports and format the code
	@$(BIN)/ruff check --quiet --select I --fix . && $(BIN)/ruff format --quiet .

# ---- packing --------------------------------------------------------------------------------------------------------

.PHONY: wheel
wheel: dev ## build the wheel into dist/
	@$(PIP) wheel --no-deps --no-build-isolation --wheel-dir dist .
	@ls dist/*.whl

# One resolution for all platforms. Index addresses are left out on purpose: the lock says what, the machine says where.
LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade) pyproject.toml

.PHONY: lock
lock: dev ## write both lock files anew (UPGRADE=1 takes newer versions)
	@$(LOCK) --extra postgres --extra uvloop --extra build -o requirements.lock
	@$(LOCK) --all-extras --constraint requirements.lock -o requirements-dev.lock

.PHONY: clean
clean: ## remove builds and caches
	@rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

.PHONY: distclean
distclean: clean ## remove .venv as well
	@rm -rf "$(VENV)"
