PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: help setup demo test lint format wheel bench clean

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
	@$(BIN)/smash demo
	@echo "(after . $(VENV)/bin/activate)"

lint: $(STAMP)  ## lint, check formatting, types and which room imports which
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

format: $(STAMP)  ## bring the code into form
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

test: lint  ## lint, type-check and run every test
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

wheel: $(STAMP)  ## build the wheel and try it in an environment and a folder of its own
	@rm -rf .wheel && mkdir .wheel
	@$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir .wheel .
	@$(PYTHON) -m venv .wheel/env
	@.wheel/env/bin/pip install --quiet --disable-pip-version-check -c constraints.txt torch
	@.wheel/env/bin/pip install --quiet --disable-pip-version-check -c constraints.txt \
		"$$(echo .wheel/*.whl)[workbench]"
	@cd .wheel && env -u PYTHONPATH env/bin/smash demo --profile quick
	@printf 'time,x,y,mark\n1,50,50,0\n4,60,45,1\n9,70,40,0\n' > .wheel/history.csv
	@cd .wheel && env -u PYTHONPATH env/bin/smash forecast pretrained:football history.csv \
		--horizon 30 --paths 20

bench: $(STAMP)  ## compare speeds with plain ways and, if SMASH_ORIGINAL names it, the original
	@mkdir -p .benchmarks
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/benchmarks --benchmark-only --benchmark-json=.benchmarks/bench.json
	@$(BIN)/python tests/benchmarks/report.py .benchmarks/bench.json docs/measurements docs/performance.md

clean:  ## remove .venv and caches; runs and databases stay
	rm -rf $(VENV) .wheel .pytest_cache .ruff_cache .mypy_cache .hypothesis
