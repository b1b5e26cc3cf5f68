#!/bin/bash
# Full send of damaged file systems: as long as one good copy is left, or parity
# can make one, the stream is that of the healthy file system.

# shellcheck source=../lib/send.sh
. "$(dirname "$0")/../lib/send.sh"

lost() {
	scenario "$1 on $2 devices without $3" mkfs="-m $1 -d $1" devices="$2" drop="$3" "${@:4}"
}

lost raid1 2 1
lost raid1 2 2
lost raid1 3 2
lost raid1c3 3 "1 2"
lost raid1c3 3 "2 3"
lost raid1c4 4 "1 2 4"
lost raid10 4 1
lost raid10 4 3
lost raid5 3 1
lost raid5 3 2
lost raid5 3 3
lost raid5 2 1
lost raid6 4 1
lost raid6 4 "1 2"
lost raid6 4 "2 3"
lost raid6 4 "1 4"
lost raid6 4 "3 4"
lost raid6 6 "2 5" mount=compress-force=zstd

for csum in xxhash sha256 blake2; do
	scenario "raid6 rebuilt under $csum" mkfs="-m raid1c3 -d raid6 --csum $csum" devices=4 \
		drop="2 3"
done

# What a disk that returns noise does to one copy; index 0 is the first.
noisy() {
	scenario "$1 on $2 devices, noise in share $3 of the $4" mkfs="-m $1 -d $1" devices="$2"
	share=$3 subject=$4
	damage() {
		# shellcheck disable=SC2086 # indices are words
		garbage_stripes "${subject^^}" $share
	}
}

noisy dup 1 0 data
noisy dup 1 0 metadata
noisy dup 1 1 metadata
noisy dup 1 0 system
noisy raid1 2 0 data
noisy raid1 2 1 data
noisy raid1 2 0 metadata
noisy raid1c3 3 "0 1" data
noisy raid1c4 4 "0 1 2" metadata
noisy raid10 4 "0 2" data
noisy raid10 4 "1 3" metadata
noisy raid5 3 0 data
noisy raid5 3 1 data
noisy raid5 3 2 data
noisy raid5 3 1 metadata
noisy raid6 4 "0 1" data
noisy raid6 4 "1 3" data
noisy raid6 4 "0 2" metadata

scenario "single bytes flipped in both copies, never in the same block" mkfs="-m dup -d dup"
damage() {
	local type index devid offset len i

	while read -r type index devid offset len; do
		for ((i = index * 16384 + 100; i < 8388608; i += 32768)); do
			((i < len)) && echo "$((offset + i))"
		done
	done <"$WORK/stripes" | flip_bytes "$WORK/dev1.img"
}

# One pass: standard input has the offsets.
flip_bytes() {
	perl -e '
		open my $f, "+<", $ARGV[0] or die;
		while (my $at = <STDIN>) {
			sysseek $f, $at, 0; sysread $f, my $c, 1;
			sysseek $f, $at, 0; syswrite $f, chr(ord($c) ^ 0x10), 1;
		}' "$1"
}

scenario "one device missing and noise on another" mkfs="-m raid1c4 -d raid6" devices=4 drop=2
damage() { garbage_stripes DATA 3; garbage_stripes METADATA 0; }

scenario "compressed data with noise in the first copy" mkfs="-m dup -d dup" mount=compress-force=zstd
damage() { garbage_stripes DATA 0; garbage_stripes METADATA 0; }

scenario "data without checksums, one device missing" mkfs="-m raid1 -d raid1" devices=2 drop=1 \
	mount=nodatasum

scenario "raid5 data without checksums, one device missing" mkfs="-m raid1 -d raid5" devices=3 drop=2 \
	mount=nodatasum

scenario "the super block of the first copy is lost"
damage() { garbage dev1.img 64K 4096; }

done_testing
