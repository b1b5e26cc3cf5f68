#!/bin/bash
# mkfs --rootdir: what the kernel shows in the file system is what was in the folder,
# whatever the shape of the file system.

# shellcheck source=../lib/mkfs.sh
. "$(dirname "$0")/../lib/mkfs.sh"

need_program
need_kernel

SRC=$WORK/src

# A bit of everything; the mtime of a folder is set last.
make_source() {
	local i

	mkdir -p "$SRC"/{dir/deep/er,empty-dir,links,many,sizes}
	: >"$SRC/empty"
	for i in 1 100 2047 2048 2049 4095 4096 4097 8192 131071 131072 131073 1048576 1048577 3000000; do
		text "$SRC/sizes/text-$i" 0 "$i" "$i"
		fill "$SRC/sizes/random-$i" 0 "$i" "$i"
	done
	truncate -s 10M "$SRC/hole"
	fill "$SRC/sparse" 0 4096 3
	fill "$SRC/sparse" 2867200 5000 4
	truncate -s 9000001 "$SRC/sparse"
	for ((i = 0; i < 40; i++)); do ln "$SRC/sizes/text-100" "$SRC/links/link-$i"; done
	ln "$SRC/sizes/text-100" "$SRC/dir/deep/er/another"
	ln -s /nowhere/at/all "$SRC/dangling"
	ln -s "$(printf 'x%.0s' {1..1000})" "$SRC/long-link"
	mkfifo "$SRC/fifo"
	mknod "$SRC/char" c 5 300
	mknod "$SRC/block" b 4095 70000
	python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$SRC/sock"
	for ((i = 0; i < 600; i++)); do echo "$i" >"$SRC/many/file number $i"; done
	: >"$SRC/many/$(printf 'n%.0s' {1..255})"
	: >"$SRC/many/ünïcödé-名前"
	setfattr -n user.one -v "a value" "$SRC/sizes/text-100"
	setfattr -n user.big -v "$(printf 'y%.0s' {1..3000})" "$SRC/dir"
	setfattr -n trusted.t -v t "$SRC/empty"
	setfacl -m u:1234:rwx "$SRC/dir/deep" 2>/dev/null
	setfacl -d -m g:55:r-x "$SRC/dir/deep" 2>/dev/null
	cp /bin/true "$SRC/capable"
	setcap cap_net_raw+ep "$SRC/capable"
	chown 1000:2000 "$SRC/dir" "$SRC/sizes/text-1"
	chown -h 77:78 "$SRC/dangling"
	chmod 4751 "$SRC/sizes/text-4096"
	chmod 1777 "$SRC/empty-dir"
	touch -d '1999-12-31 23:59:59.123456789' "$SRC/sizes/text-1" "$SRC/dir/deep"
	touch -d '1901-12-31 23:59:59.5' "$SRC/empty"
}
make_source

filled "as it comes" "$SRC"
filled "zstd" "$SRC" --compress zstd
filled "zstd:15" "$SRC" --compress zstd:15
filled "lzo" "$SRC" --compress lzo
filled "zlib" "$SRC" --compress zlib:9
filled "no no-holes" "$SRC" -O ^no-holes
filled "no no-holes, zlib" "$SRC" -O ^no-holes --compress zlib
filled "no free space tree" "$SRC" -O ^free-space-tree
filled "block group tree" "$SRC" -O block-group-tree
filled "quota" "$SRC" -O quota
filled "old metadata items" "$SRC" -O ^skinny-metadata
for node in 4096 65536; do filled "node size $node" "$SRC" -n "$node"; done
for csum in xxhash sha256 blake2; do filled "checksum $csum" "$SRC" --csum "$csum"; done
SIZE=120M filled "mixed" "$SRC" -M
filled "one thread" "$SRC" --threads 1
filled "16 threads, zstd" "$SRC" --threads 16 --compress zstd
filled "shrunk" "$SRC" --shrink
filled "shrunk, zstd" "$SRC" --shrink --compress zstd
NR=2 filled "raid0" "$SRC" -d raid0 -m raid1
NR=3 filled "raid5" "$SRC" -d raid5 -m raid1c3
NR=4 filled "raid6, zstd" "$SRC" -d raid6 -m raid6 --compress zstd
NR=4 filled "raid10" "$SRC" -d raid10 -m raid10

# --- large --------------------------------------------------------------------

test_100000_entries() {
	local dir=$WORK/large

	mkdir -p "$dir/d"
	python3 - "$dir/d" <<-'END'
		import os, sys
		for i in range(100000):
		    os.close(os.open(f"{sys.argv[1]}/{i:x}-entry", os.O_CREAT | os.O_WRONLY))
		os.link(f"{sys.argv[1]}/0-entry", f"{sys.argv[1]}/first")
		for i in range(2000):
		    os.link(f"{sys.argv[1]}/0-entry", f"{sys.argv[1]}/more-{i}")
	END
	filled "100,000 entries in a folder, 2,000 links of a file" "$dir"
	rm -rf "$dir"
}
test_100000_entries

# --- reproducible ---------------------------------------------------------------

test_same_bytes() {
	local uuid=01234567-89ab-4def-8123-456789abcdef
	local options=(-q -U "$uuid" --compress zstd -b 256M)

	export SOURCE_DATE_EPOCH=1000000000
	"$BTRFS" mkfs "${options[@]}" --threads 1 -r "$SRC" "$WORK/one.img"
	cp -a "$SRC" "$WORK/copy"
	"$BTRFS" mkfs "${options[@]}" --threads 16 -r "$WORK/copy" "$WORK/two.img"
	unset SOURCE_DATE_EPOCH
	if cmp "$WORK/one.img" "$WORK/two.img"; then
		ok "the same bytes with 1 thread and, from a copy, with 16"
	else
		not_ok "the same bytes with 1 thread and, from a copy, with 16"
	fi
	rm -rf "$WORK"/{one,two}.img "$WORK/copy"
}
test_same_bytes

# --- subvolumes ---------------------------------------------------------------------

test_subvolumes() {
	fresh_images
	run_mkfs -r "$SRC" --subvol dir --subvol ro:dir/deep --subvol default:many ||
		wrong "$(cat "$WORK/mkfs.err")"
	attach_images
	peer_check "with subvolumes"
	detach_images
	mount_images || wrong "the kernel does not mount it"
	[ "$(stat -c %i "$MNT")" = 256 ] && [ -e "$MNT/file number 1" ] || wrong "not the default"
	umount "$MNT"
	mount -o subvolid=5 "${LOOPS[0]}" "$MNT"
	"$PEER" subvolume list "$MNT" | awk '{ print $NF }' | sort | tr '\n' ' ' >"$WORK/got"
	[ "$(cat "$WORK/got")" = "dir dir/deep many " ] || wrong "listed: $(cat "$WORK/got")"
	[ "$("$PEER" property get "$MNT/dir/deep" ro)" = ro=true ] || wrong "dir/deep is not ro"
	[ "$("$PEER" property get "$MNT/dir" ro)" = ro=false ] || wrong "dir is ro"
	diff -r --no-dereference "$SRC/many" "$MNT/many" >"$WORK/log" || wrong "$(head "$WORK/log")"
	"$PEER" -q send "$MNT/dir/deep" >"$WORK/stream" || wrong "cannot be sent"
	"$PEER" subvolume delete "$MNT/dir/deep" >/dev/null || wrong "cannot be deleted"
	unmount_images
	judge "subvolumes: nested, read-only, default"
}
rm -rf "$SRC/dir/deep/er/another"
test_subvolumes

test_inode_flags() {
	fresh_images
	run_mkfs -r "$SRC" --inode-flags nodatacow:sizes/random-3000000 \
		--inode-flags nodatasum:sizes/text-1048577 --compress zstd || wrong "$(cat "$WORK/mkfs.err")"
	attach_images
	peer_check "with flags"
	detach_images
	mount_images || wrong "the kernel does not mount it"
	lsattr "$MNT/sizes/random-3000000" | grep -q '^[^ ]*C' || wrong "not nodatacow"
	cmp "$SRC/sizes/text-1048577" "$MNT/sizes/text-1048577" || wrong "content"
	unmount_images
	judge "flags of inodes"
}
test_inode_flags

# --- owners -------------------------------------------------------------------------

test_owners() {
	fresh_images
	run_mkfs -r "$SRC" --uid-map 1000:5000:10 --gid-map 2000:6000 || wrong "$(cat "$WORK/mkfs.err")"
	mount_images ro
	[ "$(stat -c %u:%g "$MNT/dir")" = 5000:6000 ] || wrong "mapped: $(stat -c %u:%g "$MNT/dir")"
	unmount_images
	fresh_images
	run_mkfs -r "$SRC" --all-root || wrong "$(cat "$WORK/mkfs.err")"
	mount_images ro
	[ -z "$(find "$MNT" ! -uid 0 -o ! -gid 0 | head -n 1)" ] || wrong "not all root"
	unmount_images
	fresh_images
	run_mkfs -r "$SRC" --owner 12:34 || wrong "$(cat "$WORK/mkfs.err")"
	mount_images ro
	[ -z "$(find "$MNT" ! -uid 12 -o ! -gid 34 | head -n 1)" ] || wrong "not all 12:34"
	unmount_images
	judge "owners: maps, --all-root, --owner"
}
test_owners

# --- image files --------------------------------------------------------------------

test_new_file() {
	local new=$WORK/new.img

	rm -f "$new"
	"$BTRFS" -q mkfs -r "$SRC" "$new" || wrong "mkfs failed"
	IMAGES=("$new")
	mount_images || wrong "the kernel does not mount it"
	works_in_kernel
	unmount_images
	rm -f "$new"
	judge "a file that was not there is as large as it takes, and some more"
}
test_new_file

test_shrunk_grows() {
	fresh_images
	run_mkfs -r "$SRC" --shrink || wrong "$(cat "$WORK/mkfs.err")"
	[ "$(stat -c %s "${IMAGES[0]}")" -lt 70000000 ] || wrong "$(stat -c %s "${IMAGES[0]}") bytes"
	truncate -s 300M "${IMAGES[0]}"
	mount_images || wrong "the kernel does not mount it"
	"$PEER" filesystem resize max "$MNT" >/dev/null || wrong "cannot be resized"
	works_in_kernel
	umount "$MNT"
	peer_check "after growing"
	unmount_images
	judge "what was shrunk can grow again"
}
test_shrunk_grows

done_testing
