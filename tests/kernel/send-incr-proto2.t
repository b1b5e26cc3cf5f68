#!/bin/bash
# Incremental send, protocol 2: larger writes, compressed extents as they are on
# disk, flags of inodes.

# shellcheck source=../lib/send.sh
. "$(dirname "$0")/../lib/send.sh"

scenario "protocol 2: data of every kind changes" proto=2
populate() { zoo; }
mutate() {
	fill files/noise 1M 300K 9
	fallocate -p -o 64K -l 2M files/noise
	truncate -s 200001 files/text
	fill files/inline 0 10000 8
	mv files/deep files/inline late
	cp --reflink=always extents/whole whole
	setfattr -n user.new -v x whole
}

scenario "protocol 2: the highest version is asked for" proto=0
populate() { zoo; }
mutate() { mv files files2; fill files2/text 0 100000 7; chattr +A files2/text; }

scenario "protocol 2: writes longer than those of protocol 1" proto=2
populate() { fill a 0 1M 1; }
mutate() { fill a 0 1M 2; fill b 0 300001 3; fill c 0 128K 4; fill d 0 5M 5; }

scenario "protocol 2: holes punched" proto=2
populate() { fill a 0 4M 1; fill b 0 300001 2; }
mutate() {
	fallocate -p -o 0 -l 64K a
	fallocate -p -o 1M -l 2M a
	fallocate -p -o 250000 -l 100000 b
	truncate -s 5M a
}

scenario "protocol 2: preallocated ranges" proto=2
populate() { fill a 0 100K 1; fallocate -l 1M b; }
mutate() { fallocate -n -o 100K -l 1M a; fill b 100K 4096 2; fallocate -l 2M c; }

scenario "protocol 2: without file data" proto=2 flags=--no-data
populate() { zoo; }
mutate() { fill files/noise 0 100K 9; fill n 0 2M 8; fallocate -p -o 1M -l 1M files/noise; }

scenario "protocol 2: several snapshots in one stream" proto=2 send="two three" parent=one flags=-e
populate() {
	zoo
	snap one
	fill files/noise 0 300K 9
	snap two
	truncate -s 1M files/noise
	mv files f
	clone f/noise 64K 128K files 0
	snap three
}

for algorithm in zlib lzo zstd; do
	force="compress-force=$algorithm"
	as_is="proto=2 flags=--compressed-data"

	# shellcheck disable=SC2086 # words
	scenario "$algorithm as it is: new files and overwritten ranges" $as_is mount=$force
	populate() { text a 0 1M 1; text b 0 300001 2; }
	mutate() {
		text a 128K 128K 3
		text a 500000 100 4
		text b 300001 100000 5
		text c 0 1M 6
		text d 0 100001 7
	}

	# shellcheck disable=SC2086
	scenario "$algorithm as it is: extents referred to in part" $as_is mount=$force
	populate() { text a 0 1M 1; text b 0 512K 2; text e 0 512K 9; }
	mutate() {
		text n 0 512K 3
		sync -f .
		text n 4096 4096 4
		text n 200000 60000 5
		fallocate -p -o 300000 -l 9000 n
		truncate -s 400001 n
		text m 0 256K 6
		sync -f .
		clone m 64K 64K p 0
		clone m 4096 120K q 4096
		rm m
		text a 64K 4096 7
		fallocate -p -o 128K -l 64K b
		truncate -s 300K e
	}

	# shellcheck disable=SC2086
	scenario "$algorithm as it is: clones" $as_is mount=$force clones=one
	populate() { text a 0 512K 1; text b 0 100001 2; }
	mutate() {
		cp --reflink=always a c
		clone a 64K 128K d 0
		clone a 4096 4096 d 256K
		clone b 65536 0 e 0
		text c 0 4096 3
		text f 0 256K 4
		cp --reflink=always f g
		clone f 64K 8192 g 4096
	}

	# shellcheck disable=SC2086
	scenario "$algorithm as it is: inline data" $as_is mount="$force,max_inline=4095"
	populate() { text a 0 3000 1; text b 0 100 2; text c 0 100000 3; text g 0 2000 4; }
	mutate() {
		text a 0 2500 5
		text b 0 3500 6
		truncate -s 0 c
		text c 0 3000 7
		text d 0 4095 8
		text e 0 4096 9
		text f 0 1 10
		truncate -s 1000 g
	}

	# shellcheck disable=SC2086
	scenario "$algorithm as it is: data that do not compress, among those that do" \
		$as_is mount="compress=$algorithm"
	populate() { fill a 0 512K 1; text a 128K 128K 2; }
	mutate() {
		text a 0 128K 3
		fill a 128K 128K 4
		fill b 0 128K 5
		text b 128K 128K 6
		fill b 256K 5000 7
		head -c 1000000 /dev/zero >zeros
	}

	# shellcheck disable=SC2086
	scenario "$algorithm as it is: the file ends inside a compressed block" $as_is mount=$force
	populate() { text a 0 128K 1; text b 0 128K 2; }
	mutate() {
		truncate -s 100001 a
		text b 131072 5 3
		text c 0 131071 4
		text d 0 131073 5
		text e 0 4097 6
		truncate -s 4096 e
		truncate -s 8M d
	}
done

scenario "several algorithms as they are, in one file" proto=2 flags=--compressed-data
populate() { text f 0 900K 1; }
mutate() {
	local algorithm i=0

	for algorithm in zlib none lzo zstd none zlib; do
		peer property set f compression "$algorithm"
		text f $((i * 150000)) 150000 "$((i + 2))"
		sync -f .
		i=$((i + 1))
	done
}

scenario "compressed data with hole items, in nodes of 4 KiB" mkfs="-n 4096 -O ^no-holes" \
	mount=compress-force=zstd proto=2 flags=--compressed-data
populate() { text a 0 1M 1; text b 512K 128K 2; }
mutate() { text a 300K 100K 3; fallocate -p -o 0 -l 200K a; text b 0 64K 4; truncate -s 2M b; }

scenario "compressed inline data in nodes of 64 KiB" mkfs="-n 65536" \
	mount=compress-force=lzo,max_inline=4095 proto=2 flags=--compressed-data
populate() { text a 0 4000 1; text b 0 1M 2; }
mutate() { text a 0 3000 3; text b 100K 300K 4; text c 0 4096 5; text d 0 2000 6; }

scenario "compressed extents, asked for without protocol 2" proto=0 flags=--compressed-data \
	mount=compress-force=zstd
populate() { text a 0 1M 1; }
mutate() { text a 0 300K 2; text b 0 300K 3; }

scenario "compressed data, the parent is another subvolume" mount=compress-force=zstd \
	proto=2 flags=--compressed-data send=two parent=one
populate() {
	text a 0 300K 1
	snap one
	sync -f .
	peer subvolume create "$MNT/new"
	cd "$MNT/new"
	text a 0 200K 1
	clone "$MNT/sub/a" 128K 64K b 0
	peer subvolume snapshot -r . "$MNT/two"
}

done_testing
