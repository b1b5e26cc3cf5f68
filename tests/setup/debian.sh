#!/bin/bash
# Install the Debian packages that building and testing need and that are not
# there yet.  Touches neither apt nor the network when none is missing, and
# leaves systems without dpkg to configure, which names what it misses.
set -e

packages=(
	# building
	build-essential autoconf pkg-config
	libblkid-dev uuid-dev zlib1g-dev liblzo2-dev libzstd-dev libudev-dev
	libjson-c-dev libisal-dev libgcrypt20-dev libxxhash-dev
	libarchive-dev
	# manual pages
	python3-docutils
	# testing; btrfs-progs is the other side of comparisons
	libcmocka-dev perl btrfs-progs e2fsprogs util-linux
	python3 attr acl libcap2-bin xz-utils fakeroot
)

command -v dpkg-query >/dev/null || exit 0

missing=()
for package in "${packages[@]}"; do
	status=$(dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null || true)
	grep -qx installed <<<"$status" || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
	if ! command -v sudo >/dev/null; then
		echo "ERROR: missing packages, and no root or sudo to install them: ${missing[*]}" >&2
		exit 1
	fi
	as_root=(sudo)
fi

echo "installing: ${missing[*]}" >&2
# env, as sudo does not pass the environment on.
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q)
# Package lists may be there already (and the network not).
if ! "${apt[@]}" install -y --no-install-recommends "${missing[@]}"; then
	"${apt[@]}" update
	"${apt[@]}" install -y --no-install-recommends "${missing[@]}"
fi
