#!/bin/bash
# Managing space in transactions: extents come and go by the thousand, are
# shared by clones and snapshots, devices get full and empty again, chunks are
# made and removed.  Afterwards the peer's check is clean, the kernel shows the
# content that was written, finds nothing when it scrubs, and can go on writing.

. "$(dirname "$0")/../lib/harness.sh"
. "$TESTS_LIB/kernel.sh"

HELPERS=${BTRFS_BUILD:-$REPO/build}/tests/helpers
WORKLOAD=$HELPERS/space-workload
FILES=4

need_kernel
[ -x "$WORKLOAD" ] || skip_all "needs $WORKLOAD (make test-binaries)"

# The peer finds the devices of one file system among those that were scanned.
check_images() {
	local status

	attach_images || return 1
	"$PEER" device scan "${LOOPS[@]}" >/dev/null 2>&1
	"$PEER" check "${LOOPS[0]}" >"$WORK/check.log" 2>&1
	status=$?
	detach_images
	return "$status"
}

# Empty files for the workload, and what the test wants to be there before.
prepare() {
	local i status=0

	make_images "$@" && mount_images "${MOUNT_OPTIONS:-}" || return 1
	for ((i = 0; i < FILES; i++)); do : >"$MNT/f$i"; done
	[ -z "${BEFORE:-}" ] || "$BEFORE" >"$WORK/before.log" 2>&1 || status=1
	find "$MNT"/kept* -type f -exec sha256sum {} + 2>/dev/null | sort >"$WORK/kept"
	unmount_images
	return "$status"
}

# Files that share extents with snapshots, many references to one extent.
share_extents() {
	local i j

	for ((i = 0; i < FILES; i++)); do
		for ((j = 0; j < 30; j++)); do
			head -c 12288 /dev/urandom |
				dd of="$MNT/f$i" bs=4096 seek=$((j * 7)) conv=notrunc || return 1
		done
	done
	sync -f "$MNT"
	for i in 1 2 3; do
		"$PEER" subvolume snapshot "$MNT" "$MNT/kept$i" || return 1
		cp --reflink=always "$MNT/f0" "$MNT/kept$i/more" || return 1
		dd if=/dev/urandom of="$MNT/f$i" bs=4096 count=3 seek=$((i * 9)) conv=notrunc
	done
	"$PEER" subvolume snapshot -r "$MNT/kept1" "$MNT/kept4"
}

same_content() {
	local folder i name

	for folder in "$WORK/expect" "$WORK/expect"/s*; do
		[ -d "$folder" ] || continue
		name=${folder#"$WORK/expect"}
		for ((i = 0; i < FILES; i++)); do
			cmp "$MNT$name/f$i" "$folder/$((257 + i))" || return 1
		done
	done
	find "$MNT"/kept* -type f -exec sha256sum {} + 2>/dev/null | sort |
		cmp - "$WORK/kept"
}

# The kernel takes over: old space is freed, new taken, and its scrub is content.
kernel_goes_on() {
	rm -f "$MNT/f0" && head -c 2M /dev/urandom >"$MNT/g" && sync -f "$MNT" &&
		"$PEER" scrub start -B "$MNT" >"$WORK/scrub.log" 2>&1 &&
		grep -q 'no errors found' "$WORK/scrub.log"
}

# What is wrong, or nothing.
judge() {
	check_images || { echo "check"; cat "$WORK/check.log"; return; }
	mount_images "${MOUNT_OPTIONS:-}" || { echo "mount"; return; }
	same_content 2>&1 || { echo "content"; return; }
	kernel_goes_on || { echo "the kernel's turn"; cat "$WORK/scrub.log"; return; }
	unmount_images || { echo "unmount"; return; }
	check_images || { echo "check after the kernel"; cat "$WORK/check.log"; }
}

# workload NAME DEVICES SIZE "MKFS-OPTION..." WORKLOAD-OPTION...
workload() {
	local name=$1 devices=$2 size=$3 mkfs=$4 verdict
	shift 4

	[[ -z ${BTRFS_TEST_ONLY:-} || $name =~ $BTRFS_TEST_ONLY ]] || return
	rm -rf "$WORK/expect"
	mkdir "$WORK/expect"
	# shellcheck disable=SC2086 # several options
	prepare "$devices" "$size" $mkfs || { skip "$name" "cannot make it"; return; }
	if [ -n "${GROUP_TREE:-}" ]; then
		"$HELPERS/to-block-group-tree" "${IMAGES[@]}" || { not_ok "$name"; return; }
	fi
	bounded 120 "$WORKLOAD" --files="257,$FILES" --expect="$WORK/expect" "$@" \
		"${IMAGES[@]}" >"$WORK/log" 2>&1
	if [ $? -ne 0 ] || misbehaved 0 "$WORK/log" >/dev/null; then
		not_ok "$name"
		tail -n 20 "$WORK/log" | diag
		return
	fi
	verdict=$(judge)
	unmount_images
	is "$name" "" "$verdict"
}

# has NAME REGEX: whether the last image had come to a state that is worth a test.
has() {
	[[ -z ${BTRFS_TEST_ONLY:-} ]] || return
	if "$PEER" inspect-internal dump-tree "${IMAGES[0]}" 2>/dev/null | grep -q "$2"; then
		ok "$1"
	else
		not_ok "$1"
	fi
}

workload "more references than fit into an item" 1 256M "-n 4096" --blocks=2048 --ops=1500 \
	--seed=2 --hot
has "references have items of their own" "key ([0-9]* EXTENT_DATA_REF"
has "free space became bitmaps" FREE_SPACE_BITMAP
BEFORE=share_extents workload "extents shared with snapshots of the kernel" 1 256M "-n 4096" \
	--blocks=2048 --ops=800 --seed=3 --hot
has "references by block" "shared data backref"
BTRFS_DIRTY_LIMIT=128K workload "snapshots come and go, blocks written before the commit" 1 256M \
	"-n 4096" --blocks=1024 --ops=800 --seed=4 --hot --snapshots=4 --commit=80
workload "old extent items, holes as items" 1 256M "-n 4096 -O ^skinny-metadata,^no-holes" \
	--blocks=1024 --ops=600 --seed=5 --hot --snapshots=3
MOUNT_OPTIONS=space_cache workload "groups with an old free space cache are removed" 1 2G \
	"-R ^free-space-tree" --blocks=1024 --ops=300 --seed=7 --chunks=2
workload "largest nodes" 1 256M "-n 65536" --blocks=1024 --ops=600 --seed=8
GROUP_TREE=1 workload "block group tree, chunks made and removed" 1 1G "" --blocks=1024 \
	--ops=300 --seed=9 --chunks=2
workload "full, and emptied, and full again" 1 120M "" --fill --blocks=8192 --piece=2048 \
	--ops=60 --commit=20 --seed=11
workload "mixed groups, full" 1 120M "-M" --fill --blocks=8192 --piece=1024 --ops=80 \
	--commit=20 --seed=12
workload "raid10 and raid1c3" 4 300M "-d raid10 -m raid1c3" --blocks=1024 --ops=300 \
	--seed=14 --chunks=1
workload "raid6 and raid0" 4 300M "-d raid6 -m raid0" --blocks=1024 --ops=300 --seed=15 --chunks=1

done_testing
