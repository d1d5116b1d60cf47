# Every target builds .venv by itself from pyproject.toml and constraints.txt.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# GNU make reports failures of every target; recipes run with a plain POSIX shell.
WORKERS ?= 4

.PHONY: demo test unit soak check bench screenshots clean

demo: $(STAMP)
	$(BIN)/roost demo

test: $(STAMP)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m "not soak" tests

unit: $(STAMP)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m "not soak and not real and not screen" tests

soak: $(STAMP)
	$(BIN)/python -m pytest -m soak tests

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP)
	$(BIN)/python -m benchmarks

screenshots: $(STAMP)
	$(BIN)/python -m tests.support.screenshots screenshots

# pip before 25.1 does not know dependency groups, so the environment's own pip is renewed first.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --build-constraint constraints.txt --editable . --group dev
	touch $(STAMP)

clean:
	rm -rf $(VENV) build dist
