#!/bin/sh
# Installs what the bench and the lab need, or says what is missing and stops: the servers that ours is compared with, a C
# compiler and OpenSSL's headers. None of them is needed for anything else.
set -eu

wanted='prosody lua-unbound lua-dbi-sqlite3 ejabberd erlang-p1-sqlite3 jabberd2 gcc libc6-dev libssl-dev util-linux'

packages=
for package in $wanted; do
    if ! dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed'; then
        packages="$packages $package"
    fi
done
[ -n "$packages" ] || exit 0

command_line="apt-get install --no-install-recommends$packages"
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}
if ! command -v apt-get >/dev/null; then
    echo "The bench needs Debian's packages$packages" >&2
    exit 1
fi
if ! as_root true 2>/dev/null; then
    echo "The bench needs programs that are missing here. Run: sudo $command_line" >&2
    exit 1
fi
echo "Installing what the bench needs:$packages" >&2
as_root apt-get update -q >&2
as_root env DEBIAN_FRONTEND=noninteractive $command_line -q -y >&2
echo "Debian starts a server when it is installed; the bench runs its own. To stop those: systemctl disable --now NAME" >&2
