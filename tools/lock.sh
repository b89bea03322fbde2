#!/bin/sh
# Writes both lock files again. Arguments go to pip-compile, e.g. --upgrade or --upgrade-package idna.
#
# It resolves on the oldest Python we support: packages that only older Pythons need are then in the lock, and the
# hashes it lists are those of all platforms.
set -eu

compile() {
    env -u PIP_FIND_LINKS -u PIP_INDEX_URL -u PIP_EXTRA_INDEX_URL CUSTOM_COMPILE_COMMAND='make lock' \
        .venv/bin/python -m piptools compile "$@" pyproject.toml
}

if ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then
    echo 'The locks are made with Python 3.11. Run: make lock PYTHON=python3.11' >&2
    exit 1
fi
compile "$@" --output-file requirements.lock
compile "$@" --extra dev --constraint requirements.lock --output-file requirements-dev.lock
