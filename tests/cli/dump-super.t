#!/bin/bash
# inspect-internal dump-super prints what the existing tool prints, byte for
# byte, for file systems of every kind and for damaged superblocks.  Needs
# neither root nor the kernel.

# shellcheck source=../lib/harness.sh
. "$(dirname "$0")/../lib/harness.sh"

need_program
for tool in "$PEER" mkfs.btrfs btrfstune python3; do
	command -v "$tool" >/dev/null || skip_all "$tool is not installed"
done
cd "$WORK" || exit 1

# The options with which an image is looked at: all of them for some.
ALL_OPTIONS=("" -f -a -fa "-s 0" "-s 1" "-s 2" -F -fF -aF "--bytenr 65536" "-F --bytenr 1000"
	"-i 1" "-s 67108864")
FEW_OPTIONS=("" -fa "-s 1" -fF)
OPTIONS=("${ALL_OPTIONS[@]}")

make_fs() {
	local name=$1
	shift

	truncate -s 300M "$name"
	mkfs.btrfs -q -f "$@" "$name" >/dev/null 2>"$ERR" || diag <"$ERR"
}

# Options of this image that come out otherwise than from the existing tool.
differences() {
	local image=$1 options status

	for options in "${OPTIONS[@]}"; do
		# shellcheck disable=SC2086 # several words
		"$PEER" inspect-internal dump-super $options "$image" >peer.out 2>peer.err
		status=$?
		# shellcheck disable=SC2086
		run_ours inspect-internal dump-super $options "$image"
		[ $? -eq "$status" ] && cmp -s peer.out "$OUT" && cmp -s peer.err "$ERR" && continue
		echo "with '$options': expected status $status and"
		diff peer.out "$OUT" | head -n 5
		diff peer.err "$ERR" | head -n 5
	done
}

same_as_peer() {
	local found

	found=$(differences "$2")
	[ -z "$found" ] && { ok "$1"; return; }
	not_ok "$1"
	diag "$found"
}

# From lines "IMAGE OFFSET=HEX..." on standard input: the first 1 MiB of plain
# with bytes of its superblock changed; the word "seal" makes the crc32c right.
make_edited() {
	python3 -c '
import struct, sys

table = []
for i in range(256):
    for _ in range(8):
        i = (i >> 1) ^ 0x82f63b78 if i & 1 else i >> 1
    table.append(i)

def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc = table[(crc ^ byte) & 255] ^ (crc >> 8)
    return crc ^ 0xffffffff

with open("plain", "rb") as f:
    plain = f.read(1 << 20)
for line in sys.stdin:
    image, *changes = line.split()
    data = bytearray(plain)
    sb = data[65536:69632]
    for change in changes:
        if change == "seal":
            sb[0:4] = struct.pack("<I", crc32c(sb[32:]))
            continue
        offset, value = change.split("=")
        value = bytes.fromhex(value)
        sb[int(offset, 0):int(offset, 0) + len(value)] = value
    data[65536:69632] = sb
    with open(image, "wb") as f:
        f.write(data)
'
}

# --- file systems as they are -------------------------------------------------

make_fs plain -L "a label, with signs: ü"
same_as_peer "single device" plain

truncate -s 300M raid1 raid2 raid3 raid4
mkfs.btrfs -q -f -d raid10 -m raid1c4 raid1 raid2 raid3 raid4 >/dev/null 2>&1
same_as_peer "first of four devices" raid1
same_as_peer "last of four devices" raid4

OPTIONS=("${FEW_OPTIONS[@]}")
for csum in xxhash sha256 blake2; do
	make_fs "$csum" --csum "$csum"
	same_as_peer "checksum $csum" "$csum"
done

make_fs mixed --mixed
same_as_peer "mixed block groups" mixed
make_fs nodes -n 65536 -O no-holes,^extref -R free-space-tree
same_as_peer "large nodes, other features" nodes
make_fs quota -R quota -U 01234567-89ab-cdef-0123-456789abcdef
same_as_peer "quota, chosen fsid" quota

make_fs changed
btrfstune -f -m changed >/dev/null
same_as_peer "changed metadata uuid" changed
make_fs seed
btrfstune -f -S 1 seed
same_as_peer "seed" seed

make_edited <<END
bgtree 0xb4=0b00000000000000 seal
bad-csum 0=01020304
bad-csum-type 0xc4=0900
bad-magic 0x40=0041ff1b5b324a0a seal
bad-fsid 0x20=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa seal
bad-flags 0xac=ff00000000000000 0xb4=00f0000000000000 0xbc=0000100000000080 seal
no-flags 0x38=0000000000000000 0xb4=0000000000000000 0xbc=0000000000000000 seal
bad-label 0x12b=$(printf '1b5b324a0aff5c%0498d' 0) seal
array-empty 0xa0=00000000 seal
array-ends-in-key 0xa0=0a000000 seal
array-ends-behind-key 0xa0=11000000 seal
array-ends-in-chunk 0xa0=60000000 seal
array-ends-in-stripes 0xa0=64000000 seal
array-longer-than-chunks 0xa0=8c000000 seal
array-full 0xa0=00080000 seal
array-too-long 0xa0=01080000 seal
array-endless 0xa0=ffffffff seal
array-other-key 0x333=01 seal
array-no-stripes 0x368=0000 seal
array-99-stripes 0x368=6300 seal
array-65535-stripes 0x368=ffff seal
array-no-type 0x354=0000000000000000 seal
END

# Not every mkfs can make one; the flag is what is shown of it.
same_as_peer "block group tree" bgtree

# --- damaged ---------------------------------------------------------------------

same_as_peer "wrong checksum" bad-csum
same_as_peer "unknown checksum type" bad-csum-type
OPTIONS=("${ALL_OPTIONS[@]}")
same_as_peer "no magic" bad-magic
OPTIONS=("${FEW_OPTIONS[@]}")
same_as_peer "fsid of another" bad-fsid
same_as_peer "unknown features" bad-flags
same_as_peer "no flags at all" no-flags
same_as_peer "label of control characters, without an end" bad-label

OPTIONS=(-f)
for array in array-*; do
	same_as_peer "system chunk $array" "$array"
done

# --- errors ------------------------------------------------------------------------

# fails NAME STATUS MESSAGE OPTION...
fails() {
	local name=$1 status=$2 message=$3 got
	shift 3

	run_ours inspect-internal dump-super "$@"
	got=$?
	if [ "$got" -eq "$status" ] && grep -qF -- "$message" "$ERR"; then
		ok "$name"
	else
		not_ok "$name"
		diag "status $got, expected $status and: $message"
		diag <"$ERR"
	fi
}

: >empty
head -c 66000 plain >short
mkdir dir
fails "no file" 1 "ERROR: cannot open nowhere: No such file" nowhere
fails "a directory" 1 "ERROR: cannot open dir: Is a directory" dir
fails "an empty file" 1 "ERROR: failed to read the superblock on empty at 65536" empty
fails "ends inside the superblock" 1 "ERROR: failed to read the superblock on short" short
fails "offset beyond the end" 1 "ERROR: failed to read the superblock" \
	--bytenr 18446744073709551615 plain
fails "bad magic" 1 "ERROR: bad magic on superblock on bad-magic at 65536" bad-magic
fails "no device named" 2 "too few arguments"
fails "unknown option" 2 "unknown option '-Z'" -Z plain
fails "copy that is no number" 2 "x is not a valid numeric value" -s x plain
fails "negative copy" 2 "-1 is not a valid numeric value" -s -1 plain
fails "copy that does not exist" 2 "super mirror too big: 3 >= 3" -i 3 plain

# Every prefix of a superblock, with noise behind it: no crash.
head -c 1M /dev/urandom >noise
found=
for at in {65536..69632..211}; do
	{ head -c "$at" plain; tail -c +$((at + 1)) noise; } >torn
	run_ours inspect-internal dump-super -fF torn
	found+=$(misbehaved $? "$ERR")
done
is "torn superblocks are printed" "" "$found"

# --- JSON --------------------------------------------------------------------------

json() {
	run_ours --format json inspect-internal dump-super "$@" ||
		{ echo "failed: $(cat "$ERR")"; return; }
	python3 -c '
import json, sys
document = json.load(open(sys.argv[1]))
print(eval(sys.argv[2], {"d": document, "s": document["superblocks"]}))' "$OUT" "$query"
}

query='d["__header"]["version"]'
is "JSON says its version" "1" "$(json plain)"
query='[(x["device"], x["offset"], x["csum_valid"]) for x in s]'
is "JSON of all copies" \
	"[('plain', 65536, True), ('plain', 67108864, True), ('raid1', 65536, True), ('raid1', 67108864, True)]" \
	"$(json -a plain raid1)"
query='s[0]["label"], s[0]["dev_item"]["devid"], s[0]["incompat_flags_names"][0]'
is "JSON fields" "('a label, with signs: ü', 1, 'MIXED_BACKREF')" \
	"$(PYTHONIOENCODING=utf-8 json plain)"
query='len(s[0]["sys_chunk_array"][0]["stripes"]), len(s[0]["backup_roots"])'
is "JSON arrays" "(4, 4)" "$(json --offline raid1)"
query='[sorted(x) == sorted(s[0]) for x in s], s[1]["csum_name"], s[1]["csum_valid"]'
is "JSON has the same keys for a damaged superblock" "([True, True], None, False)" \
	"$(json plain bad-csum-type)"

done_testing
