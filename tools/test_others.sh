#!/bin/sh
# Runs the tests on every CPython >= 3.11 found here, except the one that .venv has. Each gets an environment .venv-3.X.
#
#   tools/test_others.sh WORKERS [pytest's arguments]
set -eu

workers=$1
shift

version_if_suitable() {
    command -v "$1" >/dev/null || return 0
    "$1" -c '
import sys
if sys.implementation.name == "cpython" and sys.version_info >= (3, 11) and sys.version_info.releaselevel == "final":
    print(*sys.version_info[:2], sep=".")
' 2>/dev/null || true
}

seen=" $(version_if_suitable .venv/bin/python) "
for python in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.*/bin/python3 python3 python3.11 python3.12 python3.13 python3.14; do
    version=$(version_if_suitable "$python")
    case "$seen" in *" $version "*) continue ;; esac
    [ -n "$version" ] || continue
    seen="$seen$version "
    echo "== Python $version ($python)"
    PYTHON=$python tools/environment.sh ".venv-$version" dev
    ".venv-$version/bin/python" -m pytest -n "$workers" "$@"
done
