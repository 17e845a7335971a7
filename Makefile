# `make search` and `make test` do all their set-up themselves; everything is installed into .venv.

PYTHON ?= python3.11
BIN := .venv/bin
MINUTES ?= 10
INSTALL := $(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --editable
COMPILE := $(BIN)/python -W ignore -m compileall -q -j 0 -x '/tests?/|/testing/_internal/' .venv/lib   # on all cores, pip on one

.PHONY: search test test-slow fuzz lint format bench docs clean

search: .venv/search-ready       ## find spiking networks for the digits; results in results/digits
	$(BIN)/python -m evonas.run runs/digits.toml

test: .venv/test-ready           ## the tests that are quick, several at once
	$(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4

test-slow: .venv/test-ready      ## the tests that are slow or need a cluster on this machine, those one after another
	$(BIN)/python -m pytest -m slow --numprocesses=auto --maxprocesses=4 --dist=loadgroup

fuzz: .venv/test-ready           ## odd and damaged inputs at all doors, for ten minutes: make fuzz MINUTES=1 [KINDS=--readers]
	PYTHONPATH=tests $(BIN)/python -m fuzz --minutes $(MINUTES) $(KINDS)

lint: .venv/test-ready           ## what is checked without running
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/test-ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/test-ready          ## what is measured, in short
	for file in engine scoring search_quality; do $(BIN)/python benchmarks/$$file.py --quick || exit 1; done

docs: .venv/search-ready         ## the pages and pictures of docs/ that are made from the code and from results/digits
	$(BIN)/python docs/generate.py
	$(BIN)/python docs/figures/virtual_time.py results/digits docs/virtual_time.svg
	$(BIN)/python docs/figures/front.py results/digits docs/front.svg

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache

.venv/bin/python:
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
	  echo "'$(PYTHON) -m venv' fails. Install Python 3.11 with its venv module, or say where it is: make PYTHON=/path/to/python3.11" >&2; \
	  exit 1; }
	$(BIN)/python -m pip install --quiet --upgrade pip

.venv/search-ready: .venv/bin/python pyproject.toml constraints.txt
	$(INSTALL) .
	$(COMPILE)
	touch $@

.venv/test-ready: .venv/bin/python pyproject.toml constraints.txt
	$(INSTALL) '.[dev]'
	$(COMPILE)
	touch $@ .venv/search-ready
