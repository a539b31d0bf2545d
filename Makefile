# Everything a newcomer does has one command; `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
SOURCES := flink_ol tests $(wildcard jobs benchmarks)

.PHONY: help setup demo test test-all lint format bench bench-budget lock lock-jars clean

help:  ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMPS)/project $(STAMPS)/stack  ## prepare .venv, the jars and Java (needs the network once)

$(STAMPS)/venv: requirements-build.lock
	@python=""; \
	for candidate in python3.11 python3; do \
	  if "$$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; \
	  then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "make setup: neither python3.11 nor python3 on the path is Python 3.11; apache-flink 2.2.1" \
	       "and requirements.lock are for 3.11: install it and run again" >&2; exit 1; fi; \
	echo "setup: virtual environment $(VENV) of $$python"; \
	"$$python" -m venv $(VENV)
	@$(PIP) install --require-hashes -r requirements-build.lock
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/dependencies: $(STAMPS)/venv requirements.lock
	@echo "setup: dependencies of requirements.lock (about 1.5 minutes)"
	@$(PIP) install --no-build-isolation --require-hashes -r requirements.lock
	@touch $@

$(STAMPS)/project: $(STAMPS)/dependencies pyproject.toml
	@$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@

$(STAMPS)/stack: $(STAMPS)/project flink_ol/local/jars.lock
	@$(BIN)/python -m flink_ol.local.prepare
	@touch $@

demo: setup  ## the whole thing on a real stream: a year of flights
	@$(BIN)/flink-ol demo

test: setup  ## all tests but the long ones
	@$(BIN)/python -m pytest -m 'not soak and not battery'

test-all: setup  ## all tests, soak and battery included
	@$(BIN)/python -m pytest

lint: $(STAMPS)/project  ## ruff and mypy
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/mypy

format: $(STAMPS)/project  ## let ruff format and sort
	@$(BIN)/ruff check --fix $(SOURCES)
	@$(BIN)/ruff format $(SOURCES)

bench: setup  ## everybody against everybody on this machine (hours; goes on where it stopped)
	@$(BIN)/python -m benchmarks suite --page

bench-budget: setup  ## what each stage of the job costs a sample
	@$(BIN)/python -m benchmarks budget

lock: $(STAMPS)/dependencies  ## resolve the dependencies anew (needs the network)
	@$(BIN)/uv pip compile -q requirements-build.in --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' \
	  --output-file requirements-build.lock
	@$(BIN)/uv pip compile -q pyproject.toml --extra dev --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' \
	  --output-file requirements.lock
	@$(BIN)/uv pip compile -q pyproject.toml --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' \
	  --constraints requirements.lock --output-file docker/requirements.lock

lock-jars: $(STAMPS)/project  ## resolve the jars of the local stack anew (needs the network)
	@$(BIN)/python -m flink_ol.local.lock_jars > $(STAMPS)/jars.lock
	@cp $(STAMPS)/jars.lock flink_ol/local/jars.lock

clean:  ## remove what the commands made here, .venv included
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
