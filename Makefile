# ConvexFX Delta Executor. `make help` lists the targets.
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
EPOCHS ?=
PROOF ?=
QUICK ?=
export UV_PYTHON_DOWNLOADS := never
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
# A stack is a dozen processes of the same modules: without their bytecode on disk each compiles them anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help env run test lint format coverage notebook constraints rust laws elf elf-check prove prove-all bench sim tf wheel clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## ?/\1\t/' | expand -t 14

env: $(VENV)/.ready ## build the environment in .venv and nothing else

$(VENV)/.ready: pyproject.toml constraints.txt scripts/env.sh
	@scripts/env.sh $(VENV)
	@touch $@

run: env ## the whole exchange on this machine; EPOCHS=3 stops after three settled epochs; PROOF=core names the mode
	@$(BIN)/convexfx up $(if $(EPOCHS),--epochs $(EPOCHS)) $(if $(PROOF),--proof $(PROOF))

test: env ## lint and the whole default test suite
	@$(MAKE) --no-print-directory lint
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

lint: env ## ruff and mypy --strict
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check -q .
	@$(BIN)/mypy

format: env ## let ruff write the formatting
	@$(BIN)/ruff check -q --fix . ; $(BIN)/ruff format -q .

coverage: env ## lines of convexfx_core that its own tests run; below 95 % is a failure
	@$(BIN)/python -m scripts.core_coverage

notebook: env ## run the notebook in examples/ from the top and keep what it prints and draws
	@$(BIN)/python -m scripts.notebook examples/clearing.ipynb --save

constraints: env ## resolve constraints.txt anew from pyproject.toml
	@$(BIN)/uv pip compile -q --universal --no-annotate --no-header --extra dev --extra fast pyproject.toml -o constraints.txt

rust: ## build the Rust parts (laws, prover) outside the checkout; the first time takes a quarter of an hour
	@scripts/rust-build.sh

laws: env rust ## the Rust laws: format, clippy, unit tests, and the golden vectors through laws-check
	@scripts/rust-laws.sh

elf: rust ## build the guest in two folders, compare, write sp1_worker/elf with its verifying key
	@scripts/rust-elf.sh build

elf-check: ## build the guest in two folders and compare with the committed one
	@scripts/rust-elf.sh check

prove: env rust ## one real core and one real compressed proof, verified by a second process; 12 minutes, 18 GB
	@$(BIN)/python -m sp1_worker.prove_check

prove-all: env rust ## the same, and the prover's warm start, its death in a proof, an epoch proven end to end
	@$(BIN)/python -m sp1_worker.prove_check --all

bench: env ## clearing benchmarks, one JSON line a case; QUICK=1: one small size, to see that they run
	@$(BIN)/python -m bench.clearing $(if $(QUICK),--quick)

sim: env ## crash simulation: sealers and flows killed at every step; SEED=n for other schedules
	@CONVEXFX_LONG=1 CONVEXFX_SEED=$(or $(SEED),0) $(BIN)/python -m pytest tests/sim -n 2

tf: env ## terraform: fmt, validate, apply on a local AWS stand-in
	@$(BIN)/python -m infra.terraform.check

wheel: env ## build the wheel into dist/, with the build tools of the environment
	@$(BIN)/python -m build -q --wheel --no-isolation --outdir dist .

clean: ## remove what the commands above made
	@rm -rf build dist *.egg-info .localstack .mypy_cache .ruff_cache .pytest_cache .coverage*
