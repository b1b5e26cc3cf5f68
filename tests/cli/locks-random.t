#!/bin/bash
# Random starts, kills and waits of processes that send and that relocate, on one
# image: the two are never inside together, and nothing stale is ever left.  What
# is asserted is written in tests/helpers/lock-storm.c.
#
#	COUNT	how many are started (150); "COUNT=5000 make check
#		TESTS=tests/cli/locks-random.t" for a long run
#	SEED	of what is started (default: from the clock)

# shellcheck source=../lib/cli.sh
. "$(dirname "$0")/../lib/cli.sh"

need_program
HELPERS=${BTRFS_BUILD:-$REPO/build}/tests/helpers
[ -x "$HELPERS/lock-storm" ] || skip_all "tests/helpers/lock-storm is not built"

COUNT=${COUNT:-150}
SEED=${SEED:-$(date +%s)}
export BTRFS_LOCK_DIR=$WORK/locks BTRFS_LOCK_DIR_2=$WORK/locks2
IMAGE=$WORK/dev1.img
SNAPSHOT=

# Real sends need a snapshot, longer than a pipe holds, which only the kernel makes.
make_image() {
	make_images 1 128M || return 1
	[ -z "$(kernel_lacks)" ] || { diag "no real sends: $(kernel_lacks)"; return 0; }
	mount_images && fill "$MNT/file" 0 2M 1 &&
		peer subvolume snapshot -r "$MNT" "$MNT/snap" && unmount_images || return 1
	SNAPSHOT=/snap
}

make_image || { not_ok "an image could be made"; diag <"$WORK/mkfs.log"; done_testing; }
before=$(fingerprint)

diag "seed $SEED"
# storm MODE NAME.  The time is more than they ever need, also under a sanitizer.
storm() {
	local count=$((COUNT / 3)) status

	bounded $((count + 600)) "$HELPERS/lock-storm" "$1" "$HELPERS/hold-lock" "$BTRFS" \
		"$IMAGE" "$SNAPSHOT" "$count" "$SEED" >"$OUT" 2>&1
	status=$?
	if [ "$status" -eq 0 ]; then ok "$2"; else not_ok "$2 (exit status $status)"; fi
	head -n 40 "$OUT" | diag
}

storm both "send and relocation exclude each other and leave nothing behind"
storm lockfile "so does the lock file alone"
storm devices "so do the locks of the devices alone, with two lock directories"

for dir in "$BTRFS_LOCK_DIR" "$BTRFS_LOCK_DIR_2"; do
	is "nobody holds the lock of ${dir##*/} in the end" "holders:	0" \
		"$(BTRFS_LOCK_DIR=$dir "$BTRFS" inspect-internal locks "$IMAGE" | grep holders)"
done
is "the image is as it was" "$before" "$(fingerprint)"

done_testing
