# Each target sets up what it needs; none needs another first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NODE_MODULES := tests/node_modules/.package-lock.json
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help run test test-all fuzz torture bench bench-page lint vendor settings icons clean

help: ## Show what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

run: $(VENV)/.run ## Serve the chat on 127.0.0.1:3000 (CHATAPP_BIND)
	@exec $(BIN)/chatapp

test: $(VENV)/.test $(NODE_MODULES) ## Run all tests, servers and browser included (ARGS="-k name")
	@tests/need.sh chromium chromium-headless-shell nginx node npm redis-server strace
	@node --test --test-reporter=dot tests/js/*.test.mjs
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal $(ARGS)

test-all: ## Run the tests that need no server on each Python installed of 3.11 to 3.13
	@PYTHON=$(PYTHON) tests/all-pythons.sh

fuzz: $(VENV)/.test ## Fuzz the transport under each kind of server (ARGS="--seconds 1200")
	@PYTHONPATH=tests $(BIN)/python -m support.chaos.fuzz $(ARGS)

torture: $(VENV)/.test ## Kill a server under load, 200 times, cut its disk's power, break a cluster (ARGS="--rounds 20 --cuts 10 --faults 1")
	@tests/need.sh redis-server strace
	@PYTHONPATH=tests $(BIN)/python -m support.chaos.torture $(ARGS)

bench: $(VENV)/.test ## Measure beside Node, Bun and stock Flask-SocketIO (ARGS="--loads crowd --rounds 1")
	@tests/need.sh node npm redis-server
	@$(BIN)/python -m bench $(ARGS)

lint: $(VENV)/.lint $(NODE_MODULES) ## Check style and types
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@tests/node_modules/.bin/eslint -c eslint.config.mjs .

vendor: $(VENV)/.vendor ## Fetch again what comes from others: the socket.io client, the look-alikes
	@$(BIN)/python tools/vendor.py

settings: $(VENV)/.test ## Write the table of settings in docs/operating.md again
	@$(BIN)/python tools/settings_table.py

icons: $(VENV)/.test ## Draw the page's icons again
	@tests/need.sh chromium
	@$(BIN)/python tools/icons.py

clean: ## Remove what the targets above made
	@rm -rf .venv .venv-* tests/node_modules bench/node_modules build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

bench-page: $(VENV)/.test ## Measure the page: its first load, its first message, a long log
	@tests/need.sh chromium
	@$(BIN)/python -m bench.page

$(NODE_MODULES): tests/package.json
	@tests/need.sh node npm
	@npm install --prefix tests --no-audit --no-fund --silent && touch $@

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo "Python 3.11 or later is needed as '$(PYTHON)'; install it, or say make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) >/dev/null || { echo "Python's venv module is missing; install it (Debian: apt install python3-venv)" >&2; rm -rf $(VENV); exit 1; }

$(VENV)/.run: $(BIN)/pip setup.cfg pyproject.toml
	@$(BIN)/python -m pip install --quiet --editable . && touch $@

$(VENV)/.%: $(BIN)/pip setup.cfg pyproject.toml
	@$(BIN)/python -m pip install --quiet --editable '.[$*]' && touch $@ $(VENV)/.run
