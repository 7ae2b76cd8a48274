# One word for each thing a person does here. A bare machine needs make, git, python3.11 with venv, and node with npm
# (for Anvil and the Solidity compiler); all else is installed below this directory, or in perpkit's cache.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash

PYTHON ?= $(shell command -v python3.11 || command -v python3)
JOBS ?= 2

# For `make demo`.
PRICES ?=
ACCOUNTS ?= 60
SEED ?= 7
BACKEND ?= anvil
REPORT ?= report

# Where people work, on web3 8; and where ape lives, which needs web3 7 and much else that is old.
MAIN := .venv
APE := .venv-ape
MAIN_READY := $(MAIN)/.ready
APE_READY := $(APE)/.ready
TOOLS_READY := node_modules/.ready
RESULTS := .build/tests
PIP_FLAGS := --quiet --disable-pip-version-check --no-input

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1	\2/' | expand -t 20

.PHONY: setup
setup: $(MAIN_READY) $(TOOLS_READY) ## install what work here needs; nothing the second time

.PHONY: demo
demo: $(MAIN_READY) ## replay a crash on Anvil: three markets, 60 accounts; PRICES=DIR takes your CSVs
	@scripts/demo $(MAIN)/bin/perpkit "$(PRICES)" \
		--accounts $(ACCOUNTS) --seed $(SEED) --backend $(BACKEND) --report "$(REPORT)"

.PHONY: test
test: test-main test-ape ## every test: the whole suite on web3 8, then clients and ape on web3 7
	@$(MAIN)/bin/python scripts/tally.py $(RESULTS)

.PHONY: test-main
test-main: setup ## the whole suite on web3 8
	@rm -f $(RESULTS)/main.xml
	$(MAIN)/bin/python -m pytest -n $(JOBS) --dist loadfile --max-worker-restart=0 --junitxml=$(RESULTS)/main.xml

.PHONY: test-ape
test-ape: $(APE_READY) $(TOOLS_READY) ## what ape users meet: clients on web3 7, tests and deployment by ape
	@rm -f $(RESULTS)/ape.xml $(RESULTS)/web3-7.xml
	$(APE)/bin/ape run deploy --network ethereum:local:foundry
	$(APE)/bin/ape test tests/ape --junitxml=$(RESULTS)/ape.xml
	$(APE)/bin/python -m pytest tests/client tests/chain --junitxml=$(RESULTS)/web3-7.xml

.PHONY: check
check: $(MAIN_READY) ## what takes seconds: format, lint, types, and the house tests without a chain
	$(MAIN)/bin/ruff format --check
	$(MAIN)/bin/ruff check
	$(MAIN)/bin/mypy --strict
	$(MAIN)/bin/python -m pytest -q tests/house -m "not anvil and not slow"

.PHONY: lock
lock: $(MAIN_READY) ## choose the versions anew and write requirements/
	scripts/lock $(MAIN)

.PHONY: clean
clean: ## remove what the targets here made
	rm -rf $(MAIN) $(APE) node_modules .build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis report
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(MAIN_READY): requirements/main.txt pyproject.toml
	@echo "Installing the Python packages (a minute, once) ..."
	@test -n "$(PYTHON)" || { echo "There is no python3.11 here: install it, or say make PYTHON=path." >&2; exit 2; }
	@$(PYTHON) -m venv $(MAIN)
	@$(MAIN)/bin/pip install $(PIP_FLAGS) --require-hashes -r requirements/main.txt
	@$(MAIN)/bin/pip install $(PIP_FLAGS) --no-deps --no-build-isolation --editable .
	@touch $@

# hatchling needs a newer `packaging` than ape bears, so the other environment builds the link to this checkout.
$(APE_READY): requirements/ape.txt pyproject.toml | $(MAIN_READY)
	@echo "Installing ape (a minute, once) ..."
	@$(PYTHON) -m venv $(APE)
	@$(APE)/bin/pip install $(PIP_FLAGS) --use-pep517 --require-hashes -r requirements/ape.txt
	@rm -rf .build/editable
	@$(MAIN)/bin/python -m hatchling build --target wheel:editable --directory .build/editable >/dev/null
	@$(APE)/bin/pip install $(PIP_FLAGS) --no-deps --force-reinstall .build/editable/*.whl
	@touch $@

$(TOOLS_READY): package-lock.json
	@if command -v npm >/dev/null; then \
		npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier && touch $@; \
	else \
		echo "There is no npm here: the contracts cannot be compiled, which only their tests need."; \
	fi
