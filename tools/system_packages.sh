#!/bin/sh
# Installs the Debian packages of the programs that the tests drive, as far as they are missing.
set -eu

# One line per program: what proves that it is there, and the package that brings it.
wanted='
openssl          openssl
initdb           postgresql
profanity        profanity-light
poezio           poezio
go-sendxmpp      go-sendxmpp
tmux             tmux
htpasswd         apache2-utils
mkpasswd         whois
systemd-analyze  systemd
'

# PostgreSQL's own programs are not on Debian's PATH.
PATH=$PATH:$(printf '%s:' /usr/lib/postgresql/*/bin):/usr/sbin:/sbin

packages=
while read -r program package; do
    if [ -n "$program" ] && ! command -v "$program" >/dev/null; then packages="$packages $package"; fi
done <<END
$wanted
END
[ -z "$packages" ] || exec "$(dirname "$0")/install_packages.sh" 'the tests' $packages
