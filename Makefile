# Two commands are enough: `make run` starts a demonstration, `make test` tests.
# PYTHON=/path/to/python3.12 picks the interpreter; ARGS="..." is handed to the command that a target runs.

ARGS ?=
WORKERS ?= 2

.PHONY: run test test-others test-all lab check bench crash fmt docs lock clean help

run:  ## starts a demonstration server
	@tools/environment.sh .venv run
	@.venv/bin/commonroom demo $(ARGS)

test:  ## runs the tests, after installing what they need
	@tools/system_packages.sh
	@tools/environment.sh .venv dev
	@.venv/bin/python -m pytest -n $(WORKERS) $(ARGS)

test-others:  ## runs the tests on the other Pythons that are installed here
	@tools/system_packages.sh
	@tools/environment.sh .venv dev
	@tools/test_others.sh $(WORKERS) $(ARGS)

test-all: test test-others  ## runs the tests on every Python that is installed here

lab:  ## tests federation with Prosody, ejabberd and jabberd2, which it installs
	@tools/lab_packages.sh
	@tools/environment.sh .venv dev
	@.venv/bin/python -m pytest tests/lab -m lab -n $(WORKERS) --dist loadgroup $(ARGS)

check:  ## style, types, layers, sizes, references, generated pages
	@tools/environment.sh .venv dev
	@.venv/bin/python -m tools.check $(ARGS)

bench:  ## measures all beside the peers that are installed, writes the page; ARGS="chat --rounds 3" picks a scenario
	@tools/environment.sh .venv dev
	@.venv/bin/python -m bench $(or $(ARGS),--record)

crash:  ## kills a server again and again, tells what became of each message; ARGS="--kills 1000 --strict"
	@tools/environment.sh .venv dev
	@.venv/bin/python -m crash $(ARGS)

fmt:  ## formats the code
	@tools/environment.sh .venv dev
	@.venv/bin/ruff check --fix-only --quiet .
	@.venv/bin/ruff format .

docs:  ## writes the generated pages again
	@tools/environment.sh .venv dev
	@.venv/bin/python -m commonroom.config.document >.venv/configuration.md && mv .venv/configuration.md docs/
	@.venv/bin/python -m tools.make_specs

lock:  ## resolves the dependencies again and writes the lock files
	@tools/environment.sh .venv dev
	@tools/lock.sh $(ARGS)

clean:  ## removes what the other commands made
	rm -rf .venv .venv-3.* .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage* build dist
	find src tests tools -name __pycache__ -prune -exec rm -rf {} +

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1: /p' Makefile
