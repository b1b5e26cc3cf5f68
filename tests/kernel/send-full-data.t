#!/bin/bash
# Full send, regular files: sizes around every boundary, holes, preallocated
# ranges, inline data.

# shellcheck source=../lib/send.sh
. "$(dirname "$0")/../lib/send.sh"

scenario "an empty subvolume has only its root directory"
populate() { :; }

scenario "sizes around a byte, a sector and the inline limit"
populate() {
	local size

	for size in 0 1 2 1000 2047 2048 2049 3000 4094 4095 4096 4097 8191 8192 8193; do
		fill "f$size" 0 "$size" "$size"
	done
}

scenario "sizes around the 48 KiB of one write command"
populate() {
	local size

	for size in 49151 49152 49153 98303 98304 98305 65535 65536 65537; do
		fill "f$size" 0 "$size" "$size"
	done
}

scenario "sizes around 128 KiB and odd tails behind several extents"
populate() {
	local size

	for size in 131071 131072 131073 262145 1M 1048577 3000001; do
		fill "f$size" 0 "$size" 7
	done
}

scenario "a file written in small synced appends has many extents"
populate() {
	local i

	for i in {0..39}; do
		fill appended $((i * 5000)) 5000 8
		sync -f appended
	done
}

scenario "a file written backwards has extents in another order than its data"
populate() {
	local i

	for i in 9 8 7 6 5 4 3 2 1 0; do
		fill backwards $((i * 64))K 64K "$i"
		sync -f backwards
	done
}

scenario "overwritten ranges leave parts of old extents in the file"
populate() {
	fill f 0 1M 9
	sync -f f
	fill f 100000 50000 10
	sync -f f
	fill f 0 1 11
	fill f 1048575 1 12
	sync -f f
	fill f 409600 4096 13
}

scenario "a hole at the start, in the middle, at the end"
populate() {
	fill start 1M 10000 1
	fill middle 0 10000 2
	fill middle 500000 10000 3
	fill end 0 10000 4
	truncate -s 700001 end
	fill all 64K 64K 5
	fill all 256K 64K 6
	truncate -s 1M all
}

scenario "a file that is only a hole"
populate() {
	truncate -s 1 one
	truncate -s 4096 sector
	truncate -s 4097 more
	truncate -s 10M large
	truncate -s 1T huge
}

scenario "a hole punched into data, aligned and not"
populate() {
	fill aligned 0 256K 1
	fill crooked 0 256K 2
	fill tail 0 100001 3
	fill whole 0 256K 4
	sync -f .
	fallocate -p -o 65536 -l 65536 aligned
	fallocate -p -o 70001 -l 60001 crooked
	fallocate -p -o 90000 -l 10001 tail
	fallocate -p -o 0 -l 262144 whole
}

scenario "data that are zeros are not a hole"
populate() {
	head -c 200000 /dev/zero >zeros
	head -c 3 /dev/zero >inline
	{ head -c 65536 /dev/zero; head -c 65536 /dev/zero | tr '\0' x; } >half
}

scenario "a file truncated to less, then longer again"
populate() {
	fill shorter 0 300000 1
	fill inner 0 300000 2
	sync -f .
	truncate -s 5001 shorter
	truncate -s 123457 inner
	truncate -s 200000 inner
}

scenario "preallocated ranges inside and past the end of a file"
populate() {
	fallocate -l 1M unwritten
	: >past-nothing
	fallocate -n -l 1M past-nothing
	fill past-data 0 10000 1
	fallocate -n -o 8192 -l 1M past-data
	fallocate -l 300001 odd
	fill zero-range 0 256K 2
	sync -f zero-range
	fallocate -z -o 64K -l 64K zero-range
}

scenario "a preallocated extent written in part"
populate() {
	fallocate -l 1M start
	fallocate -l 1M middle
	fallocate -l 1M end
	: >kept-size
	fallocate -n -l 1M kept-size
	fill start 0 8192 1
	fill middle 300000 50000 2
	fill end 1040384 8192 3
	fill kept-size 4096 4096 4
}

scenario "a preallocated file with nothing in it but an odd size"
populate() {
	: >f
	fallocate -n -l 64K f
	truncate -s 33 f
}

scenario "inline data with max_inline=0" mount=max_inline=0
populate() { fill a 0 10 1; fill b 0 2000 2; }

scenario "inline data up to the largest max_inline" mount=max_inline=4095
populate() {
	local size

	for size in 1 2047 2048 2049 3000 4000 4094 4095 4096; do
		fill "f$size" 0 "$size" "$size"
	done
}

scenario "inline data grown into an extent, and a hole behind inline data" mount=max_inline=4095
populate() {
	fill grown 0 100 1
	fill hole 0 100 2
	fill short 0 3000 3
	sync -f .
	fill grown 100 8000 4
	truncate -s 100000 hole
	truncate -s 10 short
}

scenario "files without data checksums" mount=nodatasum
populate() { zoo; }

scenario "files that are not copied on write"
populate() {
	touch f empty
	chattr +C f empty
	fill f 0 300000 1
	mkdir d
	chattr +C d
	fill d/inherited 0 100001 2
	sync -f .
	fill f 100000 4096 3
}

scenario "a mount without copy on write" mount=nodatacow
populate() { zoo; }

done_testing
