#!/bin/bash
# Full send, shared extents: when the stream clones instead of writing, from
# which file, and in which pieces.

# shellcheck source=../lib/send.sh
. "$(dirname "$0")/../lib/send.sh"

reflink() { cp --reflink=always "$@"; }

scenario "a whole file cloned from an earlier inode"
populate() { fill a 0 300000 1; reflink a b; }

scenario "a whole file cloned from a later inode"
populate() { touch early; fill late 0 300000 1; clone late 0 0 early 0; }

scenario "several clones of one file, some of them with holes behind"
populate() {
	fill a 0 200000 1
	reflink a b
	reflink a c
	reflink b d
	truncate -s 1M c
	clone a 4096 8192 e 100K
}

scenario "parts of a file cloned at other offsets"
populate() {
	fill a 0 1M 1
	clone a 64K 64K b 0
	clone a 0 4096 b 128K
	clone a 512K 256K b 1M
	clone a 4096 4096 c 4096
	clone a 8192 4096 c 0
}

scenario "an unaligned end of file is cloned"
populate() {
	fill a 0 100001 1
	reflink a b
	clone a 65536 0 c 0
	fill d 0 8192 2
	clone a 98304 0 d 8192
}

scenario "an unaligned end is cloned into the middle of a longer file"
populate() {
	fill a 0 70000 1
	fill b 0 65536 2
	clone a 65536 0 b 65536
	clone a 65536 0 c 1M
	truncate -s 2M c
}

scenario "a file cloned into itself, forwards and backwards"
populate() {
	fill a 0 128K 1
	clone a 0 128K a 128K
	fill b 512K 64K 2
	clone b 512K 64K b 0
	fill c 0 64K 3
	clone c 0 64K c 64K 20 64K
}

scenario "the source was overwritten in part after the clone"
populate() {
	fill a 0 512K 1
	reflink a b
	sync -f .
	fill a 100000 50000 2
	fill a 0 4096 3
	clone b 0 256K c 0
}

scenario "the clone was overwritten in part"
populate() {
	fill a 0 512K 1
	reflink a b
	sync -f .
	fill b 65536 65536 2
	fill b 500000 100 3
}

scenario "the source was truncated after the clone"
populate() {
	fill a 0 256K 1
	reflink a b
	fill c 0 256K 2
	reflink c d
	sync -f .
	truncate -s 100000 a
	truncate -s 0 c
}

scenario "the source was removed after the clone"
populate() { fill a 0 256K 1; reflink a b; reflink a c; sync -f .; rm a; }

scenario "one extent shared by a hundred files"
populate() {
	local i

	fill source 0 64K 1
	for i in {1..100}; do
		clone source 0 64K "f$i" 0
	done
}

scenario "one extent with 1,000 references from one file"
populate() { fill a 0 4096 1; clone a 0 4096 b 0 1000 4096; }

scenario "one extent with more references than a clone source search follows"
populate() {
	fill a 0 8192 1
	clone a 0 8192 b 0 600 8192
	clone a 0 8192 c 0 600 8192
	reflink a d
}

scenario "references around the limit where cloning gives way to writing"
populate() {
	local refs

	for refs in 1022 1023 1024 1025; do
		fill "s$refs" 0 4096 "$refs"
		clone "s$refs" 0 4096 "many$refs" 0 $((refs - 1)) 4096
	done
}

scenario "compressed extents are cloned" mount=compress-force=zstd
populate() {
	text a 0 512K 1
	reflink a b
	clone a 64K 64K c 0
	clone a 132K 8K d 4096
	sync -f .
	text a 100000 50000 2
}

scenario "parts of compressed extents are cloned after an overwrite" mount=compress-force=lzo
populate() {
	text a 0 128K 1
	sync -f .
	fill a 0 64K 2
	sync -f .
	reflink a b
	clone a 64K 32K c 0
}

scenario "inline data have no extent to clone" mount=compress=zlib
populate() {
	echo short >a
	text b 0 1800 1
	reflink a c
	reflink b d
}

scenario "preallocated extents and holes are cloned"
populate() {
	fallocate -l 256K a
	fill a 64K 64K 1
	truncate -s 512K a
	reflink a b
	clone a 0 128K c 64K
	: >d
	fallocate -n -l 1M d
	fill d 0 4096 2
	reflink d e
}

scenario "explicit hole items are cloned" mkfs="-O ^no-holes"
populate() {
	truncate -s 1M a
	fill a 512K 64K 1
	reflink a b
	clone a 448K 192K c 0
	truncate -s 3M c
}

scenario "data equal but not shared are written"
populate() { fill a 0 100000 1; fill b 0 100000 1; cp --reflink=never a c; }

scenario "extents split by later writes are cloned piece by piece"
populate() {
	local i

	fill a 0 1M 1
	sync -f .
	for i in {0..15}; do
		fill a $((i * 64 + 12))K 8K "$i"
	done
	sync -f .
	reflink a b
	clone a 16K 512K c 8K
}

scenario "shared with an older snapshot and another subvolume too"
populate() {
	fill a 0 300000 1
	snap older
	peer subvolume create ../other
	reflink a ../other/a
	reflink a b
}

scenario "a chain: each file cloned from the one before, shifted"
populate() {
	local i

	fill f0 0 64K 1
	for i in {1..20}; do
		clone "f$((i - 1))" 0 0 "f$i" 4096
		fill "f$i" 0 4096 "$i"
	done
}

scenario "a clone across directories whose names come later"
populate() {
	fill a 0 128K 1
	mkdir d
	mv a d/a
	mkdir e
	mv d e/d
	reflink e/d/a b
}

scenario "a file not copied on write shares extents"
populate() {
	touch a b
	chattr +C a b
	fill a 0 128K 1
	clone a 0 64K b 0
	sync -f .
	fill a 4096 4096 2
}

done_testing
