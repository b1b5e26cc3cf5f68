#!/bin/bash
# Incremental send, shared extents: cloned from the parent, from clone sources,
# from files of the same subvolume, at other offsets and in pieces.

# shellcheck source=../lib/send.sh
. "$(dirname "$0")/../lib/send.sh"

reflink() { cp --reflink=always "$@"; }

scenario "a file is cloned from one that the parent has"
populate() { fill a 0 300001 1; }
mutate() { reflink a b; mkdir d; reflink a d/c; }

scenario "a file is cloned from one that moved and one that is gone"
populate() { fill a 0 200K 1; fill b 0 200K 2; }
mutate() { reflink a c; reflink b d; mkdir e; mv a e/a; rm b; }

scenario "ranges are cloned to other offsets, forwards and backwards"
populate() { fill a 0 1M 1; fill b 0 1M 2; : >c; }
mutate() {
	clone a 0 128K b 512K
	clone a 512K 4096 b 0
	clone b 256K 64K a 64K
	clone a 900K 64K c 1M
	clone b 0 4096 c 8192 5 16384
}

scenario "a range of the file itself is cloned to another of its offsets"
populate() { fill a 0 512K 1; fill b 0 512K 2; fill c 0 64K 3; }
mutate() {
	clone a 0 64K a 256K
	clone b 256K 64K b 0
	clone b 300K 4K b 512K
	clone c 0 64K c 64K 6 64K
}

scenario "a file shifts by one block, forwards and backwards"
populate() { fill a 0 256K 1; fill b 0 256K 2; }
mutate() {
	reflink a t
	clone t 0 0 a 4096
	reflink b u
	clone u 4096 0 b 0
	rm t u
}

scenario "ranges are collapsed and inserted as clones"
populate() { fill a 0 512K 1; fill b 0 512K 2; }
mutate() {
	reflink a t
	truncate -s 64K a
	clone t 128K 0 a 64K
	reflink b u
	truncate -s 64K b
	fill b 64K 64K 3
	clone u 64K 0 b 128K
	rm t u
}

scenario "clone and source exchange their names"
populate() { fill a 0 200K 1; fill b 0 200K 2; }
mutate() { reflink a c; fill c 64K 4096 3; mv a t; mv c a; mv t c; }

scenario "the clone has a lower number than its source"
populate() { touch a; fill z 0 300K 1; }
mutate() { clone z 0 0 a 0; fill n 0 100K 2; clone n 0 64K a 1M; }

scenario "the source is overwritten after the clone"
populate() { fill a 0 512K 1; fill b 0 512K 2; }
mutate() {
	reflink a c
	fill a 100000 50000 3
	truncate -s 300K a
	reflink b d
	fallocate -p -o 64K -l 64K b
	fill b 0 10 4
}

scenario "the source was overwritten where the parent's data end"
populate() { fill a 0 100001 1; }
mutate() { reflink a b; fill a 98304 5000 2; clone b 0 64K c 0; }

scenario "ends off the block are cloned, also to a longer file"
populate() { fill a 0 100001 1; fill b 0 65536 2; fill c 0 300000 3; fill d 0 70001 4; }
mutate() {
	reflink a e
	clone a 65536 0 b 65536
	clone d 65536 0 f 0
	clone d 65536 0 g 1M
	truncate -s 2M g
	truncate -s 70000 d
}

scenario "files made equal, as deduplication does"
populate() { fill a 0 256K 1; fill b 0 256K 1; fill c 0 256K 2; }
mutate() { clone a 0 0 b 0; clone a 64K 64K c 64K; }

scenario "extents shared with the parent are split by writes and cloned on"
populate() { fill a 0 1M 1; }
mutate() {
	local i

	for i in {0..10}; do fill a $((i * 90000)) 5000 "$i"; done
	reflink a b
	clone a 128K 256K c 4096
	clone b 0 64K c 512K
}

scenario "holes and preallocated ranges among the clones"
populate() {
	fill a 0 128K 1
	truncate -s 512K a
	fill a 512K 128K 2
	fallocate -o 700K -l 100K a
	fill a 720K 8192 3
}
mutate() {
	reflink a b
	clone a 64K 512K c 0
	fallocate -p -o 32K -l 32K b
	clone a 640K 128K b 0
}

scenario "one extent referred to many times"
populate() { fill a 0 64K 1; clone a 0 4096 b 0 300 4096; }
mutate() { clone a 8192 4096 b 4096 200 8192; reflink b c; clone a 0 4096 d 0 500 8192; }

scenario "one extent referred to by many files"
populate() { local i; fill a 0 128K 1; for i in {1..100}; do reflink a c"$i"; done; }
mutate() {
	local i

	for i in {1..100..3}; do rm c"$i"; done
	for i in {101..140}; do reflink c2 c"$i"; done
	fill c2 0 4096 2
}

scenario "compressed extents are cloned whole and in parts" mount=compress-force=zstd
populate() { text a 0 512K 1; text b 0 100001 2; text i 0 1000 3; }
mutate() {
	reflink a c
	clone a 64K 128K d 0
	clone a 4096 4096 d 256K
	reflink b e
	fill a 128K 4096 4
	reflink i j
}

scenario "files of a deleted directory were cloned"
populate() { mkdir -p d/e; fill d/a 0 100K 1; fill d/e/b 0 100K 2; }
mutate() { reflink d/a a; mv d/e/b b; reflink b c; rm -r d; }

scenario "a file is replaced by its clone"
populate() { fill a 0 200K 1; ln a link; }
mutate() { reflink a t; mv t a; fill a 64K 4096 2; }

scenario "a clone takes the name of a directory, the source moves into it"
populate() { fill f 0 100K 1; mkdir d; }
mutate() { reflink f n; mv d e; mv f e/f; mv n d; }

# --- clone sources ---

scenario "data from a further clone source" clones=extra
populate() {
	peer subvolume create "$MNT/extra.rw"
	fill "$MNT/extra.rw/e" 0 300K 1
	mkdir "$MNT/extra.rw/d"
	fill "$MNT/extra.rw/d/f" 0 300001 2
	peer subvolume snapshot -r "$MNT/extra.rw" "$MNT/extra"
	fill a 0 100K 3
}
mutate() {
	reflink "$MNT/extra.rw/e" e
	clone "$MNT/extra.rw/d/f" 64K 64K a 0
	clone "$MNT/extra.rw/d/f" 262144 0 g 0
}

scenario "several clone sources have the extent, in files of other numbers" clones="s1 s2 s3"
populate() {
	fill a 0 256K 1
	snap s1
	reflink a b
	touch t u
	clone a 0 128K u 128K
	snap s2
	rm a
	reflink b c
	snap s3
}
mutate() { clone c 0 128K n 0; reflink u v; rm c; }

scenario "the clone source is the parent itself" clones=one
populate() { fill a 0 256K 1; }
mutate() { reflink a b; clone a 64K 64K a 0; }

scenario "the clone source comes after what is sent" clones=later send=two parent=one
populate() {
	fill a 0 256K 1
	snap one
	fill b 0 256K 2
	snap two
	mv b c
	fill a 0 4096 3
	snap later
}

scenario "a clone source without a parent" send=three clones="one two"
populate() {
	fill a 0 256K 1
	snap one
	fill a 64K 4096 2
	reflink a b
	snap two
	reflink b c
	rm a
	snap three
}

scenario "the parent is chosen among clone sources of other subvolumes" send=two clones="x y one z"
populate() {
	local name

	for name in x y z; do
		peer subvolume create "$MNT/$name.rw"
		echo $name >"$MNT/$name.rw/f"
		peer subvolume snapshot -r "$MNT/$name.rw" "$MNT/$name"
	done
	fill a 0 100K 1
	snap one
	reflink a b
	clone a 0 64K "$MNT/z.rw/g"  0
	snap two
}

scenario "the parent is chosen among an older, a newer and an equal snapshot" \
	send=three clones="one two same four"
populate() {
	fill a 0 100K 1
	snap one
	fill b 0 100K 2
	snap two
	fill c 0 100K 3
	snap same
	snap three
	rm a
	snap four
}

scenario "the sent snapshots become clone sources of the next ones" \
	send="two three four" clones=one
populate() {
	fill a 0 256K 1
	snap one
	reflink a b
	fill b 0 4096 2
	snap two
	rm a
	clone b 0 64K c 64K
	snap three
	fill d 0 100K 3
	mv b e
	snap four
}

scenario "several snapshots in one stream, with a chosen parent each" \
	send="two three four" clones=one flags=-e
populate() {
	fill a 0 256K 1
	snap one
	mkdir d
	mv a d/b
	snap two
	reflink d/b c
	snap three
	rm -r d
	snap four
}

scenario "several snapshots in one stream, against one parent" \
	send="two three" parent=one flags=-e
populate() {
	fill a 0 256K 1
	snap one
	reflink a b
	snap two
	fill a 0 4096 2
	clone b 64K 64K c 0
	mv b d
	snap three
}

scenario "a parent and a clone source, several snapshots" \
	send="two three" parent=one clones=zero
populate() {
	fill z 0 256K 1
	snap zero
	rm z
	fill a 0 100K 2
	snap one
	clone "$MNT/zero/z" 64K 64K b 0
	snap two
	reflink "$MNT/zero/z" c
	snap three
}

scenario "the clone would start or end inside what has changed" clones=s1
populate() { fill a 0 512K 1; snap s1; fill a 256K 64K 2; }
mutate() {
	clone "$MNT/s1/a" 192K 192K b 0
	clone a 192K 192K c 4096
	fill b 64K 4096 3
}

scenario "small nodes, and clones that cross their extents" mkfs="-n 4096"
populate() { local i; for i in {0..40}; do fill a $((i * 16384)) 16384 "$i"; sync -f .; done; }
mutate() {
	clone a 20480 300K b 0
	clone a 8192 500K c 12288
	clone a 4096 8192 a 300K 8 24576
}

scenario "clones of files whose name is taken by another" clones=s1
populate() { fill a 0 128K 1; fill b 0 128K 2; snap s1; }
mutate() { reflink a c; reflink b d; mv a t; mv b a; mv t b; }

done_testing
