#!/bin/bash
# dump-tree prints what the existing tool prints, byte for byte but for the first
# line, of every kind of image and with every option; and what it says and returns
# when there is something that it cannot print.

# shellcheck source=../lib/cli.sh
. "$(dirname "$0")/../lib/cli.sh"
# shellcheck source=../lib/zoo.sh
. "$TESTS_LIB/zoo.sh"

need_kernel
need_program
# Later versions print more: the text is that of 6.2.
[[ $("$PEER" --version) == *" v6.2"* ]] || skip_all "needs btrfs-progs 6.2 to compare with"

LIVE=$WORK/live.img	# a copy taken while mounted
TARGETS=()		# what the next comparison is about: the first device, then the others

# What every image is compared with; the options one by one are compared below.
EVERY=("--csum-headers --csum-items" "-R --dfs")

# same NAME OPTION...: the output on TARGETS is the peer's.
same() {
	local name=$1
	shift

	# It says on stdout what belongs to stderr.
	"$PEER" inspect-internal dump-tree "$@" "${TARGETS[@]}" 2>/dev/null |
		sed -e 1d -e '/^warning, device/d' >"$WORK/expected"
	run_ours inspect-internal dump-tree "$@" "${TARGETS[@]}" || complain "exit status $?"
	tail -n +2 "$OUT" >"$WORK/got"
	cmp -s "$WORK/expected" "$WORK/got" ||
		complain "$(diff -a "$WORK/expected" "$WORK/got" | head -n 8 | cut -c -200)"
	verdict "$name: ${*:-no options}"
}

same_everywhere() {
	local options

	for options in "${EVERY[@]}"; do
		# shellcheck disable=SC2086 # words
		same "$1" $options
	done
}

# Is it there at all?  What a scenario is about must not silently fail to be made.
holds() {
	"$PEER" inspect-internal dump-tree "${TARGETS[@]}" 2>/dev/null | grep -aq -- "$2" ||
		diag "$1: the image holds no '$2'"
}

wanted() { [[ $1 =~ ${BTRFS_TEST_ONLY:-} ]]; }

not_made() {
	not_ok "$1: image made"
	diag <"$WORK/mkfs.log"
}

# fresh NAME COUNT SIZE [MKFS-OPTION...]: as mkfs leaves it.
fresh() {
	local name=$1
	shift

	wanted "$name" || return
	make_images "$@" || { not_made "$name"; return; }
	TARGETS=("${IMAGES[@]}")
	same_everywhere "$name"
}

# image NAME FILL MOUNT-OPTIONS COUNT SIZE [MKFS-OPTION...]: FILL runs in the mounted
# top level.  It may leave LIVE, which then is what is compared.
image() {
	local name=$1 fill=$2 options=$3
	shift 3

	wanted "$name" || return
	rm -f "$LIVE"
	make_images "$@" && mount_images "$options" && (cd "$MNT" && "$fill") >"$WORK/mkfs.log" 2>&1 ||
		{ unmount_images; not_made "$name"; return; }
	unmount_images
	TARGETS=("${IMAGES[@]}")
	[ ! -f "$LIVE" ] || TARGETS=("$LIVE")
	same_everywhere "$name"
}

# A copy of the one device as it is now, its transaction committed.
copy_live() {
	sync -f . && cp --sparse=always "${IMAGES[0]}" "$LIVE"
}

# --- what goes into the images ------------------------------------------------

nothing() { :; }

snapshots() {
	zoo_files
	peer subvolume create sub && peer subvolume create sub/nested
	cp -r files sub
	peer subvolume snapshot -r sub ro && peer subvolume snapshot sub rw
	echo more >rw/more
	peer subvolume delete sub/nested
	peer subvolume set-default 256 .
}

received() {
	peer subvolume create src && echo x >src/f && peer subvolume snapshot -r src s1
	mkdir in && peer send -f "$WORK/stream" s1 && peer receive -f "$WORK/stream" in
}

# Nodes of two levels, and blocks that several trees share.
many_files() {
	mkdir big && (cd big && seq 1 1500 | sed 's/^/a-file-with-a-longer-name-/' | xargs touch)
	peer subvolume create sub && (cd sub && seq 1 700 | xargs touch)
	peer subvolume snapshot sub snap
	(cd sub && seq 1 7 700 | xargs rm)
	peer subvolume snapshot sub snap2
	sync -f . && peer subvolume delete -c sub && sync -f .
}

quotas() {
	peer quota enable . && peer subvolume create a && peer subvolume create b
	peer qgroup create 1/7 . && peer qgroup create 2/1 .
	peer qgroup assign 0/256 1/7 . && peer qgroup assign 1/7 2/1 .
	peer qgroup limit 100M a && peer qgroup limit -e 50M 1/7 .
	fill a/f 0 200K 1
	sync -f .
}

# Past the names that one item holds, in one directory and across several.
hard_links() {
	local i

	mkdir d1 d2 && : >d1/file
	for ((i = 0; i < 50; i++)); do
		ln d1/file "d1/$(printf 'l%.0s' {1..100})$i"
	done
	for ((i = 0; i < 20; i++)); do
		ln d1/file "d2/m$i"
	done
}

odd_names() {
	: >$'tab\tand\\back' && : >$'\x01\x7f\xff' && : >'%s %n' && : >"$(printf '\xc3\xa4%.0s' {1..127})"
	setfattr -n user.bin -v 0x00ff0a41 'tab	and\back'
	setfattr -n user.long -v "$(printf 'v%.0s' {1..600})" '%s %n'
	setfattr -n "user.$(printf 'x%.0s' {1..240})" -v 1 '%s %n'
	chattr +i '%s %n' && chattr +AadS $'\x01\x7f\xff'
	sync -f . && chattr -i '%s %n' && chattr -a $'\x01\x7f\xff'
	ln -s "$(printf 't%.0s' {1..1000})" link
	touch -d '1901-01-01' old && touch -d '2400-06-01 12:00:00.123456789' new
}

compressed() {
	text text 0 600000 1 && text small 0 1500 2
	fill noise 0 300K 3
}

# One extent with more references than its item holds.
many_refs() {
	local i

	fill data 0 64K 1
	cp data copies
	for ((i = 1; i <= 45; i++)); do
		clone data 0 64K copies $((i * 131072))
	done
}

fragmented() {
	local i

	for ((i = 0; i < 120; i++)); do
		fill "f$i" 0 4096 "$i"
	done
	sync -f . && rm -f f*[13579] && sync -f .
}

log_tree() {
	mkdir d && (cd d && seq 1 40 | xargs touch) && peer subvolume create sv
	sync -f .
	echo logged >d/new && echo x >sv/n && ln d/new d/second && setfattr -n user.a -v b d/new
	mv d/1 d/renamed && rm d/2
	sync d/new sv/n d
	cp --sparse=always "${IMAGES[0]}" "$LIVE"
}

orphans() {
	echo gone >open && fill large 0 1M 1 && exec 8<>open 9<>large
	rm open large
	copy_live
	exec 8>&- 9>&-
}

# Deleted, and not yet taken apart.
dropped() {
	peer subvolume create sub && (cd sub && seq 1 800 | xargs touch)
	peer subvolume create sub2 && sync -f .
	peer subvolume delete sub sub2
	copy_live
}

# Paused between two chunks: what it needs to go on stays in the root tree.
balancing() {
	local i

	for ((i = 0; i < 6; i++)); do
		fill "f$i" 0 16M "$i"
	done
	sync -f .
	"$PEER" balance start --bg --full-balance "$MNT" || return
	for ((i = 0; i < 100; i++)); do
		[[ $("$PEER" balance status "$MNT") == *"is running"* ]] && break
	done
	"$PEER" balance pause "$MNT"
	copy_live
	"$PEER" balance cancel "$MNT" || true
}

# --- the images -----------------------------------------------------------------

fresh "as made" 1 120M
for csum in xxhash sha256 blake2; do
	image "csum $csum" zoo_extents "" 1 150M --csum "$csum"
done
image "zoo" zoo "" 1 200M
for size in 4k 64k; do
	image "nodes of $size" zoo "" 1 200M -n "$size"
done
image "two levels" many_files "" 1 200M -n 4k
image "mixed block groups" zoo "" 1 150M --mixed
image "raid1 data, raid0 metadata" zoo_files "" 2 200M -m raid0 -d raid1
image "raid5, raid6" zoo_files "" 4 200M -m raid6 -d raid5
image "raid10, raid1c3" zoo_files "" 4 200M -m raid1c3 -d raid10
image "raid1c4, single" zoo_files "" 4 200M -m raid1c4 -d single
image "no skinny metadata, holes, no extrefs" zoo "" 1 200M -O ^skinny-metadata,^no-holes,^extref
image "free space cache" zoo "space_cache=v1" 1 200M -R ^free-space-tree
image "free space bitmaps" fragmented "max_inline=0" 1 130M
wanted "free space bitmaps" && holds "free space bitmaps" FREE_SPACE_BITMAP
image "snapshots" snapshots "" 1 200M
image "received subvolume" received "" 1 200M
image "quotas" quotas "" 1 200M
image "many hard links" hard_links "" 1 150M -n 4k
wanted "many hard links" && holds "many hard links" INODE_EXTREF
image "odd names and times" odd_names "" 1 150M
for algorithm in zlib lzo zstd; do
	image "compressed with $algorithm" compressed "compress-force=$algorithm" 1 150M
done
image "many references" many_refs "" 1 150M -n 4k
wanted "many references" && holds "many references" EXTENT_DATA_REF
image "log trees" log_tree "" 1 150M
wanted "log trees" && holds "log trees" "log root tree"
image "orphans" orphans "" 1 150M
wanted "orphans" && holds "orphans" "ORPHAN ORPHAN_ITEM"
image "dropped subvolumes" dropped "" 1 150M
wanted "dropped" && holds "dropped subvolumes" "refs 0$"
image "interrupted balance" balancing "" 1 400M
wanted "interrupted" && holds "interrupted balance" "BALANCE TEMPORARY_ITEM"

# --- images made by other tools ----------------------------------------------

from_rootdir() {
	local name="sectors of 16k, by mkfs"

	wanted "$name" || return
	mkdir "$WORK/rootdir" && (cd "$WORK/rootdir" && zoo_files)
	IMAGES=("$WORK/dev1.img")
	rm -f "${IMAGES[0]}" && truncate -s 150M "${IMAGES[0]}"
	"$MKFS" -q -f -s 16k -n 16k --rootdir "$WORK/rootdir" "${IMAGES[0]}" >"$WORK/mkfs.log" 2>&1 ||
		{ not_made "$name"; return; }
	TARGETS=("${IMAGES[@]}")
	same_everywhere "$name"
}

other_uuid() {
	local name="metadata uuid"

	wanted "$name" || return
	make_images 1 120M && btrfstune -m "${IMAGES[0]}" >"$WORK/mkfs.log" 2>&1 ||
		{ not_made "$name"; return; }
	TARGETS=("${IMAGES[@]}")
	same_everywhere "$name"
}

converted() {
	local name="converted from ext4"

	wanted "$name" || return
	command -v btrfs-convert >/dev/null && command -v mkfs.ext4 >/dev/null ||
		{ skip "$name" "needs btrfs-convert and mkfs.ext4"; return; }
	IMAGES=("$WORK/dev1.img")
	rm -f "${IMAGES[0]}" && truncate -s 200M "${IMAGES[0]}"
	{ mkfs.ext4 -q -F -b 4096 -d "$TESTS_LIB" "${IMAGES[0]}" && btrfs-convert "${IMAGES[0]}"; } \
		>"$WORK/mkfs.log" 2>&1 || { not_made "$name"; return; }
	TARGETS=("${IMAGES[@]}")
	same_everywhere "$name"
}

sprout() {
	local name="sprout of a seed" spare=$WORK/spare.img

	wanted "$name" || return
	make_images 1 150M && mount_images && (cd "$MNT" && zoo_files) && unmount_images &&
		btrfstune -S 1 "${IMAGES[0]}" || { not_made "$name"; return; }
	truncate -s 200M "$spare"
	IMAGES+=("$spare")
	attach_images && mount -t btrfs "${LOOPS[0]}" "$MNT" 2>"$WORK/mkfs.log" &&
		peer device add -f "${LOOPS[1]}" "$MNT" >"$WORK/mkfs.log" && mount -o remount,rw "$MNT" &&
		echo new >"$MNT/new"
	unmount_images
	TARGETS=("$spare" "${IMAGES[0]}")
	same_everywhere "$name"
}

replaced() {
	local name="replaced device" spare=$WORK/spare.img

	wanted "$name" || return
	make_images 1 300M || { not_made "$name"; return; }
	truncate -s 300M "$spare"
	IMAGES+=("$spare")
	mkdir -p "$MNT"
	attach_images && mount -t btrfs "${LOOPS[0]}" "$MNT" && (cd "$MNT" && zoo_files) &&
		"$PEER" replace start -B -f 1 "${LOOPS[1]}" "$MNT" >"$WORK/mkfs.log" 2>&1
	unmount_images
	TARGETS=("$spare")
	holds "$name" DEV_REPLACE
	same_everywhere "$name"
	rm -f "$spare"
}

# mkfs 6.2 does not make it, so it is one of the images that others made, if they are here.
block_group_tree() {
	local name="block group tree" set=mut-fst-drop-extent--bgt
	local archive=${BTRFS_TEST_IMAGES:-$REPO/../shared/images}/fsck/$set.tar.xz

	wanted "$name" || return
	[ -f "$archive" ] || { skip "$name" "no images (BTRFS_TEST_IMAGES)"; return; }
	tar -C "$WORK" -xJf "$archive"
	TARGETS=("$WORK/$set.raw")
	same_everywhere "$name"
	same "$name" -t 11
	run_ours inspect-internal dump-tree -t block-group "${TARGETS[0]}"
	is "-t block-group is -t 11" "" "$(tail -n +2 "$OUT" | diff -a "$WORK/expected" - | head -n 5)"
}

from_rootdir
other_uuid
block_group_tree
converted
sprout
replaced

# --- a device that is missing ----------------------------------------------------

degraded() {
	local name="one device of raid1 missing"

	wanted "$name" || return
	make_images 2 200M -m raid1 -d raid1 || { not_made "$name"; return; }
	TARGETS=("${IMAGES[1]}")
	same "$name" --noscan
	TARGETS=("${IMAGES[0]}")
	same "$name" -t chunk
}
degraded

# --- trees, blocks, orders -------------------------------------------------------

details() {
	local tree blocks

	wanted "names, blocks and orders" || return
	make_images 1 200M -n 4k && mount_images && (cd "$MNT" && many_files) \
		>"$WORK/mkfs.log" 2>&1 && (cd "$MNT" && quotas) >"$WORK/mkfs.log" 2>&1
	unmount_images
	TARGETS=("${IMAGES[@]}")
	for tree in root extent chunk device dev fs csum checksum quota uuid free_space FS_TREE \
		BTRFS_ROOT_TREE_OBJECTID btrfs_uuid_tree DATA_RELOC TREE_RELOC 257 999999; do
		same "tree" -t "$tree"
	done
	for tree in "" "--dfs" "--hide-names" -e -d -u -r -R "-t 5 --bfs" "-r -t 5" "-R -t 999" \
		"-t 5 -r -t 2" "-e -t 2" "-e -t 5" "-d -t 4" "-d -t 1" "-u -t 9" "-e -d" "-e -u" \
		"-d -u" "-e -r" "-d -r" "-u -R" "-t 7 --csum-items" "--noscan -r" "--roots" \
		"--extents" "--uuid" "--backups" "--tree 3"; do
		# shellcheck disable=SC2086
		same "combination" $tree
	done
	mapfile -t blocks < <(tree_blocks "${IMAGES[0]}" 5)
	same "block" -b "${blocks[0]}"
	same "block" -b "${blocks[1]}" --follow
	same "block" -b "${blocks[0]}" --follow --dfs
	same "block" --block "${blocks[3]}" -b "${blocks[0]}" -b "${blocks[2]}"
	same "block" -b "$(printf '0x%x' "${blocks[0]}")" -r -e
	same_by_other_names "${blocks[0]}"
}

# The other spellings, which the peer has not.
same_by_other_names() {
	local tree

	for tree in free-space:10 FREE-SPACE-TREE:free_space data-reloc:data_reloc; do
		run_ours inspect-internal dump-tree -t "${tree%:*}" "${IMAGES[0]}" && cp "$OUT" "$WORK/got"
		run_ours inspect-internal dump-tree -t "${tree#*:}" "${IMAGES[0]}"
		cmp -s "$OUT" "$WORK/got" || complain "the outputs differ"
		verdict "-t ${tree%:*} is -t ${tree#*:}"
	done
	run_ours inspect-internal dump-tree --offline --force -b "$1" "${IMAGES[0]}"
	is "--offline and --force change nothing" 0 $?
}
details

# --- what cannot be printed ------------------------------------------------------

# All that is printed of a damaged image: the peer's lines, here taken from the good one.
errors() {
	local leaf root

	wanted "errors" || return
	make_images 1 24M --mixed -n 4k && mount_images && (cd "$MNT" && seq 1 300 | xargs touch &&
		peer subvolume create sub) >/dev/null
	unmount_images
	GOOD_IMAGE=${IMAGES[0]}
	IMAGE=$GOOD_IMAGE
	fails "no operand" 2 'operand|argument|usage' inspect-internal dump-tree
	fails "unknown tree" 2 'nonsense' inspect-internal dump-tree -t nonsense "$IMAGE"
	fails "tree that is too large a number" 2 999999999999999999999 \
		inspect-internal dump-tree -t 999999999999999999999 "$IMAGE"
	fails "block that is no number" 2 '30k' inspect-internal dump-tree -b 30k "$IMAGE"
	fails "block that is negative" 2 '-5' inspect-internal dump-tree -b -5 "$IMAGE"
	fails "unknown option" 2 'nonsense' inspect-internal dump-tree --nonsense "$IMAGE"
	fails "no such file" 1 "$WORK/none" inspect-internal dump-tree "$WORK/none"
	fails "block outside of every chunk" 1 1099511627776 \
		inspect-internal dump-tree -b 1099511627776 "$IMAGE"
	fails "block that is not aligned" 1 30408705 inspect-internal dump-tree -b 30408705 "$IMAGE"
	fails "no log tree" 1 log inspect-internal dump-tree -t TREE_LOG "$IMAGE"
	fails "no block group tree" 1 'block group' inspect-internal dump-tree -t 11 "$IMAGE"

	IMAGE=$WORK/empty.img
	truncate -s 10M "$IMAGE"
	fails "no btrfs" 1 'empty.img|superblock|btrfs' inspect-internal dump-tree "$IMAGE"

	leaf=$(tree_blocks "$GOOD_IMAGE" 5 | sed -n 4p)
	TARGETS=("$GOOD_IMAGE")
	"$PEER" inspect-internal dump-tree "$GOOD_IMAGE" | tail -n +2 |
		without_block "$leaf" >"$WORK/expected"
	damaged_copy leaf && spoil_block "$IMAGE" "$leaf" 4096
	fails "a leaf that is damaged" 1 "$leaf" inspect-internal dump-tree "$IMAGE"
	is "all but the damaged leaf is printed" "" \
		"$(tail -n +2 "$OUT" | diff -a "$WORK/expected" - | head -n 5)"
	drop_copy

	root=$(tree_blocks "$GOOD_IMAGE" 256 | head -n 1)
	"$PEER" inspect-internal dump-tree -r "$GOOD_IMAGE" | tail -n +2 |
		grep -v " $root level" >"$WORK/expected"
	damaged_copy root && spoil_block "$IMAGE" "$root" 4096
	fails "the root of a subvolume that is damaged" 1 "$root" inspect-internal dump-tree -r "$IMAGE"
	is "all but the damaged tree is printed" "" \
		"$(tail -n +2 "$OUT" | diff -a "$WORK/expected" - | head -n 5)"
	drop_copy
}

# Cut one leaf out of a dump.
without_block() {
	awk -v block="$1" '/^[^\t]/ { if ($1 == "leaf" || $1 == "node") skip = $2 == block
		else if ($1 != "fs" && $1 != "chunk" || $2 != "uuid") skip = 0 }
		!skip'
}
errors

done_testing
