#!/bin/bash
# Incremental send, file data: sizes, holes, preallocated ranges, inline data on
# either side, compression.

# shellcheck source=../lib/send.sh
. "$(dirname "$0")/../lib/send.sh"

# Protocol 1 knows no holes: with and without hole items the kernel finds them
# in different ways.
for holes in no-holes ^no-holes; do
	features="-O $holes"

	scenario "$holes: files shrink and grow" mkfs="$features"
	populate() {
		local name

		for name in a b c d e f; do fill $name 0 300000 1; done
		: >empty
	}
	mutate() {
		truncate -s 100000 a
		truncate -s 98304 b
		truncate -s 500000 c
		truncate -s 0 d
		truncate -s 10M e
		truncate -s 0 f
		fill f 0 10000 2
		truncate -s 1M empty
	}

	scenario "$holes: files shrink, then grow over what was there" mkfs="$features"
	populate() { fill a 0 1M 1; fill b 0 1M 2; fill c 0 300001 3; fill d 0 70000 4; }
	mutate() {
		truncate -s 4096 a
		truncate -s 1M a
		truncate -s 5000 b
		sync -f .
		truncate -s 900001 b
		truncate -s 100 c
		fill c 262144 50000 5
		truncate -s 69999 d
		truncate -s 70001 d
	}

	scenario "$holes: holes punched at the start, in the middle, at the end" mkfs="$features"
	populate() {
		local name

		for name in a b c d e f; do fill $name 0 400001 1; done
	}
	mutate() {
		fallocate -p -o 0 -l 4096 a
		fallocate -p -o 100000 -l 100000 b
		fallocate -p -o 350000 -l 60000 c
		fallocate -p -o 0 -l 500000 d
		fallocate -p -o 397312 -l 8192 e
		fallocate -p -o 10 -l 20 f
		fallocate -p -o 8192 -l 4096 f
		fallocate -p -o 16384 -l 4096 f
	}

	scenario "$holes: holes larger than one write command" mkfs="$features"
	populate() { fill a 0 6M 1; fill b 0 3M 2; fill c 0 2M 3; }
	mutate() {
		fallocate -p -o 1M -l 3M a
		fallocate -p -o 5000K -l 48K a
		fallocate -p -o 4M -l 49K a
		fallocate -p -o 0 -l 3M b
		fallocate -p -o 1000001 -l 2M c
	}

	scenario "$holes: a hole lies where the parent's file ends" mkfs="$features"
	populate() { fill a 0 100000 1; fill b 0 98304 2; fill c 0 4096 3; }
	mutate() {
		fallocate -p -o 50000 -l 100000 a
		fill a 1M 4096 4
		fallocate -p -o 90112 -l 8192 b
		fill b 200K 5000 5
		truncate -s 2M c
		fill c 1M 10 6
	}

	scenario "$holes: holes are filled" mkfs="$features"
	populate() {
		truncate -s 1M a
		truncate -s 1M b
		fill b 500K 4096 1
		fill c 900K 10 2
	}
	mutate() {
		fill a 0 4096 3
		fill a 300001 70000 4
		fill b 0 500K 5
		fill c 0 900K 6
		truncate -s 2M b
	}

	scenario "$holes: a hole shrinks, grows and moves" mkfs="$features"
	populate() {
		local name

		for name in a b c; do fill $name 0 64K 1; fill $name 256K 64K 2; done
	}
	mutate() {
		fill a 64K 64K 3
		fill a 192K 64K 4
		fallocate -p -o 32K -l 32K b
		fallocate -p -o 256K -l 32K b
		fill c 64K 192K 5
		fallocate -p -o 0 -l 64K c
	}

	scenario "$holes: zeroes written, and ranges zeroed" mkfs="$features"
	populate() { fill a 0 300K 1; fill b 0 300K 2; fill c 0 300001 3; fill d 0 3M 4; }
	mutate() {
		dd if=/dev/zero of=a bs=4096 seek=10 count=20 conv=notrunc status=none
		fallocate -z -o 40960 -l 81920 b
		fallocate -z -o 5000 -l 100 b
		fallocate -z -o 200000 -l 200000 c
		fallocate -z -n -o 0 -l 4M d
	}

	scenario "$holes: preallocated ranges appear, also behind the end" mkfs="$features"
	populate() { fill a 0 100000 1; truncate -s 500000 b; : >c; fill d 0 4096 2; fill e 0 5000 3; }
	mutate() {
		fallocate -n -o 0 -l 1M a
		fallocate -o 100000 -l 100000 b
		fallocate -l 300000 c
		fallocate -n -o 1M -l 1M d
		fallocate -l 1M e
	}

	scenario "$holes: preallocated ranges are written" mkfs="$features"
	populate() {
		fallocate -l 1M a
		: >b
		fallocate -n -l 1M b
		fill c 0 8192 1
		fallocate -n -o 8192 -l 200000 c
		fallocate -l 200000 d
	}
	mutate() {
		fill a 100000 5000 2
		fill a 512K 128K 3
		fill b 0 4096 4
		fill b 64K 64K 5
		fill c 8192 100 6
		truncate -s 100000 d
		fill d 90000 20000 7
	}

	scenario "$holes: data are replaced by preallocated ranges" mkfs="$features"
	populate() { fill a 0 512K 1; fill b 0 100001 2; fallocate -l 512K c; }
	mutate() {
		fallocate -p -o 64K -l 128K a
		fallocate -o 64K -l 128K a
		truncate -s 0 b
		fallocate -l 100001 b
		fallocate -p -o 64K -l 64K c
		fill c 100K 4096 3
	}

	scenario "$holes: inline data become an extent and shrink back" \
		mkfs="$features" mount=max_inline=2048
	populate() {
		fill a 0 100 1
		fill b 0 2000 2
		fill c 0 2000 3
		fill d 0 50000 4
		fill e 0 100 5
		fill f 0 1000 6
		fill g 0 1000 7
	}
	mutate() {
		fill a 100 10000 11
		fill b 0 4096 12
		truncate -s 1M c
		truncate -s 0 d
		fill d 0 900 13
		truncate -s 50 e
		fill f 1000 500 14
		fill g 64K 100 15
	}

	scenario "$holes: inline data are overwritten, cut and extended" mkfs="$features"
	populate() {
		local i

		for i in {0..9}; do text f"$i" 0 $((i * 200 + 1)) "$i"; done
	}
	mutate() {
		local i

		for i in {0..9}; do
			case $((i % 4)) in
			0) text f"$i" 0 50 20 ;;
			1) truncate -s $((i * 100)) f"$i" ;;
			2) truncate -s 3000 f"$i" ;;
			3) text f"$i" 100 1500 21 ;;
			esac
		done
	}
done

scenario "a file is overwritten here and there" mkfs="-n 4096"
populate() { fill a 0 4M 1; fill b 0 4M 2; }
mutate() {
	local i

	for i in {0..60}; do fill a $((i * 66000)) 100 "$i"; done
	for i in {0..30}; do fill b $((i * 131072)) 4096 "$i"; sync -f .; done
}

scenario "the same data are written once more"
populate() { fill a 0 300001 1; fill b 0 100 2; }
mutate() { fill a 0 300001 1; fill b 0 100 2; sync -f .; fill a 4096 8192 1; }

scenario "ends of files off every boundary"
populate() {
	local i

	for i in {0..15}; do fill f"$i" 0 $((i * 5003 + 1)) "$i"; done
}
mutate() {
	local i

	for i in {0..15}; do
		case $((i % 5)) in
		0) fill f"$i" $((i * 5003)) 1 50 ;;
		1) fill f"$i" $((i * 5003 + 1)) 4095 51 ;;
		2) truncate -s $((i * 5003)) f"$i" ;;
		3) truncate -s $((i * 5003 + 2)) f"$i" ;;
		4) fill f"$i" 0 3 52 ;;
		esac
	done
}

scenario "extents are merged, split and written in another order"
populate() {
	local i

	for i in {0..20}; do fill a $((i * 8192)) 8192 1; sync -f .; done
	fill b 0 172032 1
}
mutate() {
	local i

	fill a 0 172032 1
	for i in 7 3 19 0 11 5; do fill b $((i * 8192)) 8192 "$i"; sync -f .; done
}

scenario "defragmentation changes extents, not data"
populate() {
	local i

	for i in {0..40}; do fill a $((i * 4096)) 4096 1; sync -f .; done
}
mutate() { peer filesystem defragment a; sync -f .; }

scenario "a large file grows by a little"
populate() { fill a 0 20M 1; }
mutate() { fill a 20M 5000 2; }

scenario "a large file loses its tail and gets another"
populate() { fill a 0 5M 1; }
mutate() { truncate -s 3000001 a; fill a 3000001 1000000 2; }

scenario "a changed file was moved and linked as well"
populate() { mkdir -p d/e; fill d/a 0 200K 1; fill d/e/b 0 200K 2; }
mutate() {
	fill d/a 64K 10 3
	mv d/a d/e/a2
	ln d/e/a2 top
	mv d/e f
	fallocate -p -o 8192 -l 8192 f/b
	mv f/b d/b
}

scenario "a changed file is not in the snapshot any more, only open"
populate() { fill a 0 100K 1; fill b 0 100K 2; }
mutate() {
	exec 8<>a 9<>b
	rm a
	fill b 0 4096 3
	rm b
	echo new >b
}

scenario "files without checksums and copy on write are overwritten"
populate() {
	touch a b
	chattr +C a b
	fill a 0 300K 1
	fallocate -l 300K b
}
mutate() { fill a 100K 8192 2; fill b 4096 8192 3; truncate -s 200K a; }

# --- compression ---

for algorithm in zlib lzo zstd; do
	scenario "$algorithm: compressed extents overwritten, punched and cut" \
		mount="compress-force=$algorithm"
	populate() { text a 0 1M 1; text b 0 512K 2; text c 0 300001 3; fill d 0 300K 4; }
	mutate() {
		text a 4096 4096 5
		text a 500000 200000 6
		fallocate -p -o 100000 -l 9000 a
		truncate -s 200001 b
		text c 300001 70000 7
		text d 64K 64K 8
	}

	scenario "$algorithm: plain files become compressed and the reverse"
	flavour=$algorithm
	populate() {
		text a 0 300K 1
		text i 0 1500 3
		peer property set . compression "$flavour"
		touch b j
		text b 0 300K 2
		text j 0 1500 4
	}
	mutate() {
		peer property set a compression "$flavour"
		peer property set i compression "$flavour"
		peer property set b compression ""
		peer property set j compression ""
		text a 0 300K 1
		text b 0 200K 5
		text i 0 1400 6
		text j 0 1800 7
	}

	scenario "$algorithm: compressed inline data grow into an extent" \
		mount="compress-force=$algorithm,max_inline=4000"
	populate() { text a 0 3000 1; text b 0 4096 2; text c 0 60000 3; text d 0 4000 4; }
	mutate() { text a 3000 9000 5; text b 0 100 6; truncate -s 3000 c; text d 1M 10 7; }
done

done_testing
