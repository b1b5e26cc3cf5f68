#!/bin/bash
# The chunk allocator against the kernel's: what tests/helpers/plan-chunks says
# will come next is compared with what the kernel then allocates, when it is
# made to by preallocating files (data) or by a balance (metadata, system).

# shellcheck source=../lib/harness.sh
. "$(dirname "$0")/../lib/harness.sh"
# shellcheck source=../lib/kernel.sh
. "$TESTS_LIB/kernel.sh"

need_kernel
PLAN=${BTRFS_BUILD:-$REPO/build}/tests/helpers/plan-chunks
[ -x "$PLAN" ] || skip_all "tests/helpers/plan-chunks is not built"

DATA=0x1 SYSTEM=0x2 METADATA=0x4
declare -A PROFILE=([single]=0 [raid0]=0x8 [raid1]=0x10 [dup]=0x20 [raid10]=0x40
	[raid5]=0x80 [raid6]=0x100 [raid1c3]=0x200 [raid1c4]=0x400)

# make_sized MKFS-OPTION... -- SIZE...
make_sized() {
	local options=() size i=0

	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	IMAGES=()
	for size in "$@"; do
		i=$((i + 1))
		IMAGES+=("$WORK/dev$i.img")
		rm -f "$WORK/dev$i.img"
		truncate -s "$size" "$WORK/dev$i.img" || return 1
	done
	"$MKFS" -q -f "${options[@]}" "${IMAGES[@]}" >"$WORK/mkfs.log" 2>&1
}

# Files of one extent each until no chunk can be had.
fill_up() {
	local i

	for ((i = 0; i < 100; i++)); do
		fallocate -l "$1" "$MNT/$i" 2>/dev/null || return 0
	done
}

# predict FLAGS: chunks as they are in $WORK/before, those to come in $WORK/planned.
predict() {
	"$PLAN" "${IMAGES[@]}" -- "$1" 100 >"$WORK/plan" || return 1
	sed '/^planned$/,$d' "$WORK/plan" >"$WORK/before"
	sed '1,/^planned$/d' "$WORK/plan" >"$WORK/planned"
}

# New chunks of FLAGS in $WORK/made, as far as none of other flags is between them.
look_again() {
	"$PLAN" "${IMAGES[@]}" -- "$1" 0 >"$WORK/plan" || return 1
	sed '/^planned$/,$d' "$WORK/plan" | grep -vxFf "$WORK/before" |
		awk -v flags="$(($1))" '$3 != flags { exit } { print }' >"$WORK/made"
}

# same_chunks NAME EXACT: both lists begin with the same chunks, for the first EXACT with
# the same places; where devices are equal the kernel has no rule.  As many as were made,
# and at least one.
same_chunks() {
	local nr exact=$2

	nr=$(wc -l <"$WORK/made")
	{ head -n "$exact" "$WORK/planned"
	  head -n "$nr" "$WORK/planned" | cut -d ' ' -f 1-4; } >"$WORK/expected"
	{ head -n "$exact" "$WORK/made"
	  cut -d ' ' -f 1-4 "$WORK/made"; } >"$WORK/got"
	if [ "$nr" -ge "$exact" ] && [ "$nr" -gt 0 ] && cmp -s "$WORK/expected" "$WORK/got"; then
		ok "$1 ($nr chunks)"
		return
	fi
	not_ok "$1"
	diag "$nr chunks made; planned (<) and made (>):"
	diff "$WORK/expected" "$WORK/got" | head -n 20 | diag
}

# fills PROFILE STEP EXACT SIZE...
fills() {
	local profile=$1 step=$2 exact=$3 name="data $1 on ${*:4}"
	local flags=$((DATA | ${PROFILE[$1]}))
	shift 3

	if make_sized -d "$profile" -m single -- "$@" && predict "$flags" && mount_images &&
		fill_up "$step" && unmount_images && look_again "$flags"; then
		same_chunks "$name" "$exact"
	else
		not_ok "$name"
		unmount_images
	fi
}

# balances METADATA|SYSTEM PROFILE SIZE...: from single to PROFILE.
balances() {
	local type=$1 profile=$2 name="${1,,} $2 on ${*:3}" filter=-m
	local flags=$((${!1} | ${PROFILE[$2]}))
	shift 2

	[ "$type" = SYSTEM ] && filter=-s
	if make_sized -d single -m single -- "$@" && predict "$flags" && mount_images &&
		"$PEER" balance start -f "${filter}convert=$profile" "$MNT" >"$WORK/log" 2>&1 &&
		unmount_images && look_again "$flags"; then
		same_chunks "$name" 1
	else
		not_ok "$name"
		diag <"$WORK/log"
		unmount_images
	fi
}

fills single 1G 10 20G
fills raid0 3G 6 10G 9G 8G
fills raid1 1G 5 10G 8G 6G
fills raid10 2G 4 10G 9G 8G 7G
fills raid5 2G 5 10G 9G 8G
fills raid6 2G 4 10G 9G 8G 7G
fills raid6 3G 0 10G 10G 10G 10G 5G
fills raid1c3 1G 3 12G 9G 8G 4G
balances METADATA single 300M
balances METADATA dup 60G
balances METADATA raid1 10G 8G 7G
balances METADATA raid5 1G 800M 700M
balances METADATA raid0 40G 20G 10G
balances SYSTEM dup 10G

done_testing
