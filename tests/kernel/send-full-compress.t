#!/bin/bash
# Full send, compressed extents: the stream carries plain data, whatever the
# algorithm, and a file may refer to the middle of a compressed extent.

# shellcheck source=../lib/send.sh
. "$(dirname "$0")/../lib/send.sh"

# Compressible and noisy stretches, odd tails, small files.
mixture() {
	text plain 0 1M 1
	text tail 0 300001 2
	text inline 0 1500 3
	fill noise 0 200000 4
	fill mixed 0 128K 5
	text mixed 128K 128K 6
	fill mixed 256K 5000 7
	head -c 1000000 /dev/zero >zeros
	text sparse 0 100000 8
	text sparse 1M 100000 9
	truncate -s 2000001 sparse
}

# The file keeps the start, the middle or the end of compressed extents.
pieces() {
	text f 0 512K 1
	text g 0 256K 2
	text h 0 128K 3
	sync -f .
	text f 4096 4096 4
	fill f 100000 60000 5
	fallocate -p -o 300000 -l 9000 f
	truncate -s 200001 g
	text h 0 65537 6
	clone f 64K 128K part 0
	clone g 131072 0 part 256K
}

for algorithm in zlib lzo zstd; do
	scenario "$algorithm: extents of every kind" mount="compress=$algorithm"
	populate() { mixture; }

	scenario "$algorithm: data that do not compress, forced" mount="compress-force=$algorithm"
	populate() { mixture; }

	scenario "$algorithm: parts of compressed extents" mount="compress-force=$algorithm"
	populate() { pieces; }

	scenario "$algorithm: compressed inline data" mount="compress-force=$algorithm,max_inline=4095"
	populate() {
		text a 0 1 1
		text b 0 100 2
		text c 0 3000 3
		text d 0 4095 4
		text e 0 4096 5
		fill f 0 2000 6
	}
done

for level in zlib:9 zstd:1 zstd:15; do
	scenario "level $level" mount="compress-force=$level"
	populate() { mixture; }
done

scenario "several algorithms in one file"
populate() {
	local algorithm i=0

	for algorithm in zlib none lzo zstd none zlib zstd lzo; do
		peer property set . compression "$algorithm"
		touch f
		peer property set f compression "$algorithm"
		text f $((i * 150000)) 150000 "$i"
		sync -f f
		i=$((i + 1))
	done
	peer property set . compression ""
}

scenario "the compression property is an xattr"
populate() {
	mkdir d
	peer property set d compression zstd
	text d/inherited 0 100000 1
	text f 0 100000 2
	peer property set f compression lzo
}

scenario "lzo data over several pages and segments" mount=compress-force=lzo
populate() {
	local i

	# Runs of noise and text of uneven length put segment headers near page ends.
	for i in {0..30}; do
		fill f $((i * 8000)) $((3000 + i * 37)) "$i"
		text f $((i * 8000 + 3000 + i * 37)) $((5000 - i * 37)) "$i"
	done
}

scenario "files not copied on write beside compressed ones" mount=compress=zstd
populate() {
	touch c
	chattr +C c
	text c 0 200000 1
	text z 0 200000 2
	touch m
	chattr +m m
	text m 0 200000 3
}

scenario "nodes of 64 KiB hold large compressed inline data" \
	mkfs="-n 65536" mount=compress-force=zstd,max_inline=4096
populate() { mixture; pieces; }

done_testing
