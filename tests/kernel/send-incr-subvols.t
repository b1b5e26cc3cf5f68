#!/bin/bash
# Incremental send, the subvolumes around the files: nested ones, received ones,
# parents at other places, and file systems of every kind.

# shellcheck source=../lib/send.sh
. "$(dirname "$0")/../lib/send.sh"

# Something of everything, for scenarios whose subject is the file system.
zoo_changes() {
	fill files/noise 1M 100K 21
	truncate -s 300000 files/text
	echo "a few other bytes" >files/inline
	mv files/deep late/deep
	mv late files/late
	rm -r empty
	mkdir empty
	fallocate -p -o 1M -l 8192 extents/sparse
	fill extents/prealloc 100K 50000 22
	cp --reflink=always extents/whole extents/again
	rm second link
	ln -s elsewhere link
	ln files/late/moved/child files/second
	setfattr -n user.note -v "other words" files/inline
	setfacl -b files/noise
	chown 5:5 files/late/deep/er/tail
}

scenario "nested subvolumes appear"
populate() { mkdir d; echo x >f; }
mutate() {
	peer subvolume create n
	peer subvolume create d/n
	touch n/inside g
	mkdir m
	peer subvolume create m/n
}

scenario "nested subvolumes go"
populate() { mkdir d; peer subvolume create n; peer subvolume create d/n; touch n/f; }
mutate() { peer subvolume delete n; peer subvolume delete d/n; rmdir d; touch g; }

scenario "nested subvolumes are renamed and moved"
populate() { mkdir d e; peer subvolume create n; peer subvolume create d/n; touch d/f; }
mutate() { mv n o; mv d/n e/n; mv d/f n; mv e d/e; }

scenario "a nested subvolume gives its name to a file, and takes one"
populate() { peer subvolume create n; echo x >f; mkdir d; }
mutate() { mv n m; mv f n; mv m f; peer subvolume create d/s; }

scenario "the directory with a nested subvolume is deleted"
populate() { mkdir -p d/e; peer subvolume create d/e/n; touch d/e/f; }
mutate() { peer subvolume delete d/e/n; rm -r d; }

scenario "the snapshot of a nested subvolume lies in its parent"
populate() { peer subvolume create n; touch n/f; peer subvolume snapshot -r n s; }
mutate() { peer subvolume snapshot -r n t; touch n/g; }

scenario "the parent lies deeper than what is sent" parent=x/y/one send=two
populate() {
	zoo
	mkdir -p "$MNT/x/y"
	peer subvolume snapshot -r . "$MNT/x/y/one"
	zoo_changes
	snap two
}

scenario "what is sent lies in another subvolume than its parent" \
	parent=one send=box/in/two clones=box/mid
populate() {
	zoo
	snap one
	peer subvolume create "$MNT/box"
	mkdir "$MNT/box/in"
	peer subvolume snapshot -r . "$MNT/box/mid"
	zoo_changes
	peer subvolume snapshot -r . "$MNT/box/in/two"
}

scenario "what is sent is named by its id" ours=id:258
populate() { zoo; }
mutate() { zoo_changes; }

scenario "the snapshot of a snapshot" parent=one send=three
populate() {
	zoo
	snap one
	peer subvolume snapshot "$MNT/one" "$MNT/two"
	cd "$MNT/two"
	zoo_changes
	peer subvolume snapshot -r "$MNT/two" "$MNT/three"
}

# Streams of the kernel received again: the parent and clone sources are then
# named by what they were received from.
receive_copies() {
	local name

	mkdir "$MNT/in"
	for name; do
		peer send -f "$WORK/stream" ${last:+-p "$MNT/$last"} "$MNT/$name"
		peer receive -f "$WORK/stream" "$MNT/in"
		last=$name
	done
}

scenario "both snapshots were received" parent=in/one send=in/two
populate() { last=; zoo; snap one; zoo_changes; snap two; receive_copies one two; }

scenario "the parent was received, what is sent is a changed copy of it" parent=in/one send=two
populate() {
	last=
	zoo
	snap one
	receive_copies one
	peer subvolume snapshot "$MNT/in/one" "$MNT/copy"
	cd "$MNT/copy"
	zoo_changes
	peer subvolume snapshot -r . "$MNT/two"
}

scenario "the parent is local, what is sent was received" parent=one send=in/two clones="in/one two"
populate() { last=; zoo; snap one; zoo_changes; snap two; receive_copies one two; }

scenario "received clone sources without a parent" send=in/two clones="in/one one"
populate() { last=; zoo; snap one; zoo_changes; snap two; receive_copies one two; }

scenario "a received stream of a chain of three, sent on" \
	send="in/two in/three" clones=in/one flags=-e
populate() {
	last=
	zoo
	snap one
	zoo_changes
	snap two
	mv files f
	cp --reflink=always f/noise n
	snap three
	receive_copies one two three
}

# --- file systems ---

matrix() {
	scenario "$@"
	populate() { zoo; }
	mutate() { zoo_changes; }
}

for csum in crc32c xxhash sha256 blake2; do
	matrix "checksum $csum" mkfs="--csum $csum"
done
for size in 4096 8192 32768 65536; do
	matrix "nodes of $size bytes" mkfs="-n $size"
done
matrix "nodes of 4 KiB with hole items" mkfs="-n 4096 -O ^no-holes"
matrix "no free space tree" mkfs="-R ^free-space-tree"
matrix "block group tree" mkfs="-O block-group-tree" optional=1
matrix "quotas" mkfs="-R quota"
matrix "mixed block groups" mkfs="-M -n 4096" size=200M
matrix "raid1 on two devices" mkfs="-m raid1 -d raid1" devices=2
matrix "raid1, one device missing" mkfs="-m raid1 -d raid1" devices=2 drop=1
matrix "raid0 on three devices" mkfs="-m raid0 -d raid0" devices=3
matrix "raid10, a device missing" mkfs="-m raid10 -d raid10" devices=4 drop=2
matrix "raid5, a device missing" mkfs="-m raid1 -d raid5" devices=3 drop=3
matrix "raid6, two devices missing" mkfs="-m raid1c3 -d raid6" devices=4 drop="1 3"
matrix "without copy on write" mount=nodatacow
matrix "without checksums" mount=nodatasum
matrix "no inline data" mount=max_inline=0
matrix "without file data" flags=--no-data
matrix "written to a pipe" output=stdout

scenario "the images are balanced between the snapshots" parent=one send=two
populate() {
	zoo
	snap one
	peer balance start --full-balance "$MNT"
	zoo_changes
	snap two
	peer balance start --full-balance "$MNT"
}

scenario "a tree of several levels, one leaf of it changed" mkfs="-n 4096"
populate() {
	mkdir d{0..9}
	perl -e 'for my $i (0 .. 3999) { open my $f, ">", "d" . $i % 10 . "/f$i" or die; print $f $i }'
}
mutate() { echo x >d5/f5; rm d7/f1237; touch d3/n; }

scenario "the tree of the parent is higher than that of the snapshot" mkfs="-n 4096"
populate() {
	mkdir d
	perl -e 'for my $i (0 .. 2999) { open my $f, ">", "d/f$i" or die; print $f $i }'
	echo x >keep
}
mutate() { rm -r d; echo y >>keep; }

scenario "the tree of the snapshot is higher than that of the parent" mkfs="-n 4096"
populate() { echo x >keep; mkdir d; }
mutate() { perl -e 'for my $i (0 .. 2999) { open my $f, ">", "d/f$i" or die; print $f $i }'; }

done_testing
