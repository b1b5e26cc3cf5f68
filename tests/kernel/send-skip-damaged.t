#!/bin/bash
# send --skip-damaged: what no copy has is left out, and nothing else.  The kernel
# receives the streams; what it then has must be the healthy files with zeros in
# the damaged places.

# shellcheck source=../lib/cli.sh
. "$(dirname "$0")/../lib/cli.sh"

need_kernel
need_program

GOOD_IMAGE=$WORK/source.img	# the healthy file system
BAD_IMAGE=$WORK/damaged.img
STREAM=$OUTDIR/stream
# A path so long that the commands around single sectors take more room than the data.
DEEP=$(printf "%0200d/%0200d/%0200d/%0200d/%0200d" 1 2 3 4 5)

# --- a file system with damage --------------------------------------------------

# spoil SNAPSHOT FILE OFFSET LENGTH: bytes to be damaged later, by their address.
spoil() {
	echo "$("$FSOP" extent "$MNT/$1/$2" "$3") $4" >>"$WORK/spoil"
}

# left_out SNAPSHOT FILE OFFSET LENGTH [WHY [LOGICAL]]: what a send of it does without.
left_out() {
	printf 'WARNING: left out %s: offset %d, %d bytes: %s at logical address %s\n' \
		"$2" "$3" "$4" "${5:-checksum mismatch}" \
		"${6:-$("$FSOP" extent "$MNT/$1/$2" "$3")}" >>"$WORK/lines.$1"
	echo "$2 $3 $4" >>"$WORK/blanks.$1"
}

lose() {
	spoil "$@"
	left_out "$@"
}

packed() { : >"$1" && chattr +c "$1" && text "$1" 0 "$2" "$3"; }

# In the order of inode numbers, as is the stream.
populate() {
	mkdir -p "$DEEP"
	fill old 0 300K 1
	fill grown 0 70001 2
	packed oldpacked 300000 3
	fill middle 0 300K 4
	fill first 0 100K 5
	fill tail 0 70001 6
	fill whole 0 12K 7
	fill borders 0 1M 8
	packed packed 400000 9
	packed packedtail 150000 10
	packed shifty 128K 11
	packed inline 1800 12
	fill "$DEEP/stripes" 0 192K 13
	sync -f .
	cp --reflink=always middle middle2
	cp --reflink=always tail tail2
	clone middle 16K 16K part 4096
	clone packed 128K 64K packedpart 64K
	clone borders 0 0 borders2 0
	clone middle2 16K 16K middle2 512K
	fill intact 0 3M 14
	packed intactpacked 1M 15
	ln tail tail-again
}

damage_one() {
	local i

	lose one middle 20480 4096
	lose one first 0 4096
	lose one tail 69632 369
	lose one whole 0 12288
	# Across the end of a command, of protocol 1 and of protocol 2.
	lose one borders 45056 8192
	lose one borders 126976 8192
	spoil one packed 131072 16
	left_out one packed 131072 131072
	spoil one packedtail 131072 16
	left_out one packedtail 131072 18928
	left_out one shifty 0 131072 "damaged zlib data"
	left_out one inline 0 1800 "damaged zlib data" LEAF
	for ((i = 0; i < 192 * 1024; i += 8192)); do
		lose one "$DEEP/stripes" "$i" 4096
	done
	# What is cloned within the subvolume is missing twice.
	left_out one middle2 20480 4096
	left_out one middle2 $((512 * 1024 + 4096)) 4096
	left_out one tail2 69632 369
	left_out one part 8192 4096
	left_out one packedpart 65536 65536
	left_out one borders2 45056 8192
	left_out one borders2 126976 8192
}

# Old data must not shine through, and what the receiver has must be cloned.
mutate() {
	fill old 64K 100K 20
	fallocate -p -o 200K -l 32K old
	fill grown 69632 60000 21
	text oldpacked 0 140000 22
	fill fresh 0 200001 23
	packed freshpacked 256K 24
	sync -f .
	cp --reflink=always fresh fresh2
	clone fresh 64K 64K old 1M
	cp --reflink=always middle middle3
	truncate -s 50001 first
}

damage_two() {
	lose two old 65536 4096
	lose two old 131072 8192
	# The first to come: the others are cloned from it.
	lose two old $((1024 * 1024 + 4096)) 4096
	lose two grown 69632 4096
	lose two grown 126976 2656
	spoil two oldpacked 0 16
	left_out two oldpacked 0 131072
	left_out two fresh 69632 4096
	lose two fresh 196608 3393
	spoil two freshpacked 131072 16
	left_out two freshpacked 131072 131072
	left_out two fresh2 69632 4096
	left_out two fresh2 196608 3393
}

make_source() (
	set -e
	make_images 1 128M -m single -d single -n 4096
	mount_images
	peer subvolume create "$MNT/sub"
	cd "$MNT/sub"
	populate
	peer subvolume snapshot -r . "$MNT/one"
	mutate
	sync -f .
	peer subvolume snapshot -r . "$MNT/two"
	cd /
	damage_one
	damage_two
	mkdir "$WORK/want"
	cp -a "$MNT/one" "$MNT/two" "$WORK/want"
	stat -c %i "$MNT/one/inline" >"$WORK/inline"
	"$FSOP" extent "$MNT/one/shifty" 0 >"$WORK/shifty"
	# What the receiver of a difference has: it came before the damage.
	peer send -f "$WORK/one.stream" "$MNT/one"
	unmount_images
	mv "${IMAGES[0]}" "$GOOD_IMAGE"
)

# The chunks once, as "LOGICAL LENGTH PHYSICAL", since there are many addresses to look up.
read_chunks() {
	"$PEER" inspect-internal dump-tree -t chunk "$GOOD_IMAGE" 2>/dev/null | awk '
		/CHUNK_ITEM/ { logical = $6; sub(/\)/, "", logical) }
		$1 == "length" { len = $2 }
		$1 == "stripe" { print logical, len, $6 }' >"$WORK/chunks"
	[ -s "$WORK/chunks" ]
}

# place LOGICAL...: where that stands in the image.
place() {
	local wanted logical len at

	for wanted; do
		while read -r logical len at; do
			((wanted >= logical && wanted < logical + len)) &&
				echo $((at + wanted - logical))
		done <"$WORK/chunks"
	done
}

# shellcheck disable=SC2046 # addresses are words
all_places() { place $(tree_blocks "$GOOD_IMAGE" "$1"); }

make_damaged() {
	local logical len at patch=$TESTS_LIB/patch-leaf.pl

	read_chunks && cp --sparse=always "$GOOD_IMAGE" "$BAD_IMAGE" || return 1
	while read -r logical len; do
		garbage "$BAD_IMAGE" "$(place "$logical")" "$len" || return 1
	done <"$WORK/spoil"
	# shellcheck disable=SC2046 # addresses are words
	perl "$patch" inline "$BAD_IMAGE" 4096 "$(cat "$WORK/inline")" $(all_places 257) || return 1
	# A checksum that fits, and yet it cannot be unpacked.
	logical=$(cat "$WORK/shifty")
	at=$(place "$logical")
	garbage "$BAD_IMAGE" "$at" 2000
	# shellcheck disable=SC2046
	perl "$patch" csum "$BAD_IMAGE" 4096 "$logical" "$at" $(all_places csum)
}

# What a receiver is to have: zeros where something is left out.
make_wanted() {
	local snapshot file offset len

	for snapshot in one two; do
		while read -r file offset len; do
			head -c "$len" /dev/zero | dd of="$WORK/want/$snapshot/$file" conv=notrunc bs=64K \
				oflag=seek_bytes seek="$offset" iflag=fullblock status=none || return 1
		done <"$WORK/blanks.$snapshot"
	done
}

# --- sending ------------------------------------------------------------------------

# expected SNAPSHOT [NOT-FILES]: what stands on standard error.
expected() {
	grep -Ev "left out (${2:-nothing}):" "$WORK/lines.$1"
	awk -v snapshot="$1" -v not="^(${2:-nothing})\$" '
		$1 ~ not { next }
		{ bytes += $3; files += !seen[$1]++ }
		END { printf "ERROR: send of /%s left out %d bytes of %d files\n", snapshot, bytes, files }
	' "$WORK/blanks.$1"
}

said() { grep -E '^(WARNING: left out|ERROR)' "$ERR" | sed '/left out inline:/s/[0-9]*$/LEAF/'; }

# judge_send STATUS SNAPSHOT [NOT-FILES]: of the send that ran last.
judge_send() {
	check_status "$1" 1
	expected "$2" "${3:-}" >"$WORK/expected"
	said | diff "$WORK/expected" - >"$WORK/diff" || complain "$(head -n 20 "$WORK/diff")"
	[ -s "$STREAM" ] || complain "no stream"
	[ "$(ls -A "$OUTDIR")" = stream ] || complain "left behind: $(ls -A "$OUTDIR")"
}

# What is compressed goes out as it is, if only its checksum fits.
NOT_UNPACKED="shifty|inline"

full() {
	local not=
	[ "${1:-}" = --compressed-data ] && not=$NOT_UNPACKED
	run_ours send --skip-damaged "$@" -f "$STREAM" "$BAD_IMAGE" /one
	judge_send $? one "$not"
	received one "$not"
	verdict "a full send: ${*:---proto 1}"
}

difference() {
	run_ours send --skip-damaged "$@" -p /one -f "$STREAM" "$BAD_IMAGE" /two
	judge_send $? two
	received two
	verdict "a difference: ${*:---proto 1}"
}

# --- receiving ----------------------------------------------------------------------

make_receiver() {
	make_images 1 256M && mount_images && receive "$WORK/one.stream" "$MNT/parent"
}

receive() {
	mkdir -p "$2"
	"$PEER" -q receive -f "$1" "$2" >"$WORK/receive.log" 2>&1
}

# received SNAPSHOT [NOT-FILES]: the stream makes what is wanted.
received() {
	local dir=$MNT/in not=${2:-nothing}

	if receive "$STREAM" "$dir"; then
		diff -r -x "${not%|*}" -x "${not#*|}" "$WORK/want/$1" "$dir/$1" >"$WORK/diff" 2>&1 ||
			complain "$(head -n 20 "$WORK/diff")"
	else
		complain "receive: $(head -n 5 "$WORK/receive.log")"
	fi
	[ -e "$dir/$1" ] && peer subvolume delete "$dir/$1"
	rm -f "$STREAM"
}

# --- other properties ---------------------------------------------------------------

without_the_option() {
	IMAGE=$BAD_IMAGE
	fails "without the option the send stops at the first damaged file" 1 \
		'cannot read middle at offset 20480: checksum mismatch at logical address [0-9]+' \
		send -f "$STREAM" "$BAD_IMAGE" /one
	fails "a difference stops, too" 1 'cannot read (old|fresh) at offset [0-9]+: checksum mismatch' \
		send -p /one -f "$STREAM" "$BAD_IMAGE" /two
}

# same_when_good ARGUMENT...
same_when_good() {
	run_ours send "$@" -f "$WORK/plain" "$GOOD_IMAGE" /one /two
	check_status $? 0
	run_ours send --skip-damaged "$@" -f "$STREAM" "$GOOD_IMAGE" /one /two
	check_status $? 0
	cmp -s "$WORK/plain" "$STREAM" || complain "the streams differ"
	grep -E '^(WARNING|ERROR)' "$ERR" >"$WORK/diff" && complain "$(head -n 5 "$WORK/diff")"
	rm -f "$STREAM"
	verdict "where nothing is damaged the option changes nothing: ${*:---proto 1}"
}

# Neither stream nor listing may depend on who is ready first.
same_everywhere() {
	local i

	run_ours send --skip-damaged -f "$STREAM" "$BAD_IMAGE" /one
	said >"$WORK/expected"
	bounded 120 taskset -c 0 "$BTRFS" send --skip-damaged "$BAD_IMAGE" /one \
		>"$WORK/plain" 2>"$ERR" </dev/null
	check_status $? 1
	cmp -s "$WORK/plain" "$STREAM" || complain "one thread sends something else"
	said | cmp -s - "$WORK/expected" || complain "one thread says something else"
	for i in 1 2 3; do
		run_ours send --skip-damaged -f "$WORK/plain" "$BAD_IMAGE" /one
		cmp -s "$WORK/plain" "$STREAM" || complain "run $i sends something else"
		said | cmp -s - "$WORK/expected" || complain "run $i says something else"
	done
	rm -f "$STREAM"
	verdict "stream and listing are the same with one thread, and to standard output"
}

# several ARGUMENT...
several() {
	local i

	run_ours send --skip-damaged "$@" -f "$STREAM" "$BAD_IMAGE" /one /two
	check_status $? 1
	for i in one two; do
		grep -Eqx "ERROR: send of /$i left out [0-9]+ bytes of [0-9]+ files" "$ERR" ||
			complain "no ERROR line for $i"
	done
	[ "$(grep -c ^ERROR "$ERR")" -eq 2 ] || complain "more than two ERROR lines"
	receive "$STREAM" "$MNT/in" || complain "receive: $(head -n 5 "$WORK/receive.log")"
	diff -r "$WORK/want/one" "$MNT/in/one" >"$WORK/diff" 2>&1 ||
		complain "$(head -n 20 "$WORK/diff")"
	cmp -s "$WORK/want/two/intact" "$MNT/in/two/intact" || complain "the second is not right"
	peer subvolume delete "$MNT/in/one" "$MNT/in/two"
	rm -f "$STREAM"
	verdict "two subvolumes in a go: ${*:-two streams}"
}

# Each is sent against one that went before, and all streams have to be there.
all_snapshots() {
	local said

	remember_image
	run_ours send --skip-damaged --all-snapshots "$WORK/all" "$BAD_IMAGE"
	check_status $? 1
	said=$(grep -c '^ERROR: send of /\(one\|two\) left out' "$ERR")
	[ "$said" -eq 2 ] && [ "$(grep -c ^ERROR "$ERR")" -eq 2 ] || complain "not two ERROR lines"
	[ "$(find "$WORK/all" -type f -name '*.btrfs' | wc -l)" -eq 2 ] || complain "not two streams"
	[ -s "$WORK/all/index.json" ] || complain "no index"
	check_image
	verdict "all snapshots"
}

# Metadata alone is looked at, and damage in it is no surprise either.
estimate() {
	run_ours send --skip-damaged --estimate "$BAD_IMAGE" /one /two
	check_status $? 0
	grep -E '^(WARNING|ERROR)' "$ERR" >"$WORK/diff" && complain "$(head -n 5 "$WORK/diff")"
	verdict "an estimate"
}

damaged_metadata() {
	local tree block

	for tree in 257 csum; do
		block=$(tree_blocks "$GOOD_IMAGE" "$tree" | tail -n 1)
		IMAGE=$WORK/metadata-$tree.img
		cp --sparse=always "$BAD_IMAGE" "$IMAGE"
		garbage "$IMAGE" "$(place "$block")" 4096
		fails "metadata is not left out: tree $tree" 1 "$block" \
			send --skip-damaged -f "$STREAM" "$IMAGE" /one
		rm -f "$IMAGE"
	done
}

# --------------------------------------------------------------------------------------

make_source >"$WORK/log" 2>&1
status=$?
if [ "$status" -ne 0 ] || ! make_damaged >>"$WORK/log" 2>&1 || ! make_wanted; then
	not_ok "the kernel makes snapshots, and they are damaged"
	tail -n 20 "$WORK/log" | diag
	done_testing
fi

without_the_option
damaged_metadata
all_snapshots
estimate
same_everywhere
same_when_good
same_when_good --compressed-data

make_receiver || { not_ok "there is a file system to receive into"; done_testing; }
IMAGE=
for options in "" "--proto 2" --compressed-data; do
	# shellcheck disable=SC2086 # options are words
	full $options
	# shellcheck disable=SC2086
	difference $options
done
several
several -e

done_testing
