# Two commands matter: `make demo` and `make test`. Both set up everything that they need, once.
#   PYTHON=/usr/bin/python3.12   the interpreter that .venv is made with
#   SEED=123456                  repeat a test run
#   WORKERS=3                    test processes: on two cores, for much of a test is waiting
#   ARGS="-k folders"            more arguments for pytest, or for the benchmark (ARGS="--scale 0.1")

PYTHON ?=
SEED ?=
WORKERS ?= 3
ARGS ?=

BIN := .venv/bin
CODE := xdmigrate connectors plans state tests bench
PYTEST := XDMIGRATE_SEED='$(SEED)' $(BIN)/pytest --numprocesses $(WORKERS) --dist worksteal

.PHONY: help demo test test-full bench check compiled format servers clean

help:
	@echo 'make demo       migrate a mailbox between two embedded servers, with a kill in the middle'
	@echo 'make test       every check and every test, with few repetitions (SEED=… repeats a run)'
	@echo 'make test-full  the same with the full counts'
	@echo 'make bench      measure xdmigrate beside other tools (ARGS="--scale 0.1" for a short run)'
	@echo 'make check      linters and types only'
	@echo 'make format     let ruff format the code'
	@echo 'make clean      remove .venv and caches'

demo: .venv/demo
	@$(BIN)/xdmigrate demo

test: .venv/test servers check compiled
	$(PYTEST) --timeout 120 $(ARGS)

test-full: .venv/test .venv/fuzz servers check compiled
	XDMIGRATE_FULL=1 $(PYTEST) --timeout 3600 $(ARGS)

bench: .venv/test servers compiled
	@command -v mbsync >/dev/null || .ci/apt isync >&2 || echo 'not installed: isync; mbsync will be left out'
	$(BIN)/python -m bench $(ARGS)

check: .venv/test
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/pylint --score n --persistent n $$(find $(CODE) -name '*.py')

format: .venv/test
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

# The program is started hundreds of times, also where PYTHONDONTWRITEBYTECODE is set.
compiled: .venv/test
	@$(BIN)/python -m compileall -q xdmigrate connectors plans state

servers:
	@.ci/servers

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis dist

# Stamps: what is installed stays until the list of dependencies changes.
.venv/demo: pyproject.toml constraints.txt
	@echo 'installing xdmigrate into .venv (once, about a minute)'
	@PYTHON='$(PYTHON)' .ci/venv demo
	@touch $@

.venv/test: pyproject.toml constraints.txt
	@echo 'installing xdmigrate and the test tools into .venv (once, about a minute)'
	@PYTHON='$(PYTHON)' .ci/venv test
	@touch $@ .venv/demo

.venv/fuzz: pyproject.toml
	@.ci/venv fuzz || echo 'not installed: atheris; hypothesis stands in for it'
	@touch $@
