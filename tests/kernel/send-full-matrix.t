#!/bin/bash
# Full send of the zoo from every kind of file system that mkfs can make.

# shellcheck source=../lib/send.sh
. "$(dirname "$0")/../lib/send.sh"

for csum in crc32c xxhash sha256 blake2; do
	scenario "checksum $csum" mkfs="--csum $csum"
	scenario "checksum $csum, compressed" mkfs="--csum $csum" mount=compress=zstd
done

for nodesize in 4096 8192 16384 32768 65536; do
	scenario "node size $nodesize" mkfs="-n $nodesize"
done

profile() { scenario "profile $1 on $2 devices" mkfs="-m $1 -d $1" devices="$2"; }
profile single 1
profile single 3
profile dup 1
profile raid0 2
profile raid0 5
profile raid1 2
profile raid1 3
profile raid1c3 3
profile raid1c4 4
profile raid10 4
profile raid10 7
profile raid5 2
profile raid5 3
profile raid5 5
profile raid6 3
profile raid6 4
profile raid6 6

scenario "metadata and data of unlike profiles" mkfs="-m raid1c3 -d raid6" devices=4
scenario "devices of which one is hardly used" mkfs="-m single -d single" devices=2

scenario "mixed block groups" mkfs="-M -n 4096" size=200M
scenario "mixed block groups, dup" mkfs="-M -n 4096 -m dup -d dup" size=200M
scenario "mixed block groups, compressed" mkfs="-M -n 4096" size=200M mount=compress-force=zlib

scenario "explicit holes" mkfs="-O ^no-holes"
scenario "explicit holes, compressed" mkfs="-O ^no-holes -n 4096" mount=compress=lzo
scenario "free space cache instead of tree" mkfs="-R ^free-space-tree"
scenario "extent items with full keys" mkfs="-O ^skinny-metadata"
scenario "no extended references" mkfs="-O ^extref"
scenario "all old features" mkfs="-O ^extref,^skinny-metadata,^no-holes -R ^free-space-tree -n 4096"
scenario "block group tree" mkfs="-O block-group-tree" optional=1
scenario "quotas from mkfs" mkfs="-R quota"

scenario "quotas enabled later, with limits and groups" mkfs="-n 4096"
populate() {
	peer quota enable "$MNT"
	zoo
	peer qgroup create 1/0 "$MNT"
	peer qgroup limit 1G .
	snap snap
}

for algorithm in zlib lzo zstd; do
	scenario "$algorithm on raid10" mkfs="-m raid10 -d raid10" devices=4 mount="compress-force=$algorithm"
	scenario "$algorithm without no-holes and checksums" mkfs="-O ^no-holes" \
		mount="compress-force=$algorithm,max_inline=4095"
done

scenario "a device added and all data moved" size=300M
populate() {
	zoo
	truncate -s 300M "$WORK/dev2.img"
	IMAGES+=("$WORK/dev2.img")
	snap snap
	peer balance start --full-balance "$MNT"
}

done_testing
