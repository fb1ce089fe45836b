# Python 3.11 or later and make are all that is needed. uv is used if it is there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help demo screens test lint bench chaos clean
.DEFAULT_GOAL := help

help: ## Show what can be made.
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml
	@if command -v uv >/dev/null 2>&1; then \
	  uv venv --quiet --allow-existing --python $(PYTHON) $(VENV) && \
	  uv pip install --quiet --python $(BIN)/python --editable . --group dev; \
	else \
	  $(PYTHON) -m venv $(VENV) && \
	  $(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1' && \
	  $(BIN)/python -m pip install --quiet --editable . --group dev; \
	fi
	@touch $@

demo: $(STAMP) ## Backfill a year of New York flights, restate a week, check the result.
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python demo/flights.py

screens: $(STAMP) ## Record docs/screens.md anew, from a run on this machine.
	@$(BIN)/python -m demo.screens

test: $(STAMP) ## Run the tests.
	@$(BIN)/python -m pytest -n auto --dist worksteal

lint: $(STAMP) ## Check style, types and the order of the floors.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(STAMP) ## Measure, side by side with what there is to compare with.
	@for script in benchmarks/[a-z]*.py; do \
	  name=$$(basename $$script .py); echo "== $$name"; \
	  $(BIN)/python -m benchmarks.$$name || exit 1; \
	done

chaos: $(STAMP) ## Kill, stop and cut off all there is, for half an hour.
	@$(BIN)/python -m pytest -s -m chaos tests/chaos

clean: ## Remove what make made.
	rm -rf $(VENV) .demo .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
