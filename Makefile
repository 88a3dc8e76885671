PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: help setup demo test test-python lint format wheel bench pages pictures site clean

help:
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

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

# Pins hold for one Python; another takes what its own ranges give. `TORCH=torch==2.14.1` picks one.
TORCH ?= torch
QUICK := tests/data tests/law tests/scores
test-python:  ## run the quick tests under another Python: make test-python PYTHON=python3.13
	@$(PYTHON) -m venv .venv-$(notdir $(PYTHON))
	@.venv-$(notdir $(PYTHON))/bin/pip install --quiet --disable-pip-version-check "$(TORCH)" \
		-e ".[workbench]" hvsampledata hypothesis pytest pytest-timeout pytest-xdist scoringrules
	@OMP_NUM_THREADS=1 .venv-$(notdir $(PYTHON))/bin/python -m pytest -n 2 $(QUICK)

wheel: $(STAMP)  ## build sdist and wheel and try them in an environment and a folder of their own
	@PYTHON=$(PYTHON) .ci/try-wheel

bench: $(STAMP)  ## compare speeds with plain ways and, if SMASH_ORIGINAL names it, the original
	@mkdir -p .benchmarks
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/benchmarks --benchmark-only --benchmark-json=.benchmarks/bench.json
	@$(BIN)/python tests/benchmarks/report.py .benchmarks/bench.json docs/measurements docs/performance.md

pages: $(STAMP)  ## make the pages anew that come from code and records
	@$(BIN)/python -m smash.workbench.cli.made_pages

site: $(STAMP)  ## make the pages a site in site/, which needs no network to be read
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "open site/index.html"

pictures: $(STAMP)  ## draw the gallery's pictures anew
	@$(BIN)/python -m smash.workbench.pages.gallery

clean:  ## remove .venv and caches; runs and databases stay
	rm -rf $(VENV) $(VENV)-* .wheel site .pytest_cache .ruff_cache .mypy_cache .hypothesis
