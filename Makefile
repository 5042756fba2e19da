# Everything a developer does, as one word. `make` alone lists the words.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
HOUSES := runtime train export edge_app
# 3.11 first: the constraints' pinned torch has a CPU-only build there. A name that exists but does not
# run (a version manager's shim) is passed over.
USABLE := import sys, ensurepip; raise SystemExit(sys.version_info < (3, 10))
PYTHON ?= $(shell for p in python3.11 python3 python3.10 python3.12; do \
	if "$$p" -c '$(USABLE)' >/dev/null 2>&1; then echo "$$p"; break; fi; done)
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
BENCHMARKS ?= $(sort $(wildcard benchmarks/*.py))
# `make bench` is a smoke run; `make bench ARGS=` measures at full size.
BENCH_ARGS = $(if $(filter undefined,$(origin ARGS)),--tiny,$(ARGS))

.PHONY: help setup demo test lint lint-tree format bench plugins wheelhouse lock clean

help:  ## List these targets
	@grep -E '^[a-z-]+:.*##' $(firstword $(MAKEFILE_LIST)) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP)  ## Create .venv with everything a developer needs

# Stamped: nothing happens until the requirements or the pins change.
# pip says what fails (-qq), not what a build backend has to say about itself.
$(STAMP): pyproject.toml constraints.txt
	@if [ -z "$(PYTHON)" ]; then echo "No Python 3.10 or newer with venv found. Install one" \
		"(Debian: apt-get install python3 python3-venv) or name it: make setup PYTHON=/path/to/python3.11" >&2; exit 1; fi
	@if [ ! -x $(BIN)/python ]; then \
		echo "Creating $(VENV) with $$($(PYTHON) --version) ..."; $(PYTHON) -m venv $(VENV); fi
	@echo "Installing edge-retrieve and its pinned dependencies (constraints.txt) into $(VENV);"
	@echo "the largest is PyTorch, about 190 MB as a CPU build. This takes a minute or two ..."
	@$(BIN)/python -m pip install -qq --constraint constraints.txt setuptools
	@$(BIN)/python -m pip install -qq --constraint constraints.txt --no-build-isolation --editable '.[dev]'
	@touch $@
	@echo "Ready: $(BIN)/edge-retrieve"

demo: $(STAMP)  ## Phantom archive -> store -> web page on 127.0.0.1 (hand on options with ARGS="...")
	@$(BIN)/edge-retrieve demo $(ARGS)

# One worker a core, so one thread a worker; a file stays on one worker and keeps its fixtures.
test: $(STAMP)  ## Run the tests (choose some with ARGS="tests/runtime -k boxes")
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile $(ARGS)

lint: $(STAMP) lint-tree  ## ruff check, ruff format --check, mypy --strict
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@MYPYPATH=build/lint $(BIN)/mypy $(addprefix --package edge_retrieve.,$(HOUSES))

# mypy does not follow the import hook of an editable install: it reads the namespace from these links.
lint-tree:
	@mkdir -p build/lint/edge_retrieve
	@for house in $(HOUSES); do ln -sfn ../../../$$house build/lint/edge_retrieve/$$house; done

format: $(STAMP)  ## Format the code and sort its imports
	@$(BIN)/ruff check --quiet --fix --select I .
	@$(BIN)/ruff format .

bench: $(STAMP)  ## Run benchmarks/*.py at tiny size (full size: make bench ARGS=)
	@for script in $(BENCHMARKS); do echo "== $$script $(BENCH_ARGS)"; $(BIN)/python $$script $(BENCH_ARGS); done

plugins: $(STAMP)  ## Compile the TensorRT plugin's CUDA kernels into build/plugins (needs nvcc)
	@$(BIN)/edge-retrieve export plugins --out build/plugins $(ARGS)

# For the Python of .venv, on both machines; for one of them: make wheelhouse ARGS="--machine x86_64"
wheelhouse: $(STAMP)  ## Collect wheels and their hashes for a site without a network in dist/wheelhouse
	@$(BIN)/python .ci/wheelhouse.py dist/wheelhouse $(ARGS)

lock: $(STAMP)  ## Resolve constraints.txt anew (LOCK_PYTHONS="python3.10 python3.11")
	@$(BIN)/python .ci/lock.py $(or $(LOCK_PYTHONS),python3.10 python3.11) > constraints.txt.new
	@mv constraints.txt.new constraints.txt

clean:  ## Remove .venv and everything built
	@rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
