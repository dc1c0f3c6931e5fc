# Two commands for a fresh clone: `make demo` and `make test`. Nothing but Python >= 3.12 is needed.
# Choose another interpreter with `make PYTHON=/path/to/python demo`.

VENV := .venv
BIN := $(VENV)/bin
RUNS ?= runs
NEW_ENOUGH := -c "import sys; sys.exit(sys.version_info < (3, 12))"
PYTHON ?= $(shell for python in python3.12 python3.13 python3.14 python3 python; do \
	if $$python $(NEW_ENOUGH) 2>/dev/null; then echo $$python; break; fi; done)

.PHONY: demo test lint unit setup setup-test bench papers clean

demo: setup
	$(BIN)/stm-daq rehearse plans/tin_demo.yaml --runs $(RUNS)

test: setup-test lint unit

lint: setup-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: setup-test
	$(BIN)/pytest -n 2

bench: setup-test
	$(BIN)/python benchmarks/night.py
	$(BIN)/python benchmarks/fit_speed.py

# The numbers of the papers beside those that rehearsals of their experiments give.
papers: setup
	$(BIN)/python benchmarks/papers.py --runs $(RUNS)/papers --markdown docs/papers.md

# The self-test also compiles the numerical kernels once, so that the first night starts at once.
setup: $(VENV)/installed
setup-test: $(VENV)/installed-test

$(VENV)/bin/pip:
	@test -n "$(PYTHON)" || { echo "Python 3.12 or newer was not found; install it, or name it: make PYTHON=/path/to/python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(VENV)/bin/pip pyproject.toml
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable .
	$(BIN)/stm-daq rehearse plans/self_test.yaml --no-report --runs $(VENV)/self-test --json > /dev/null
	@touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(BIN)/pip install --quiet --editable ".[dev]"
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info
