# `make run` and `make test` are all that a stranger needs; `make help` lists the rest.

# The first of these that runs and is 3.11 to 3.13; a name on the PATH alone may be a launcher without its Python.
PYTHON ?= $(shell for p in python3.12 python3.11 python3 python3.13; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
# An extra package index, for instance PyTorch's CPU wheels: make setup TORCH_INDEX=URL
TORCH_INDEX ?=
INDEX := $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX),)
PORT ?= 8000
DOSE ?= full
SEED ?= 2026

.PHONY: help setup run demo test chaos check format bench profile toy-study openapi migration clean

help:  ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/'

setup: $(VENV)/ready  ## create .venv and install everything

$(VENV)/ready: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "mmix needs Python 3.11, 3.12 or 3.13 on the PATH, or make PYTHON=/path/to/python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet $(INDEX) --constraint constraints.txt --editable '.[dev]'
	@touch $@

run: $(VENV)/ready  ## run the demo on an embedded service and go on serving until Ctrl-C
	@exec $(BIN)/mmix up --demo --port $(PORT)

demo: $(VENV)/ready  ## run the demo and exit
	@exec $(BIN)/mmix demo --port $(PORT)

test: $(VENV)/ready  ## run the whole suite on real PostgreSQL and Redis, in three processes
	$(BIN)/python -m pytest -n 3 --no-loadscope-reorder

chaos: $(VENV)/ready  ## break what it starts and count what is lost: make chaos [DOSE=quick] [SEED=n] [ONLY="worker redis"] [SABOTAGE=fence]
	$(BIN)/python -m tests.chaos --dose $(DOSE) --seed $(SEED) $(if $(ONLY),--only $(ONLY)) $(if $(SABOTAGE),--sabotage $(SABOTAGE))

check: $(VENV)/ready  ## format, lint, types, import contracts, migrations, openapi.json
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	MMIX_HOME=$$(mktemp -d) $(BIN)/mmix migrate --check
	$(BIN)/python -m api.openapi --check

format: $(VENV)/ready  ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/ready  ## measure speed and memory, twenty minutes: make bench [ONLY="throughput memory"]
	$(BIN)/python -m benchmarks.bench $(if $(ONLY),--only $(ONLY))

profile: $(VENV)/ready  ## trace some training steps, and their ten costliest operations: make profile SPEC=path
	@test -n "$(SPEC)" || { echo "which spec? make profile SPEC=examples/digits-manifold.yaml" >&2; exit 2; }
	$(BIN)/python -m benchmarks.profile $(SPEC)

toy-study: $(VENV)/ready  ## train the toy family's 2,000 networks, twenty minutes, and write docs/toy-family.md; resumes
	$(BIN)/python -m benchmarks.toy_study --data-sets 400 --out build/toy-family.jsonl --report docs/toy-family.md

openapi: $(VENV)/ready  ## write docs/openapi.json
	$(BIN)/python -m api.openapi

migration: $(VENV)/ready  ## write a migration for changed tables: make migration NAME="what changes"
	$(BIN)/mmix migrate --write "$(NAME)"

clean:  ## remove .venv and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache *.egg-info build dist
