#!/bin/bash
# Changing trees in transactions: a program around the library makes random
# changes to images that the kernel made (and goes on to change in between), and
# says what must be there.  After each batch the peer's check is clean, the
# kernel mounts it and shows exactly that, and its scrub finds nothing.

. "$(dirname "$0")/../lib/harness.sh"
. "$TESTS_LIB/kernel.sh"

WORKLOAD=${BTRFS_BUILD:-$REPO/build}/tests/helpers/trans-workload

need_kernel
[ -x "$WORKLOAD" ] || skip_all "needs $WORKLOAD (make test-binaries)"

# The peer finds the devices of one file system among those that were scanned.
check_images() {
	attach_images || return 1
	"$PEER" device scan "${LOOPS[@]}" >/dev/null 2>&1
	"$PEER" check "${LOOPS[0]}" >"$WORK/check.log" 2>&1
}

# What the kernel shows, without its own folder "k" and the root's size.
compare_manifest() {
	python3 "$TESTS_LIB/manifest.py" "$MNT" | grep -vE '^\. |/k( |/)' >"$WORK/got"
	grep -v '^\. ' "$WORK/want" | sort >"$WORK/sorted"
	diff "$WORK/sorted" "$WORK/got" | cut -c 1-200 >"$WORK/diff"
	[ ! -s "$WORK/diff" ]
}

# Snapshots and clones of what the program made: it has to copy shared blocks then.
kernel_changes() {
	local nr file

	nr=$(find "$MNT/k" -mindepth 1 -maxdepth 1 | wc -l)
	peer subvolume snapshot -r "$MNT" "$MNT/k/snap$nr" || return 1
	[ ! -d "$MNT/k/snap0" ] || [ "$nr" -lt 2 ] || peer subvolume delete "$MNT/k/snap0"
	for file in "$MNT"/file*; do
		cp --reflink=always "$file" "$MNT/k/clone$nr" 2>/dev/null && break
	done
	echo "$nr" >"$MNT/k/file$nr"
}

# One batch is done; the exit status is the verdict, the reason goes to WORK/reason.
judge() {
	local status=0 reason=

	check_images || { reason="check"; cat "$WORK/check.log"; }
	detach_images
	[ -z "$reason" ] && { mount_images || reason="mount"; }
	[ -z "$reason" ] && { compare_manifest || { reason="content"; cat "$WORK/diff"; }; }
	if [ -z "$reason" ]; then
		"$PEER" scrub start -B "$MNT" >"$WORK/scrub.log" 2>&1
		grep -q 'no errors found' "$WORK/scrub.log" || { reason="scrub"; cat "$WORK/scrub.log"; }
	fi
	[ -z "$reason" ] && { kernel_changes || reason="changes by the kernel"; }
	unmount_images || reason="unmount"
	[ -z "$reason" ] || { echo "failed: $reason"; status=1; }
	return "$status"
}

# The program calls the judge in a shell of its own, which needs all of this one's.
write_hook() {
	{
		declare -p WORK MNT PEER TESTS_LIB IMAGES
		echo "LOOPS=()"
		declare -f
		echo judge
	} >"$WORK/hook"
}

prepare() {
	make_images "$@" && mount_images && mkdir "$MNT/k"
	local status=$?
	unmount_images
	return "$status"
}

# workload NAME DEVICES SIZE "MKFS-OPTION..." WORKLOAD-OPTION...
workload() {
	local name=$1 devices=$2 size=$3 mkfs=$4
	shift 4

	[[ -z ${BTRFS_TEST_ONLY:-} || $name =~ $BTRFS_TEST_ONLY ]] || return
	# shellcheck disable=SC2086 # several options
	prepare "$devices" "$size" $mkfs || { skip "$name" "cannot make it"; return; }
	write_hook
	bounded 300 "$WORKLOAD" --manifest="$WORK/want" --hook="bash $WORK/hook" "$@" \
		"${IMAGES[@]}" >"$WORK/log" 2>&1
	local status=$?
	if [ "$status" -eq 0 ] && ! misbehaved 0 "$WORK/log" >/dev/null; then
		ok "$name"
	else
		not_ok "$name"
		tail -n 40 "$WORK/log" | diag
	fi
	unmount_images
}

workload "everything, small nodes" 1 1G "-n 4096" --seed=1 --batches=2 --ops=150
workload "everything, large nodes and sha256" 1 1G "-n 65536 --csum sha256" --seed=2 --ops=120
workload "everything, no free space tree, holes as items, old extent items" 1 1G \
	"-n 4096 -R ^free-space-tree -O ^no-holes,^skinny-metadata,^extref" \
	--seed=3 --batches=2 --ops=120
workload "everything, mixed block groups" 1 300M "--mixed -n 4096" --seed=4 --ops=120
workload "everything, raid5" 3 1G "-d raid5 -m raid5" --seed=6 --ops=120
workload "what was never committed leaves no trace" 1 512M "" --seed=7 --ops=100 --abort
BTRFS_DIRTY_LIMIT=256K workload "blocks written before the commit" 1 512M "-n 4096" \
	--files=1500

done_testing
