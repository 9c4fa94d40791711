# Two commands to know: `make demo` and `make test`. Set-up happens by itself, once, and again when the lock changes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SOURCES := service tests bench

.PHONY: help demo compare test soak check format bench lock wheel serve clean

help:  ## what there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(READY): requirements/dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(not ((3, 11) <= sys.version_info[:2] <= (3, 13)))' || \
	  { echo "Python 3.11 to 3.13 is needed; $(PYTHON) is $$($(PYTHON) -V). Say: make PYTHON=python3.12 ..."; exit 1; }
	@echo "setting up $(VENV), once; this takes a minute ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

demo: $(READY)  ## summarise the three sample articles
	@$(BIN)/precis summarise seeds/*.txt

compare: $(READY)  ## compare news@1 to news@3 over the sample articles, from recordings, as a page
	@mkdir -p build
	@$(BIN)/precis compare seeds/*.txt --prompts news@1,news@2,news@3 --replay tests/recordings \
	  --reference tests/references --out build/comparison.html

test: $(READY)  ## run the tests
	@$(BIN)/python -m pytest

soak: $(READY)  ## 10,000 jobs over 20 kills of the server; takes a quarter of an hour (SOAK="--jobs 2000 --kills 10" for less)
	@PYTHONPATH=tests/endpoint:. $(BIN)/python tests/faults/soak.py $(SOAK)

check: $(READY)  ## lint, format, types, import contracts, docs
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python tests/tools/check_docs.py

format: $(READY)  ## rewrite the sources in the house format
	@$(BIN)/ruff format $(SOURCES)
	@$(BIN)/ruff check --fix $(SOURCES)

bench: $(READY)  ## speed and memory, as ratios measured in one run
	@$(BIN)/python -m bench

serve: $(READY)  ## run the service on http://127.0.0.1:8000
	@$(BIN)/precis serve

wheel: $(READY)  ## build the wheel into dist/
	@$(BIN)/python -m hatchling build -t wheel

lock:  ## renew the locks (needs uv on the path)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
	  --extra files pyproject.toml -o requirements/runtime.lock $(LOCKFLAGS)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
	  --extra files --group dev pyproject.toml -o requirements/dev.lock $(LOCKFLAGS)

clean:  ## remove what was built
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
