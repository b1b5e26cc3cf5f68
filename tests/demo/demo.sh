#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A tour that ends within a minute.  Part one needs no root and leaves
# build/demo/example.img, which the examples of README.md use.  Part two, where
# root, loop devices and the kernel's btrfs are there, sends real data beside the
# kernel and compares.
#
#	demo.sh [PART...]	default: 1 2
set -u

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
REPO=$(cd "$HERE/../.." && pwd)
BTRFS=$(realpath -m "${BTRFS:-$REPO/build/btrfs}")
BUILD=$(realpath -m "${BTRFS_BUILD:-$REPO/build}")
BUILD=${BUILD#"$REPO"/}		# relative where it can be: this is what users type
PATH=$PATH:/usr/sbin:/sbin
PEER=$(command -v btrfs)
export LC_ALL=C

DEMO=$BUILD/demo		# what stays
EXAMPLE=$DEMO/example.img
STREAM=$DEMO/example.stream
WORK=				# what goes
MNT=
IMAGE=
LOOP=

MIB=$((1 << 20))
SCRATCH_NEEDED=$((3 << 30))

bold=
plain=
if [ -t 1 ] && [ -n "${TERM:-}" ] && [ "$TERM" != dumb ]; then
	bold=$'\e[1m'
	plain=$'\e[0m'
fi

# --- speaking ---------------------------------------------------------------

title() {
	printf '\n%s%s%s\n' "$bold" "$1" "$plain"
	printf '%s\n\n' "${1//?/-}"
}

note() { printf '%s\n' "$@"; }

# As one would type it in the repository, and in the scratch folder.
show_command() {
	local words="$*"

	words=${words//$REPO\//}
	printf '\n  %s$ %s%s\n' "$bold" "${words//$WORK\//}" "$plain"
}

# At most LINES of what a command prints, cut to the width of a page.
excerpt() {
	expand | awk -v max="$1" 'NR <= max { print "    " substr($0, 1, 92) }
				  END { if (NR > max) print "    ... (" NR " lines)" }'
}

die() {
	printf 'ERROR: %s\n' "$*" >&2
	exit 1
}

# run LINES COMMAND...: show it, run it, show the beginning of its output.
run() {
	local lines=$1
	shift

	show_command "$@"
	"$@" >"$WORK/output" 2>&1 || { cat "$WORK/output" >&2; die "the demo cannot go on: $*"; }
	excerpt "$lines" <"$WORK/output"
}

# quietly COMMAND...: for what is not ours to show; its output only if it fails.
quietly() {
	"$@" >"$WORK/log" 2>&1 || { cat "$WORK/log" >&2; die "the demo cannot go on: $*"; }
}

# --- scratch space ------------------------------------------------------------

choose_dir() {
	if [ "$(stat -f -c %T /dev/shm 2>/dev/null)" = tmpfs ] &&
	   [ "$(df -B1 --output=avail /dev/shm | tail -n 1)" -gt "$SCRATCH_NEEDED" ]; then
		echo /dev/shm
	else
		echo "${TMPDIR:-/tmp}"
	fi
}

unmount_image() {
	local tries

	mountpoint -q "$MNT" && umount "$MNT"
	[ -n "$LOOP" ] || return 0
	losetup -d "$LOOP" 2>/dev/null
	# Until the loop device has gone the image counts as in use.
	for ((tries = 0; tries < 100; tries++)); do
		[ -z "$(losetup -n -j "$IMAGE" 2>/dev/null)" ] && break
		sleep 0.1
	done
	LOOP=
}

# shellcheck disable=SC2317 # called by the trap
clean_up() {
	local status=$?

	trap '' INT TERM HUP
	trap - EXIT
	unmount_image
	rm -rf --one-file-system "$WORK"
	exit "$status"
}

# --- part one: without root ---------------------------------------------------

# An ext4 image of a folder, turned into btrfs.  btrfs-convert keeps the old file
# system as a file in a subvolume of its own, which is what we want to send.
# It can fail for a reason that is not ours: without root it refuses to work
# while any loop device is mounted.
make_example() {
	mkdir -p "$DEMO" "$WORK/tree"
	cp -r /usr/share/common-licenses "$WORK/tree/" 2>/dev/null
	cp -r /usr/include/linux "$WORK/tree/" 2>/dev/null
	rm -f "$EXAMPLE" "$STREAM"
	truncate -s 192M "$EXAMPLE"
	quietly mkfs.ext4 -q -F -b 4096 -d "$WORK/tree" "$EXAMPLE"
	HASH=$(sha256sum <"$EXAMPLE")
	btrfs-convert "$EXAMPLE" >"$WORK/log" 2>&1 || return 1
	# Only what is read-only can be sent.
	quietly python3 "$HERE/example.py" readonly "$EXAMPLE" 256
}

part_without_root() {
	local rebuilt

	title "1. An image, read without mounting it (no root needed)"
	note "A folder was put into an ext4 image and converted to btrfs, by tools of Debian." \
	     "The subvolume ext2_saved holds the disk as it was before."
	make_example || {
		note "" "Left out: the image cannot be made here:" "$(grep ERROR "$WORK/log")"
		rm -f "$EXAMPLE"
		return
	}
	run 10 "$BTRFS" subvolume list "$EXAMPLE"
	run 10 "$BTRFS" inspect-internal dump-super "$EXAMPLE"
	run 10 "$BTRFS" send -f "$STREAM" "$EXAMPLE" /ext2_saved
	run 8 "$BTRFS" receive --dump -f "$STREAM"

	quietly python3 "$HERE/example.py" rebuild "$STREAM" "$WORK/rebuilt" image
	rebuilt=$(sha256sum <"$WORK/rebuilt")
	note "" "The old disk, sha256:            ${HASH%% *}" \
	     "put together from the stream:    ${rebuilt%% *}"
	[ "$rebuilt" = "$HASH" ] || die "the stream does not hold what was on the disk"
}

# --- part two: beside the kernel -------------------------------------------------

# Why the kernel cannot be asked here; nothing when it can.
kernel_lacks() {
	[ "$(id -u)" -eq 0 ] || { echo "root"; return; }
	[ -c /dev/loop-control ] || { echo "loop devices"; return; }
	grep -qw btrfs /proc/filesystems || modprobe btrfs 2>/dev/null
	grep -qw btrfs /proc/filesystems || { echo "btrfs in the kernel"; return; }
	[ "$(df -B1 --output=avail "$WORK" | tail -n 1)" -gt "$SCRATCH_NEEDED" ] ||
		echo "3 GiB of free space in $WORK"
}

# mount_image rw|ro
mount_image() {
	LOOP=$(losetup -f --show "$IMAGE" 2>"$WORK/log") &&
		mount -t btrfs -o "$1" "$LOOP" "$MNT" 2>>"$WORK/log"
}

# copy ROOT MIB: the first files of ROOT, up to that size.
copy() {
	python3 "$REPO/bench/tools.py" pick "$1" $(($2 * MIB)) |
		tar -c --null --no-recursion -T - -P -f - 2>/dev/null |
		tar -x -C "$MNT/data" --strip-components=1 -f - 2>/dev/null
}

# Two snapshots with some life between them.
fill_image() {
	quietly "$PEER" subvolume create "$MNT/data"
	copy /usr/include 100
	quietly "$PEER" subvolume snapshot -r "$MNT/data" "$MNT/monday"
	copy /usr/share 250
	rm -rf "$MNT/data/include/linux"
	quietly "$PEER" subvolume snapshot -r "$MNT/data" "$MNT/tuesday"
}

make_image() {
	IMAGE=$WORK/disk.img
	truncate -s 2G "$IMAGE"
	quietly mkfs.btrfs -q -f "$IMAGE"
	mount_image rw || return 1
	fill_image
	unmount_image
}

# seconds OUT COMMAND...
seconds() {
	python3 "$REPO/bench/tools.py" run "$@" 2>"$WORK/log" | cut -d ' ' -f 1
}

# kernel_send STREAM OPTION...: its seconds.
kernel_send() {
	local stream=$1
	shift

	seconds /dev/null "$PEER" -q send "$@" -f "$WORK/$stream.kernel" "$MNT/tuesday"
}

our_send() {
	local stream=$1
	shift

	seconds /dev/null "$BTRFS" -q send "$@" -f "$WORK/$stream.ours" "$IMAGE" /tuesday
}

# Both get one run to warm up, so that neither pays for the disk.
time_sends() {
	quietly mount_image ro
	"$PEER" -q send "$MNT/tuesday" >/dev/null 2>"$WORK/log"
	KERNEL_SECONDS=$(kernel_send full)
	quietly kernel_send difference -p "$MNT/monday"
	unmount_image
	"$BTRFS" -q send "$IMAGE" /tuesday >/dev/null
	OUR_SECONDS=$(our_send full)
	quietly our_send difference -p /monday
}

same_streams() {
	cmp "$WORK/$1.kernel" "$WORK/$1.ours" || die "the two streams differ"
}

compare() {
	local size

	[ -n "$KERNEL_SECONDS" ] || die "the kernel's send failed: $(cat "$WORK/log")"
	[ -n "$OUR_SECONDS" ] || die "our send failed: $(cat "$WORK/log")"
	same_streams full
	same_streams difference
	size=$(stat -c %s "$WORK/full.ours")
	note "" "A full send of $((size / MIB)) MiB to a file, warm cache:" ""
	awk -v k="$KERNEL_SECONDS" -v o="$OUR_SECONDS" -v mib="$((size / MIB))" 'BEGIN {
		printf "    kernel, image mounted      %6.2f s  %6.0f MiB/s\n", k, mib / k
		printf "    ours, image not mounted    %6.2f s  %6.0f MiB/s\n", o, mib / o
		printf "    ratio                      %6.1f\n", k / o
	}'
	note "" "The streams are the same, byte for byte, also those of the difference to monday:" ""
	(cd "$WORK" && sha256sum full.kernel full.ours difference.kernel difference.ours) |
		sed 's/^/    /'
}

part_beside_kernel() {
	local lack

	title "2. Real data, beside the kernel"
	lack=$(kernel_lacks)
	if [ -n "$lack" ]; then
		note "Left out: this part mounts an image to let the kernel send, and needs $lack."
		return
	fi
	note "Up to 350 MiB of /usr/include and /usr/share, in a subvolume with two snapshots."
	make_image || {
		note "" "Left out: the image cannot be mounted here:" "$(excerpt 3 <"$WORK/log")"
		return
	}
	run 10 "$BTRFS" subvolume list -t "$IMAGE"
	run 9 "$BTRFS" subvolume show "$IMAGE" /tuesday
	time_sends
	compare
	run 12 "$BTRFS" receive --dump -f "$WORK/difference.ours"
}

main() {
	local part

	cd "$REPO" || exit 1
	[ -x "$BTRFS" ] || die "$BTRFS is not built: make"
	WORK=$(mktemp -d "$(choose_dir)/btrfs-demo.XXXXXXXX") || die "no scratch space"
	MNT=$WORK/mnt
	mkdir "$MNT"
	trap clean_up EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	trap 'exit 129' HUP
	[ $# -gt 0 ] || set -- 1 2
	for part; do
		case $part in
		1) part_without_root ;;
		2) part_beside_kernel ;;
		*) die "no such part: $part" ;;
		esac
	done
	title "What next"
	if [ -e "$EXAMPLE" ]; then
		note "  $EXAMPLE stays; README.md has examples for it."
	else
		note "  README.md has examples; build/btrfs --help lists the commands."
	fi
	note ""
}

main "$@"
