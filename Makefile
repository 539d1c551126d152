# Everything a person or CI runs. `make demo` shows the product, `make test` proves it.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

export OMP_WAIT_POLICY ?= PASSIVE
export HF_HUB_OFFLINE ?= 1
export TOKENIZERS_PARALLELISM ?= false
export PYRIGHT_PYTHON_IGNORE_WARNINGS ?= 1

.PHONY: demo test format lint contracts types tests benchmarks clean

demo: $(STAMP)
	@sh tests/demo.sh $(BIN)

test: $(STAMP) format lint contracts types tests

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $(STAMP)

format: $(STAMP)
	$(BIN)/ruff format --check .

lint: $(STAMP)
	$(BIN)/ruff check .

contracts: $(STAMP)
	$(BIN)/lint-imports

types: $(STAMP)
	$(BIN)/pyright

tests: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadgroup -q

benchmarks: $(STAMP)
	$(BIN)/python -m tests.benchmarks

clean:
	rm -rf $(VENV) .demo .pytest_cache .ruff_cache .import_linter_cache .hypothesis
