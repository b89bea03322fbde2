#!/bin/sh
# Installs what the bench needs: the servers that ours is compared with, a C compiler and OpenSSL's headers.
set -eu
exec "$(dirname "$0")/install_packages.sh" 'the bench' \
    prosody lua-unbound lua-dbi-sqlite3 ejabberd erlang-p1-sqlite3 jabberd2 gcc libc6-dev libssl-dev util-linux
