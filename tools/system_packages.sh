#!/bin/sh
# Installs the Debian packages of the programs that the tests drive, or says which are missing and stops.
set -eu

# One line per program: what proves that it is there, and the package that brings it.
wanted='
openssl        openssl
initdb         postgresql
profanity      profanity-light
poezio         poezio
go-sendxmpp    go-sendxmpp
tmux           tmux
htpasswd       apache2-utils
mkpasswd       whois
'

# PostgreSQL's own programs are not on Debian's PATH.
PATH=$PATH:$(printf '%s:' /usr/lib/postgresql/*/bin):/usr/sbin:/sbin

packages=
while read -r program package; do
    if [ -n "$program" ] && ! command -v "$program" >/dev/null; then packages="$packages $package"; fi
done <<END
$wanted
END
[ -n "$packages" ] || exit 0

command_line="apt-get install --no-install-recommends$packages"
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}
if ! command -v apt-get >/dev/null; then
    echo "The tests drive other programs; install these (by their names in Debian):$packages" >&2
    exit 1
fi
if ! as_root true 2>/dev/null; then
    echo "The tests drive other programs that are missing here. Run: sudo $command_line" >&2
    exit 1
fi
echo "Installing what the tests drive:$packages" >&2
as_root apt-get update -q >&2
as_root env DEBIAN_FRONTEND=noninteractive $command_line -q -y >&2
