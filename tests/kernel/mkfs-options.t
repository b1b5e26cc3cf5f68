#!/bin/bash
# File systems of every shape, empty, made by our mkfs: the peer's check finds
# nothing, the kernel mounts them and writes to them, and all is still good then.

# shellcheck source=../lib/mkfs.sh
. "$(dirname "$0")/../lib/mkfs.sh"

need_program
need_kernel

made "as it comes"
made "single metadata" -m single
made "no free space tree" -O ^free-space-tree
made "no no-holes" -O ^no-holes
made "block group tree" -O block-group-tree
made "quota" -O quota
made "no extref, no skinny metadata" -O '^extref,^skinny-metadata'
made "label and uuid" -L "a label" -U 01234567-89ab-4def-8123-456789abcdef

for node in 4096 8192 32768 65536; do
	made "node size $node" -n "$node"
done
for csum in xxhash sha256 blake2; do
	made "checksum $csum" --csum "$csum"
done

SIZE=120M
made "mixed block groups" -M
made "mixed block groups, dup" -M -m dup -d dup
SIZE=256M
made "dup data" -d dup
for profile in raid0 raid1; do
	NR=2 made "$profile on two" -d "$profile" -m "$profile"
done
NR=2 made "several devices as it comes"
NR=3 made "raid1c3" -d raid1c3 -m raid1c3
NR=4 made "raid1c4" -d raid1c4 -m raid1c4
NR=4 made "raid10" -d raid10 -m raid10
NR=3 made "raid5" -d raid5 -m raid5
NR=4 made "raid6" -d raid6 -m raid6
NR=4 made "raid0 on four, metadata raid1" -d raid0 -m raid1
NR=3 made "mixed on three, raid1" -M -d raid1 -m raid1

# --- the same as the peer makes -------------------------------------------------

# What is random, or where a tree block happens to stand, has no part in this.
tree_items() {
	"$PEER" inspect-internal dump-tree "$1" 2>/dev/null |
		sed -E 's/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/UUID/g
			s/(itemoff|free space|bytenr) [0-9]+/\1/g
			s/^leaf [0-9]+/leaf/; s/[0-9]+\.[0-9]+ \([-0-9: ]+\)/TIME/
			s/generation(_v2)? [0-9]+/generation/g; s/ gen [0-9]+/ gen/
			s/key \([0-9]+ METADATA_ITEM/key (BLOCK METADATA_ITEM/
			s/key \(0x[0-9a-f]+ UUID_KEY_SUBVOL 0x[0-9a-f]+/key (UUID/' |
		grep -vE 'FREE_SPACE|free space|^chunk uuid|^fs uuid|^btrfs-progs' |
		sed -E 's/^\titem [0-9]+/\titem/' | sort
}

# same_as_peer NAME [OPTION...]
same_as_peer() {
	local name=$1
	shift

	fresh_images
	"$MKFS" -q -f "$@" "${IMAGES[@]}" >/dev/null 2>&1 || wrong "the peer cannot"
	attach_images
	tree_items "${LOOPS[0]}" >"$WORK/peer"
	detach_images
	fresh_images
	run_mkfs "$@" || wrong "$(cat "$WORK/mkfs.err")"
	attach_images
	tree_items "${LOOPS[0]}" >"$WORK/ours"
	detach_images
	[ -s "$WORK/peer" ] || wrong "the peer's trees cannot be read"
	cmp -s "$WORK/peer" "$WORK/ours" || wrong "$(diff "$WORK/peer" "$WORK/ours")"
	judge "same items as the peer's: $name"
}

SIZE=300M same_as_peer "300 MiB"
SIZE=1G same_as_peer "1 GiB"
SIZE=10G same_as_peer "10 GiB"
SIZE=60G same_as_peer "60 GiB"
same_as_peer "single" -m single -d single
same_as_peer "mixed" -M
same_as_peer "dup data" -d dup -m dup
same_as_peer "old features" -O '^no-holes,^extref' -R '^free-space-tree'
NR=2 SIZE=1G same_as_peer "two devices"
NR=2 SIZE=1G same_as_peer "raid0" -d raid0 -m raid0
NR=4 SIZE=2G same_as_peer "raid10" -d raid10 -m raid10
NR=3 SIZE=2G same_as_peer "raid5" -d raid5 -m raid5

done_testing
