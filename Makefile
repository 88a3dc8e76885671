PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: help setup demo test lint bench clean

help:
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

setup: $(STAMP)  ## prepare .venv with the pinned versions of constraints.txt

$(STAMP): constraints.txt pyproject.toml
	@echo "Preparing $(VENV): a few minutes the first time."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $(STAMP)

demo: $(STAMP)  ## run the main job on simulated data and compare it with the exact law
	@$(BIN)/python run_experiment.py experiments/simulated.yaml
	@echo
	@echo "Next:"
	@echo "  . $(VENV)/bin/activate"
	@echo "  mlflow ui                                          # every run and figure, on http://127.0.0.1:5000"
	@echo "  python run_experiment.py experiments/football.yaml --profile quick --set epochs=3"
	@echo "  python run_experiment.py --help"

lint: $(STAMP)  ## lint, check formatting and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

test: lint  ## lint, type-check and run every test
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

bench: $(STAMP)  ## compare speeds with plain ways and, if SMASH_ORIGINAL names it, the original
	@mkdir -p .benchmarks
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/benchmarks --benchmark-only --benchmark-json=.benchmarks/bench.json
	@$(BIN)/python tests/benchmarks/report.py .benchmarks/bench.json docs/measurements docs/performance.md

clean:  ## remove .venv and caches; runs and databases stay
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .hypothesis
