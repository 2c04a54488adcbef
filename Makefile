# Everything works in a fresh clone with Python 3.11 or newer and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

MARK ?= not soak

.PHONY: demo test test-all soak check check-js bench clean

demo: $(INSTALLED)  ## train on the Python standard library and watch it write
	$(BIN)/unspool demo

test: $(INSTALLED)  ## every promise, in minutes
	$(BIN)/python -m pytest -n auto --dist loadfile -m "not soak and not slow"

test-all: $(INSTALLED)  ## what is slow and rarely breaks besides; MARK=slow: that alone
	$(BIN)/python -m pytest -n auto --dist loadfile -m "$(MARK)"

soak: $(INSTALLED)  ## what takes hours: random kills, long texts
	$(BIN)/python -m pytest -m soak -s

check: $(INSTALLED) check-js  ## formatting, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run --Werror native/*.cc native/*.h
	$(BIN)/ruff check .
	$(BIN)/mypy

JS := tests/studio/js
check-js:  ## the same for the studio's JavaScript, if npm is installed
	@if ! command -v npm >/dev/null; then \
	  echo "npm is not installed: the studio's JavaScript is not checked"; \
	elif ! [ $(JS)/node_modules/.package-lock.json -nt $(JS)/package-lock.json ] && \
	     ! npm --prefix $(JS) ci --silent --no-audit --no-fund >/dev/null 2>&1; then \
	  echo "npm cannot install its packages: the studio's JavaScript is not checked"; \
	else npm --prefix $(JS) run --silent check; fi

bench: $(INSTALLED)  ## time to a loss, start-up, memory; see benchmarks/README.md
	$(BIN)/python -m benchmarks

$(INSTALLED): pyproject.toml CMakeLists.txt $(wildcard native/*)
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "unspool needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) build dist $(JS)/node_modules
