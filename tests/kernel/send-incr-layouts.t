#!/bin/bash
# Incremental send from file systems of every layout, whole, with devices missing
# and with copies that are silently damaged: the stream is always the kernel's of
# the healthy file system.
#
# A layout is built once; then everything is done to it (each line here is a test):
#
#	layout "raid1 on 3 devices" 3 -m raid1 -d raid1
#	without 1		device 1 is missing
#	spots 1:0 2:1		noise in places of devices, see there
#	noise METADATA 1	copy 1 (RAID5/6: share 1) of all metadata is noise
#	without 1 spots 2:0	both
#
# In each state three streams are compared: plain, with a clone source, and with
# protocol 2 and compressed data as it is.

# shellcheck source=../lib/harness.sh
. "$(dirname "$0")/../lib/harness.sh"
# shellcheck source=../lib/kernel.sh
. "$TESTS_LIB/kernel.sh"
# shellcheck source=../lib/zoo.sh
. "$TESTS_LIB/zoo.sh"

need_kernel
need_program

STREAMS=(plain clones as-is)
LAYOUT=		# the name; empty: it could not be built, or is not wanted
GOOD=$WORK/good	# the images as they were
mkdir "$GOOD"

# --- what is sent -------------------------------------------------------------

# Enough small files that trees have several leaves on every device.
fill_sub() {
	zoo
	text big 0 3M 7
	mkdir many
	head -c 300000 big | split -d -a 3 -b 1777 - many/
}

# Old and new data lie side by side: each sync ends a generation.
change_sub() {
	local file

	fill files/noise 1M 700K 9
	text big 512K 300K 8
	clone big 1M 256K files/noise 3M
	sync -f .
	fallocate -p -o 2M -l 100K big
	mv files/deep late/deep
	for file in many/*[05]; do
		echo "$file" >>"$file"
	done
	mv many/*17 late/
	rm many/*3
	cp --reflink=always files/noise whole
	cp --reflink=always "$MNT/other/"* .
	setfattr -n user.new -v x many/007
	text new 0 1M 10
}

# Snapshots one and two of sub, and other to clone from.
build_snapshots() {
	peer subvolume create "$MNT/sub"
	peer subvolume create "$MNT/src"
	fill "$MNT/src/from-noise" 0 1M 20
	text "$MNT/src/from-text" 0 1M 21
	peer subvolume snapshot -r "$MNT/src" "$MNT/other"
	cd "$MNT/sub"
	fill_sub
	peer subvolume snapshot -r . "$MNT/one"
	[ -z "${FILLER:-}" ] || fallocate -l "$FILLER" "$MNT/src/filler"
	change_sub
	peer subvolume snapshot -r . "$MNT/two"
	cd /
}

# --- both sides -----------------------------------------------------------------

# options STREAM PREFIX: into ARGS, with snapshots below PREFIX.
options() {
	ARGS=(-p "$2/one")
	[ "$1" = plain ] || ARGS+=(-c "$2/other")
	[ "$1" != as-is ] || ARGS+=(--proto 2 --compressed-data)
}

kernel_streams() {
	local stream

	for stream in "${STREAMS[@]}"; do
		options "$stream" "$MNT"
		peer send "${ARGS[@]}" -f "$WORK/theirs.$stream" "$MNT/two" || return 1
	done
}

# our_streams MISSING: what differs from the kernel's, or is wrong besides.
our_streams() {
	local missing=$1 stream named=() i

	for ((i = ${#IMAGES[@]}; i >= 1; i--)); do
		[[ " $missing " == *" $i "* ]] || named+=(--device "$WORK/dev$i.img")
	done
	# The last one is what is opened.
	unset "named[-2]"
	for stream in "${STREAMS[@]}"; do
		options "$stream" ""
		rm -f "$WORK/ours"
		run_ours send -f "$WORK/ours" "${ARGS[@]}" "${named[@]}" /two
		judge $? "$missing" "$WORK/theirs.$stream" | sed "s/^/$stream: /"
	done
}

# judge STATUS MISSING THEIRS
judge() {
	misbehaved "$1" "$ERR" && return
	if [ "$1" -ne 0 ] || grep -q '^ERROR' "$ERR"; then
		echo "exit status $1: $(head -n 5 "$ERR")"
	elif [ -n "$2" ] && ! grep -q '^WARNING' "$ERR"; then
		echo "no WARNING about the missing device"
	else
		cmp "$3" "$WORK/ours" 2>&1
	fi
}

# --- states -----------------------------------------------------------------------

# layout NAME DEVICES MKFS-OPTION...: build it, and compare it while it is whole.
layout() {
	local name=$1 devices=$2
	shift 2

	LAYOUT=
	[[ $name =~ ${BTRFS_TEST_ONLY:-} ]] || return 0
	rm -f "$GOOD"/*
	{
		make_images "$devices" "${SIZE:-512M}" "$@" && mount_images compress=zstd &&
			( set -e; build_snapshots ) && kernel_streams && sync -f "$MNT" &&
			record_stripes && unmount_images && cp --sparse=always "${IMAGES[@]}" "$GOOD"
	} >"$WORK/log" 2>&1 || {
		not_ok "$name: could not be built"
		diag <"$WORK/log"
		unmount_images
		return
	}
	LAYOUT=$name
	state ""
}

# state WHAT: compare, with $MISSING away; WHAT was done to the images.
state() {
	local before wrong

	[ -n "$LAYOUT" ] || return 0
	before=$(stat -c '%n %y' "${IMAGES[@]}")
	wrong=$(our_streams "${MISSING:-}")
	[ "$before" = "$(stat -c '%n %y' "${IMAGES[@]}")" ] || wrong+="send wrote to an image"
	if [ -z "$wrong" ]; then
		ok "$LAYOUT${1:+: $1}"
	else
		not_ok "$LAYOUT${1:+: $1}"
		diag "$wrong"
	fi
}

# without DEVID... [spots|noise ARGUMENT...]
without() {
	local MISSING=''

	while [[ ${1:-} =~ ^[0-9]+$ ]]; do
		MISSING+="${MISSING:+ }$1"
		shift
	done
	if [ $# -gt 0 ]; then "$@"; else state "without $MISSING"; fi
}

# damaged WHAT SELECTOR: noise over the ranges that SELECTOR names, line by line as
# DEVID OFFSET LENGTH; afterwards the images are good again.
damaged() {
	[ -n "$LAYOUT" ] || return 0
	"$2" <"$WORK/stripes" | write_noise "$WORK"
	state "$1${MISSING:+, without $MISSING}"
	cp --sparse=always "$GOOD"/* "$WORK"
}

# One process for all the ranges.  Where nothing was ever written there is nothing
# to spoil; that is most of it.
write_noise() {
	perl -e '
		my $noise = pack "N*", map { $_ * 2654435761 % 4294967296 } 1 .. 32768;
		while (<STDIN>) {
			my ($devid, $at, $len) = split;
			if (!$files{$devid}) {
				open $files{$devid}, "+<", "$ARGV[0]/dev$devid.img" or die;
			}
			for (; $len > 0; $at += length $noise, $len -= length $noise) {
				my $n = $len < length $noise ? $len : length $noise;
				sysseek $files{$devid}, $at, 0;
				sysread $files{$devid}, my $old, $n;
				next if $old !~ /[^\0]/;
				sysseek $files{$devid}, $at, 0;
				syswrite($files{$devid}, $noise, $n) or die;
			}
		}' "$1"
}

# All that is written lies in the first bytes of a stripe.
WRITTEN=25165824
SPOT=131072

# spots DEVID:PHASE...: noise over every second piece of what lies on the device,
# beginning with the first (phase 0) or the second (1).  Devices with unlike phases
# are never bad at the same place of a mirrored block.
spots() {
	SPOTS=" $* "
	damaged "noise in places of $*" select_spots
}

# Lines are TYPE INDEX DEVID OFFSET LENGTH, as record_stripes leaves them.
select_spots() {
	awk -v spots="$SPOTS" -v size="$SPOT" -v written="$WRITTEN" '
		match(spots, " " $3 ":[01]") {
			phase = substr(spots, RSTART + RLENGTH - 1, 1)
			end = $5 < written ? $5 : written
			for (at = phase * size; at < end; at += 2 * size)
				printf "%d %.0f %d\n", $3, $4 + at, size
		}'
}

# noise TYPE INDEX...
noise() {
	NOISE_TYPE=$1 NOISE_INDEX=" ${*:2} "
	damaged "copy ${*:2} of the ${1,,} is noise" select_copies
}

select_copies() {
	awk -v type="$NOISE_TYPE" -v list="$NOISE_INDEX" -v written="$WRITTEN" '
		index("|" $1 "|", "|" type "|") && index(list, " " $2 " ") {
			printf "%d %.0f %d\n", $3, $4, $5 < written ? $5 : written
		}'
}

# --- layouts ----------------------------------------------------------------------

# The filler takes the rest of the chunk: new data goes to another device.
FILLER=90M
layout "single on 2 devices" 2 -m single -d single -n 4096
[ -z "$LAYOUT" ] || is "data is on both devices" "1 2" \
	"$(awk '/^DATA/ { print $3 }' "$WORK/stripes" | sort -u | paste -s -d ' ')"
FILLER=
layout "dup and single on 2 devices" 2 -m dup -d single
layout "dup" 1 -m dup -d dup -n 4096
noise METADATA 0
noise DATA 1
noise DATA 0

layout "raid0 on 2 devices" 2 -m raid0 -d raid0 -n 4096
layout "raid0 on 3 devices" 3 -m raid0 -d raid0

layout "raid1 on 2 devices" 2 -m raid1 -d raid1 -n 4096
without 1
without 2
spots 1:0
spots 1:0 2:1
noise METADATA 1

layout "raid1 on 3 devices" 3 -m raid1 -d raid1
without 2
spots 1:1 2:0 3:1

layout "raid1c3" 3 -m raid1c3 -d raid1c3 -n 4096
without 1 2
without 2 3
spots 1:0 2:0
spots 1:1 2:0 3:1
noise DATA 0 1
without 1 spots 3:0

layout "raid1c4" 4 -m raid1c4 -d raid1c4
without 1 2 3
without 2 4
spots 1:0 2:0 3:0
noise METADATA 0 2 3

layout "raid10 on 4 devices" 4 -m raid10 -d raid10 -n 4096
without 2
without 3
spots 1:1
noise METADATA 1 3
noise DATA 0 2

layout "raid10 on 5 devices" 5 -m raid10 -d raid10
without 4

layout "raid5 on 3 devices" 3 -m raid5 -d raid5 -n 4096
without 1
without 2
without 3
spots 1:0
spots 3:1

layout "raid5 on 4 devices" 4 -m raid5 -d raid5
without 3

layout "raid6 on 4 devices" 4 -m raid6 -d raid6 -n 4096
without 1
without 1 2
without 1 3
without 2 4
spots 1:0 2:0
spots 2:0 4:0
spots 1:0 3:0
without 4 spots 2:0
noise METADATA 0 3

layout "raid6 on 5 devices" 5 -m raid6 -d raid6
without 3 5

layout "metadata raid1c3 and data raid6" 4 -m raid1c3 -d raid6
without 1 4
without 2 spots 4:1

SIZE=200M
layout "mixed block groups, single on 2 devices" 2 -M -m single -d single -n 4096
layout "mixed block groups, raid1" 2 -M -m raid1 -d raid1 -n 4096
without 1
spots 1:0 2:1

done_testing
