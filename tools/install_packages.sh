#!/bin/sh
# Installs Debian packages, without starting the servers among them, or says what is missing and stops.
#
#   tools/install_packages.sh WHO-NEEDS-THEM PACKAGE...      e.g. tools/install_packages.sh 'the lab' prosody
set -eu

who=$1
shift
packages=
for package in "$@"; do
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
    echo "What $who needs is missing here, by its names in Debian:$packages" >&2
    exit 1
fi
if ! as_root true 2>/dev/null; then
    echo "What $who needs is missing here. Run: sudo $command_line" >&2
    exit 1
fi
echo "Installing what $who needs:$packages" >&2

# Debian's packages ask this program whether to start a server; 101 is no (invoke-rc.d(8)).
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'as_root rm -f "$policy"' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
fi
as_root apt-get update -q >&2
as_root env DEBIAN_FRONTEND=noninteractive $command_line -q -y >&2
echo "No server was started. Where systemd runs, those installed will be at the next boot: systemctl disable NAME" >&2
