#!/bin/bash
# Measure send against the kernel: the same file system, mounted for the kernel
# and unmounted for us, in one run with warm caches.  Prints figures, judges
# nothing; see README beside this file.
#
#	bench/run.sh [SECTION...]	default: all of usr small incremental compressed
#
# Environment:
#
#	BTRFS        program to measure (default: build/btrfs)
#	BENCH_RUNS   rounds (5)
#	BENCH_DIR    where images and streams are put (default: /dev/shm when there
#	             is enough memory, else ${TMPDIR:-/tmp}); a private folder in it
#	             is made, up to 8 GiB large, and removed
set -u

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BTRFS=$(realpath -m "${BTRFS:-$HERE/../build/btrfs}")
PATH=$PATH:/usr/sbin:/sbin
RUNS=${BENCH_RUNS:-5}
export LC_ALL=C

GIB=$((1 << 30))
USR_BYTES=2300000000	# as copied; what lies below $USR_ROOT is not all taken
USR_ROOT=/usr
SMALL_FILES=300000
CHANGED_FILES=1000
SECTIONS=(usr small incremental compressed)
SCRATCH_NEEDED=$((8 * GIB))	# an image, two streams of the same size, and air
MEMORY_NEEDED=$((10 * GIB))

WORK=
MNT=
IMAGE=
LOOP=
# What a section wants of both sides' sends, besides the snapshot.
PARENT=
OPTIONS=()

say() { printf '%s\n' "$*" >&2; }

die() {
	say "ERROR: $*"
	exit 1
}

tools() { python3 "$HERE/tools.py" "$@"; }

# --- the place --------------------------------------------------------------

free_bytes() { df -B1 --output=avail "$1" | tail -n 1; }

available_memory() { awk '/^MemAvailable:/ { printf "%.0f", $2 * 1024 }' /proc/meminfo; }

# /dev/shm keeps the disk out of the figures, but takes from memory what it holds.
choose_dir() {
	if [ -n "${BENCH_DIR:-}" ]; then
		echo "$BENCH_DIR"
	elif [ "$(stat -f -c %T /dev/shm 2>/dev/null)" = tmpfs ] &&
	     [ "$(available_memory)" -gt "$MEMORY_NEEDED" ] &&
	     [ "$(free_bytes /dev/shm)" -gt "$SCRATCH_NEEDED" ]; then
		echo /dev/shm
	else
		echo "${TMPDIR:-/tmp}"
	fi
}

need_machine() {
	local program

	[ "$(id -u)" -eq 0 ] || die "cannot measure: needs root, to mount"
	[ -x "$BTRFS" ] || die "cannot measure: $BTRFS is not built"
	[ -c /dev/loop-control ] || die "cannot measure: needs loop devices"
	grep -qw btrfs /proc/filesystems || modprobe btrfs 2>/dev/null
	grep -qw btrfs /proc/filesystems || die "cannot measure: the kernel has no btrfs"
	for program in btrfs mkfs.btrfs losetup python3 tar; do
		command -v "$program" >/dev/null || die "cannot measure: needs $program"
	done
	[[ $RUNS =~ ^[1-9][0-9]*$ ]] || die "BENCH_RUNS: not a number of rounds: $RUNS"
}

make_work() {
	local dir

	dir=$(choose_dir)
	[ "$(free_bytes "$dir")" -gt "$SCRATCH_NEEDED" ] ||
		die "cannot use $dir: less than $((SCRATCH_NEEDED / GIB)) GiB free (see BENCH_DIR)"
	WORK=$(mktemp -d "$dir/btrfs-bench.XXXXXXXX") || die "cannot make a folder in $dir"
	MNT=$WORK/mnt
	mkdir "$MNT"
	: >"$WORK/figures"
}

# shellcheck disable=SC2317 # called by the trap
clean_up() {
	local status=$?

	trap '' INT TERM HUP
	trap - EXIT
	if [ -n "$WORK" ]; then
		cd /
		unmount_image
		rm -rf --one-file-system "$WORK"
	fi
	exit "$status"
}

# --- the image ----------------------------------------------------------------

mount_image() {
	LOOP=$(losetup -f --show "$IMAGE") || die "cannot attach $IMAGE"
	mount -t btrfs "$@" "$LOOP" "$MNT" || die "cannot mount $IMAGE"
}

# The device vanishes late when a scanner of the system holds it: until then the
# image counts as in use.
unmount_image() {
	local tries

	mountpoint -q "$MNT" && umount "$MNT"
	[ -n "$LOOP" ] || return 0
	losetup -d "$LOOP" 2>/dev/null
	for ((tries = 0; tries < 100; tries++)); do
		[ -z "$(losetup -n -j "$IMAGE" 2>/dev/null)" ] && break
		sleep 0.1
	done
	LOOP=
}

take_snapshot() {
	btrfs -q subvolume snapshot -r "$MNT/sub" "$MNT/$1" || die "cannot make a snapshot"
}

# make_image MOUNT-OPTIONS FILL [CHANGE]: sub, filled by FILL, and its read-only
# snapshot snap.  With CHANGE, another one from before that is the parent.
make_image() {
	IMAGE=$WORK/image
	truncate -s 6G "$IMAGE"
	mkfs.btrfs -q -f "$IMAGE" >/dev/null || die "cannot make a file system"
	mount_image -o "$1"
	btrfs -q subvolume create "$MNT/sub" || die "cannot make a subvolume"
	"$2" "$MNT/sub" || die "cannot fill the image"
	if [ -n "${3:-}" ]; then
		PARENT=before
		take_snapshot "$PARENT"
		"$3" "$MNT/sub" || die "cannot change the image"
	fi
	take_snapshot snap
	unmount_image
	say "$(du -m "$IMAGE" | cut -f 1) MiB in $WORK"
}

drop_image() {
	rm -f "$IMAGE" "$WORK"/*.stream
	IMAGE=
	PARENT=
	OPTIONS=()
}

# --- measuring -------------------------------------------------------------------

# measure WHAT WHO TARGET OUT COMMAND...: one line of figures.
measure() {
	local what=$1 who=$2 target=$3 out=$4 seconds kib
	shift 4

	read -r seconds kib < <(tools run "$out" "$@" 2>"$WORK/log")
	# A command that failed has no figures.
	if [ -z "${seconds:-}" ]; then
		cat "$WORK/log" >&2
		die "$what, $who: failed: $*"
	fi
	printf '%s\t%s\t%s\t%s\t%s\n' "$what" "$who" "$target" "$seconds" "$kib" >>"$WORK/figures"
}

# Old pages of the last stream are given back outside the clock.
new_stream() {
	rm -f "$WORK/$1.stream"
	echo "$WORK/$1.stream"
}

# In a virtual machine the first use of a page may wait for the host to find one,
# which can cost more than all that is measured: take the memory for a stream and
# more, and give it back, before each side's turn.
warm_memory() {
	python3 -c 'import sys; b"x" * int(sys.argv[1])' $((6 * 1024 * 1024 * 1024))
}

# The first send after a mount reads what is not in memory yet and is not counted.
kernel_round() {
	local stream send=(btrfs -q send "${OPTIONS[@]}" ${PARENT:+-p "$MNT/$PARENT"})

	warm_memory
	mount_image -o ro
	"${send[@]}" "$MNT/snap" 2>"$WORK/log" >/dev/null || die "kernel send: $(cat "$WORK/log")"
	measure "$1, to /dev/null" kernel "$2" /dev/null "${send[@]}" "$MNT/snap"
	stream=$(new_stream kernel)
	measure "$1, to a file" kernel "$3" /dev/null "${send[@]}" -f "$stream" "$MNT/snap"
	unmount_image
}

our_round() {
	local stream send=("$BTRFS" -q send "${OPTIONS[@]}" ${PARENT:+-p "/$PARENT"})

	warm_memory
	"${send[@]}" "$IMAGE" /snap >/dev/null || die "our send failed"
	measure "$1, to /dev/null" ours "$2" /dev/null "${send[@]}" "$IMAGE" /snap
	stream=$(new_stream ours)
	measure "$1, to a file" ours "$3" /dev/null "${send[@]}" -f "$stream" "$IMAGE" /snap
}

# For scale: the least that reading or writing so many bytes costs here.
cat_round() {
	local copy

	measure "$1, cat to /dev/null" ours - /dev/null cat "$WORK/ours.stream"
	copy=$(new_stream kernel)
	measure "$1, cat to a file" ours - "$copy" cat "$WORK/ours.stream"
}

same_streams() {
	cmp "$WORK/kernel.stream" "$WORK/ours.stream" >&2 || die "$1: the streams differ"
	say "$1: streams are the same, $(stat -c %s "$WORK/ours.stream") bytes"
}

# compare_send WHAT TARGET-NULL TARGET-FILE: kernel and ours in turn, RUNS times.
compare_send() {
	local round

	for ((round = 1; round <= RUNS; round++)); do
		say "$1: round $round of $RUNS"
		kernel_round "$@"
		our_round "$@"
		[ "$round" -gt 1 ] || same_streams "$1"
		cat_round "$1"
	done
}

# --- sections ------------------------------------------------------------------------

# As much of it as a usual system has; cut off at the same place in every run.
fill_usr() {
	tools pick "$USR_ROOT" "$USR_BYTES" |
		tar -c --null --no-recursion -T - -P -f - 2>"$WORK/log" |
		tar -x -C "$1" --strip-components=1 -f - 2>>"$WORK/log"
}

fill_small() { tools small "$1" "$SMALL_FILES"; }

change_small() { tools change "$1" "$SMALL_FILES" "$CHANGED_FILES"; }

section_usr() {
	make_image defaults fill_usr
	compare_send "2.3 GB of $USR_ROOT" 8x 8x
	drop_image
}

section_small() {
	make_image defaults fill_small
	compare_send "$SMALL_FILES small files" 4x 4x
	drop_image
}

section_incremental() {
	make_image defaults fill_small change_small
	compare_send "$CHANGED_FILES changed of $SMALL_FILES files" 2x 2x
	drop_image
}

section_compressed() {
	OPTIONS=(--proto 2 --compressed-data)
	make_image compress=zstd fill_usr
	compare_send "$USR_ROOT in zstd, as it is" 8x 8x
	drop_image
}

main() {
	local section sections=("$@")

	[ $# -gt 0 ] || sections=("${SECTIONS[@]}")
	for section in "${sections[@]}"; do
		[ "$(type -t "section_$section")" = function ] ||
			{ say "ERROR: no such section: $section (${SECTIONS[*]})"; exit 2; }
	done
	need_machine
	trap clean_up EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	trap 'exit 129' HUP
	make_work
	for section in "${sections[@]}"; do
		"section_$section"
	done
	printf '%s, %s CPUs, %s, median of %s\n' "$(uname -sr)" "$(nproc)" \
		"$("$BTRFS" version)" "$RUNS"
	tools table "$WORK/figures"
}

main "$@"
