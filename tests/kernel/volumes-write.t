#!/bin/bash
# Writing to logical addresses, judged by the kernel: bytes put straight under a
# file without checksums are what the kernel then reads from it, with all devices
# and, as far as the profile bears it, without any one of them.  The superblocks
# that are written along are looked at by others than us.

# shellcheck source=../lib/harness.sh
. "$(dirname "$0")/../lib/harness.sh"
# shellcheck source=../lib/kernel.sh
. "$TESTS_LIB/kernel.sh"

need_kernel
WRITE=${BTRFS_BUILD:-$REPO/build}/tests/helpers/write-logical
[ -x "$WRITE" ] || skip_all "tests/helpers/write-logical is not built"
export BTRFS_LOCK_DIR=$WORK/locks
mkdir -p "$BTRFS_LOCK_DIR"

SIZE=$((5 * 1024 * 1024 + 12288))

# Bytes that are not the same twice.
noise() { openssl enc -aes-128-ctr -K "$1" -iv 0 </dev/zero 2>/dev/null | head -c "$SIZE"; }
command -v openssl >/dev/null || skip_all "needs openssl"
noise 1111 >"$WORK/first"
noise 2222 >"$WORK/second"

# A file of zeros without checksums; where it lies goes to EXTENTS.
make_file() {
	mkdir "$MNT/d" && chattr +C "$MNT/d" &&
		dd if=/dev/zero of="$MNT/d/f" bs="$SIZE" count=1 conv=fsync status=none || return 1
	mapfile -t EXTENTS < <(filefrag -e -b1 "$MNT/d/f" | sed 's/\.\./ /g; s/:/ /g' |
		awk '$1 ~ /^[0-9]+$/ { printf "%d:%d:%d\n", $4, $2, $6 }')
	[ "${#EXTENTS[@]}" -gt 0 ]
}

# reads NAME FILE [OPTIONS]: the kernel reads FILE from what is in IMAGES.
reads() {
	if mount_images "${3:-ro}" && cmp -s "$2" "$MNT/d/f"; then
		unmount_images
		ok "$1"
	else
		unmount_images
		not_ok "$1"
	fi
}

# writes NAME FILE [OPTION]
writes() {
	if "$WRITE" ${3:+"$3"} "${IMAGES[@]}" -- "$2" "${2##*/}" "${EXTENTS[@]}" >"$WORK/log" 2>&1
	then
		ok "$1"
	else
		not_ok "$1"
		diag <"$WORK/log"
	fi
}

# Every copy on every device is good, has the label, and blkid finds it.
supers() {
	local image copies bad=0

	for image in "${IMAGES[@]}"; do
		copies=$("$PEER" inspect-internal dump-super -fa "$image" 2>&1 |
			grep -c -e '^csum.*\[match\]' -e "^label.*$2\$")
		[ "$copies" -eq 4 ] || { bad=1; diag "$image: $copies"; }
		[ "$(blkid -p -s LABEL -o value "$image")" = "$2" ] || { bad=1; diag "$image: blkid"; }
	done
	if [ "$bad" -eq 0 ]; then ok "$1"; else not_ok "$1"; fi
}

# profile PROFILE DEVICES: a device is taken away if the profile bears it.
profile() {
	local lost all name="$1 on $2"

	if ! { make_images "$2" 300M -d "$1" -m "$3" && mount_images && make_file &&
		unmount_images; }; then
		not_ok "$name: a file to write to"
		return
	fi
	writes "$name: writing" "$WORK/first"
	reads "$name: the kernel reads it" "$WORK/first"
	supers "$name: superblocks" first
	[ "$3" = single ] && return
	all=("${IMAGES[@]}")
	for ((lost = 0; lost < $2; lost++)); do
		IMAGES=("${all[@]}")
		unset "IMAGES[$lost]"
		IMAGES=("${IMAGES[@]}")
		reads "$name: the kernel reads it without device $((lost + 1))" "$WORK/first" \
			ro,degraded
	done
	# The last one is missing now.
	writes "$name: writing without it" "$WORK/second" --degraded
	reads "$name: the kernel reads that, too" "$WORK/second" ro,degraded
}

profile dup 1 single
profile raid0 3 single
profile raid10 4 raid1
profile raid5 4 raid5
profile raid6 4 raid6

done_testing
