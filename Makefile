# Concierge. Needs Python 3.11 or 3.12 and make; `make test` also Java 17 and Maven, for a real Kafka on loopback.
# ARGS is passed through: make demo ARGS="--seed 7", make test ARGS="tests/streams -k cart".

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
PRISM := tests/prism/node_modules/.ready
ROOMS := contracts streams agents backtests rehearsal console
CHECKED := $(ROOMS) tests benchmarks

.DEFAULT_GOAL := help
.PHONY: help setup demo faults test check alike bench soak churn converge schemas picture

help:  ## Say what can be made
	@grep -hE '^[a-z]+:.*## ' Makefile | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

setup: $(READY)  ## A .venv with the locked dependencies and the concierge command

demo: $(READY)  ## A day of a simulated shop in about a minute, with a checked summary
	$(BIN)/concierge demo $(ARGS)

faults: $(READY)  ## Every fault experiment on a real Kafka, and what it came to; ARGS="--only zombie --seed 3" for one
	$(BIN)/python -m tests.faults $(ARGS)

test: $(READY) $(PRISM)  ## The whole test suite, a real Kafka included, and Stoplight Prism where Node 20 is there
	$(BIN)/python -m pytest $(ARGS)

check: $(READY)  ## Lint, format, types, direction of imports, lock and published schemas
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/mypy $(CHECKED)
	$(BIN)/lint-imports --no-cache
	$(BIN)/uv lock --check
	$(BIN)/python -m contracts.schema --check

alike: $(READY)  ## Shops where helping changes nothing, looked at fifty times each: how often a difference is seen all the same
	$(BIN)/python -m tests.backtests.alike $(ARGS)

bench: $(READY)  ## How fast and how large, beside others, on a real Kafka: docs/benchmarks.md is written from it; 25 minutes
	$(BIN)/python -m benchmarks $(ARGS)

converge: $(READY)  ## Ten thousand commands to a rehearsed Intercom that does its worst; ARGS=--planted with bugs put in
	$(BIN)/python -m tests.delivery $(ARGS)

churn: $(READY)  ## Workers that join, leave, die and freeze on a real Kafka under load, counted exactly; half an hour
	nice $(BIN)/python -m tests.kafka.churn $(ARGS)

soak: $(READY)  ## A million random histories through the thinking and the oracle, over all cores
	$(BIN)/python -m tests.oracle.soak $(ARGS)

schemas: $(READY)  ## Write the JSON Schemas again, after a change of the contracts
	$(BIN)/python -m contracts.schema

picture: $(READY)  ## Make the picture of the running demo that README shows
	$(BIN)/concierge demo --picture docs/demo.svg

# Without Node the tests that want Prism skip, but for CI, where they fail.
$(PRISM): tests/prism/package-lock.json
	@if command -v npm > /dev/null; then npm ci --ignore-scripts --no-audit --no-fund --prefix tests/prism && touch $@; else \
	  echo "no Node here, so tests/prism is skipped"; fi || echo "npm could not install Prism, so tests/prism is skipped"

# uv is pinned and checked against hashes, and lives in the .venv, so that nothing else need be installed.
$(BIN)/uv: .ci/uv.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v < (3, 13) else "concierge needs Python 3.11 or 3.12, and $(PYTHON) is %d.%d; name another one: make setup PYTHON=python3.12" % v)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .ci/uv.txt
	@touch $@

$(READY): uv.lock pyproject.toml $(BIN)/uv
	UV_PROJECT_ENVIRONMENT=.venv $(BIN)/uv sync --frozen --inexact
	@touch $@
