# ConvexFX Delta Executor. `make help` lists the targets.
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
EPOCHS ?=
PROOF ?=
export UV_PYTHON_DOWNLOADS := never
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help env run test lint format constraints bench sim tf wheel clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## ?/\1\t/' | expand -t 14

env: $(VENV)/.ready ## build the environment in .venv and nothing else

$(VENV)/.ready: pyproject.toml constraints.txt scripts/env.sh
	@scripts/env.sh $(VENV)
	@touch $@

run: env ## the whole exchange on this machine; EPOCHS=3 stops after three settled epochs; PROOF=attested names the mode
	@$(BIN)/convexfx up $(if $(EPOCHS),--epochs $(EPOCHS)) $(if $(PROOF),--proof $(PROOF))

test: env ## lint and the whole default test suite
	@$(MAKE) --no-print-directory lint
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: env ## ruff and mypy --strict
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check -q .
	@$(BIN)/mypy

format: env ## let ruff write the formatting
	@$(BIN)/ruff check -q --fix . ; $(BIN)/ruff format -q .

constraints: env ## resolve constraints.txt anew from pyproject.toml
	@$(BIN)/uv pip compile -q --universal --no-annotate --no-header --extra dev --extra fast pyproject.toml -o constraints.txt

bench: env ## clearing benchmarks, one JSON line a case
	@$(BIN)/python bench/clearing.py

sim: env ## crash simulation: sealers and flows killed at every step
	@CONVEXFX_LONG=1 $(BIN)/python -m pytest tests/sim -n 2

tf: env ## terraform: fmt, validate, apply on a local AWS stand-in
	@$(BIN)/python -m infra.terraform.check

wheel: env ## build the wheel
	@$(BIN)/python -m build -q --wheel --outdir dist .

clean: ## remove what the commands above made
	@rm -rf build dist *.egg-info .localstack .mypy_cache .ruff_cache .pytest_cache
