#!/bin/sh
# Makes the Python environment that a lock file describes, and does nothing when it is there already.
#
#   tools/environment.sh FOLDER run|dev      e.g. .venv run
#
# PYTHON picks the interpreter; without it, the first of python3, python3.13, python3.12, python3.11 that is new enough.
# The environment keeps copies of what it was made from; comparing them is what "there already" means.
set -eu

folder=$1
kind=$2
case $kind in
    run) lock=requirements.lock ;;
    dev) lock=requirements-dev.lock ;;
    *) echo "usage: $0 FOLDER run|dev" >&2; exit 2 ;;
esac
made_from=$folder/made-from

say() { echo "commonroom: $*" >&2; }

stop() { say "$*"; exit 1; }

is_new_enough() {
    command -v "$1" >/dev/null && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

# Prints the interpreter to use, or stops with what to do.
interpreter() {
    for name in "${PYTHON:-python3}" python3.13 python3.12 python3.11; do
        if is_new_enough "$name"; then
            command -v "$name"
            return
        fi
    done
    stop "no Python 3.11 or newer was found. Install one (Debian: apt-get install python3), or name one: make PYTHON=/path/to/python3.12"
}

version() { "$1" -c 'import sys; print(*sys.version_info[:2], sep=".")'; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

can_be_root() { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }

# Debian packs venv's ensurepip separately.
provide_venv() {
    if "$python" -c 'import ensurepip, venv' 2>/dev/null; then return; fi
    package=python$(version "$python")-venv
    command -v apt-get >/dev/null || stop "$python cannot make environments: its module ensurepip is missing."
    can_be_root || stop "$python cannot make environments yet. Run: sudo apt-get install $package"
    say "installing $package"
    as_root apt-get update -q >&2
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$package" >&2
}

is_usable() { [ -x "$folder/bin/python" ] && "$folder/bin/python" -c 'import pip' 2>/dev/null; }

is_made_from() { cmp -s "$1" "$made_from/$1"; }

# The development lock holds everything the other one does.
is_current() {
    is_made_from pyproject.toml || return 1
    is_made_from "$lock" || { [ "$kind" = run ] && is_made_from requirements-dev.lock; }
}

is_other_python() {
    [ -n "${PYTHON:-}" ] && [ "$(version "$PYTHON")" != "$(version "$folder/bin/python")" ]
}

# True when something is in it that the locks no longer describe.
is_outdated() {
    for file in requirements.lock requirements-dev.lock; do
        if [ -e "$made_from/$file" ] && ! is_made_from "$file"; then return 0; fi
    done
    return 1
}

make_folder() {
    python=$(interpreter)
    provide_venv
    say "making $folder with $python (Python $(version "$python"))"
    rm -rf "$folder"
    "$python" -m venv "$folder"
}

install() {
    say "installing what $lock lists into $folder"
    rm -rf "$made_from/pyproject.toml"
    pip="$folder/bin/python -m pip --disable-pip-version-check --quiet"
    $pip install --require-hashes --requirement "$lock"
    $pip install --no-deps --no-build-isolation --editable .
    mkdir -p "$made_from"
    cp "$lock" pyproject.toml "$made_from/"
}

if [ -n "${PYTHON:-}" ] && ! is_new_enough "$PYTHON"; then
    stop "PYTHON=$PYTHON is not a Python 3.11 or newer. Name one that is."
fi
if is_current && is_usable && ! is_other_python; then exit 0; fi
if ! is_usable || is_outdated || is_other_python; then make_folder; fi
install
