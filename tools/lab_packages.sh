#!/bin/sh
# Installs the servers that ours federates with in the lab (tests/lab), and what lets Prosody ask a DNS server of the lab's.
set -eu
exec "$(dirname "$0")/install_packages.sh" 'the lab' prosody lua-unbound ejabberd jabberd2
