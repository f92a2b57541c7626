# mailsyncd: `make run` tries it, `make test` proves it. CONTRIBUTING.md has the rest.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/.stamps
TESTS ?= tests
MINUTES ?= 60
FUZZ ?= imap pop3

.PHONY: run test check format bench soak fuzz clean help prerequisites

help: ## What can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

run: $(STAMPS)/run ## Run the service on its embedded demo accounts
	@exec $(BIN)/mailsyncd demo

test: $(STAMPS)/dev ## Set up and run all tests
	@.ci/servers
	@.ci/within $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder $(TESTS)

check: $(STAMPS)/dev ## Format, lint, types, import floors
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(STAMPS)/dev ## Format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(STAMPS)/dev ## Time the first download beside mbsync, and push
	@.ci/servers
	@.ci/within $(BIN)/python tests/benchmarks/first_download.py
	@.ci/within $(BIN)/python tests/benchmarks/latency.py

soak: $(STAMPS)/dev ## Random histories on both sides with new seeds for MINUTES=60
	@.ci/servers
	@.ci/within $(BIN)/python -m tests.histories.soak --minutes $(MINUTES)

fuzz: $(STAMPS)/dev ## Fuzz the parsers of FUZZ="imap pop3" for MINUTES each with atheris
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[fuzz]'
	@set -e; for parser in $(FUZZ); do \
	  $(BIN)/python tests/fuzz/fuzz_$$parser.py -max_total_time=$$(($(MINUTES) * 60)) -print_final_stats=1; \
	done

clean: ## Remove everything that was made
	rm -rf $(VENV) .cache build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage

prerequisites:
	@.ci/prerequisites $(PYTHON)

$(VENV)/bin/python: | prerequisites
	$(PYTHON) -m venv $(VENV)

$(STAMPS)/run: pyproject.toml constraints.txt $(VENV)/bin/python
	@echo "Installing into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[fast]'
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/dev: pyproject.toml constraints.txt $(VENV)/bin/python
	@echo "Installing into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[fast,dev]'
	@mkdir -p $(STAMPS) && touch $@ $(STAMPS)/run
