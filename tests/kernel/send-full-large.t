#!/bin/bash
# Full send of large things: much data, offsets that need 64 bits, wide
# directories.

# shellcheck source=../lib/send.sh
. "$(dirname "$0")/../lib/send.sh"

scenario "70 MiB of data in one file"
populate() { fill large 0 73400321 1; }

scenario "data beyond 2 GiB, 4 GiB and 1 TiB of a sparse file"
populate() {
	fill f 2147483647 100000 1
	fill f 4294967290 5000 2
	fill f 1024G 10 3
	truncate -s 1100G f
}

scenario "100 MiB compressed to little" mount=compress-force=zstd
populate() { text f 0 100M 1; }

scenario "a directory of 20,000 files"
populate() {
	local i

	mkdir d
	for i in {1..20000}; do
		: >"d/file $i"
	done
}

scenario "3,000 small files with data in 100 directories"
populate() {
	local i d

	for d in {1..100}; do
		mkdir "d$d"
		for i in {1..30}; do
			echo "$d $i" >"d$d/f$i"
		done
	done
}

scenario "2,000 small extents in one file, on raid0" mkfs="-m raid0 -d raid0" devices=2
populate() {
	local i

	fill f 0 8M 1
	for i in {0..999}; do
		echo x | dd of=f bs=1 seek=$((i * 8192)) conv=notrunc status=none
	done
}

scenario "a large file on raid5 with a device missing" mkfs="-m raid1 -d raid5" devices=3 drop=2
populate() { fill f 0 20000001 1; }

done_testing
