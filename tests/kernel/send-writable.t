#!/bin/bash
# send --writable: the stream of a subvolume that can be written is that of a
# read-only snapshot of it but for names and UUIDs, the kernel receives it, and
# what comes out is what went in.  The top level, too, which no kernel sends.

# shellcheck source=../lib/harness.sh
. "$(dirname "$0")/../lib/harness.sh"
# shellcheck source=../lib/kernel.sh
. "$TESTS_LIB/kernel.sh"
# shellcheck source=../lib/zoo.sh
. "$TESTS_LIB/zoo.sh"
# shellcheck source=../lib/manifest.sh
. "$TESTS_LIB/manifest.sh"

need_kernel
need_program

SOURCE=$WORK/source.img		# the file system that is sent, when it is not dev1.img
FSID=12345678-1234-1234-1234-123456789abc

# make_source MKFS-OPTION... and the function fill_source, which runs in the top level.
make_source() {
	make_images 1 512M -U "$FSID" "$@" && mount_images noatime &&
		( set -e; cd "$MNT"; fill_source ) && unmount_images
}

anonymous() { perl "$TESTS_LIB/anonymous-stream.pl"; }

# send_ours STREAM ARGUMENT...: into STREAM, errors shown.
send_ours() {
	local stream=$1
	shift

	run_ours send --writable -f "$stream" "$@" || { diag <"$ERR"; return 1; }
	! misbehaved 0 "$ERR" | diag
}

# same_but_names NAME KERNEL-STREAM ARGUMENT...
same_but_names() {
	local name=$1 theirs=$2
	shift 2

	send_ours "$WORK/ours" "$@"
	if anonymous <"$theirs" >"$WORK/theirs.plain" &&
		anonymous <"$WORK/ours" >"$WORK/ours.plain" && [ -s "$WORK/theirs.plain" ] &&
		cmp "$WORK/theirs.plain" "$WORK/ours.plain" >"$WORK/log" 2>&1; then
		ok "$name"
	else
		not_ok "$name"
		diag <"$WORK/log"
		diff <("$PEER" receive --dump -f "$theirs" 2>&1 | tail -n +2) \
			<("$PEER" receive --dump -f "$WORK/ours" 2>&1 | tail -n +2) |
			head -n 20 | cut -c -200 | diag
	fi
}

# The first command of a stream, as the existing tool tells it.
first_command() { "$PEER" receive --dump -f "$1" 2>/dev/null | head -n 1; }

fill_source() {
	local i

	mkdir other
	peer subvolume create other/snaps
	peer subvolume create sub
	( cd sub && zoo )
	peer subvolume create sub/inner
	echo x >sub/inner/f
	sync -f .
	peer subvolume snapshot -r sub other/snaps/one
	peer subvolume snapshot sub old
	manifest old >"$WORK/old.manifest"
	peer send -f "$WORK/one.stream" other/snaps/one
	peer send --proto 2 --compressed-data -f "$WORK/one2.stream" other/snaps/one
	(
		cd sub
		fill files/noise 100K 300K 77
		rm files/text
		mv late/moved back
		rmdir late
		mkdir new
		mv extents/whole new/whole
		clone files/noise 0 128K new/part 0
		for ((i = 0; i < 300; i++)); do echo "$i" >"new/$i"; done
		chmod 700 files
	)
	manifest sub >"$WORK/sub.manifest"
	peer subvolume snapshot -r sub other/snaps/two
	peer send -f "$WORK/two.stream" other/snaps/two
	peer send -p other/snaps/one -f "$WORK/diff.stream" other/snaps/two
	# Changed after both: the snapshots share no leaf with it any more.
	peer subvolume snapshot sub changed
	( cd changed; touch -d 2001-01-01 files/noise; rm -r new; echo y >y; chmod 711 . )
	manifest changed >"$WORK/changed.manifest"
	peer subvolume snapshot -r changed other/snaps/three
	peer send -p other/snaps/two -c other/snaps/one -f "$WORK/clones.stream" other/snaps/three
}

same_streams() {
	local image=$WORK/dev1.img

	run_ours send -f "$WORK/ours" "$image" /sub
	is "without the option it is refused, and the option is named" "1 1" \
		"$? $(grep -c '^ERROR: .*/sub: .*--writable' "$ERR")"
	is "and nothing is written" "" "$(ls "$WORK/ours" 2>/dev/null)"
	same_but_names "a full stream" "$WORK/two.stream" "$image" /sub
	is "it has the name of the subvolume" 1 "$(first_command "$WORK/ours" | grep -c './sub ')"
	same_but_names "one that nothing was written to since" "$WORK/one.stream" "$image" /old
	same_but_names "version 2 with compressed data" "$WORK/one2.stream" \
		--proto 2 --compressed-data "$image" /old
	same_but_names "the difference from a snapshot" "$WORK/diff.stream" \
		-p /other/snaps/one "$image" /sub
	same_but_names "the difference from one that can be written" "$WORK/diff.stream" \
		-p /old "$image" id:"$(id_of sub)"
	same_but_names "with a parent and clone sources that can be written" \
		"$WORK/clones.stream" -p /sub -c /old "$image" /changed
	send_ours "$WORK/ours" "$image" /other/snaps/two
	cmp "$WORK/two.stream" "$WORK/ours" >"$WORK/log" 2>&1
	is "a read-only snapshot is sent as ever" "0 " "$? $(cat "$WORK/log")"
}

id_of() {
	"$BTRFS" subvolume list "$WORK/dev1.img" | awk -v path="$1" '$NF == path { print $2 }'
}

uuid_of() { "$PEER" subvolume show "$1" | sed -n "s/^[[:space:]]*$2:[[:space:]]*//p"; }

# The file system that receives: streams of $WORK/source.img by the kernel.
receive_chain() {
	local uuid

	mv "$WORK/dev1.img" "$SOURCE"
	uuid=$("$BTRFS" subvolume show "$SOURCE" sub | sed -n 's/^[[:space:]]*UUID:[[:space:]]*//p')
	make_images 1 512M && mount_images || { not_ok "a file system to receive into"; return; }
	send_ours "$WORK/s1" "$SOURCE" /old
	send_ours "$WORK/s2" -p /old "$SOURCE" /sub
	send_ours "$WORK/s3" -c /sub -p /sub "$SOURCE" /changed
	for stream in s1 s2 s3; do
		peer receive -f "$WORK/$stream" "$MNT" 2>"$WORK/log"
		is "the kernel receives $stream" "0 " "$? $(cat "$WORK/log")"
	done
	same_manifest "full: what was received is what was sent" "$MNT/old" "$WORK/old.manifest"
	same_manifest "incremental: what was received is what was sent" "$MNT/sub" "$WORK/sub.manifest"
	same_manifest "and the next" "$MNT/changed" "$WORK/changed.manifest"
	is "it is known by the uuid of the subvolume" "$uuid" "$(uuid_of "$MNT/sub" 'Received UUID')"
	unmount_images
}

# --- the top level -----------------------------------------------------------------

# Snapshots of the top level go into a subvolume, so that they change nothing in it.
fill_top_level() {
	peer subvolume create sub
	echo x >sub/f
	mkdir d
	peer subvolume create d/snaps
	zoo
	peer subvolume snapshot -r . d/snaps/one
	echo more >d/more
	rm second
	mv files d/files
	peer subvolume snapshot -r . d/snaps/two
	manifest d/snaps/two >"$WORK/top2.manifest"
	peer send -f "$WORK/top.stream" d/snaps/two
	peer send -p d/snaps/one -f "$WORK/top2.stream" d/snaps/two
}

top_level() {
	local image=$WORK/dev1.img label

	fill_source() { fill_top_level; }
	make_source -n 4096 -m single || { not_ok "the kernel fills a top level"; return; }
	same_but_names "the top level in full" "$WORK/top.stream" "$image" /
	same_but_names "the top level, by its path" "$WORK/top2.stream" -p /d/snaps/one "$image" /
	cp "$WORK/ours" "$WORK/by-path"
	same_but_names "the top level, by its id" "$WORK/top2.stream" -p /d/snaps/one "$image" id:5
	cmp -s "$WORK/by-path" "$WORK/ours"
	is "both are one" 0 $?
	is "without a label it is called top-level" 1 "$(first_command "$WORK/ours" |
		grep -c './top-level ')"
	"$PEER" filesystem label "$image" "my disk"
	send_ours "$WORK/ours" "$image" /
	is "with a label it is called so" 1 \
		"$(first_command "$WORK/ours" | grep -c '^subvol  *./my\\ disk ')"
	for label in a/b . ..; do
		"$PEER" filesystem label "$image" "$label"
		send_ours "$WORK/ours" "$image" /
		is "a label that can be no name: $label" 1 \
			"$(first_command "$WORK/ours" | grep -c './top-level ')"
	done
	receive_top_level
}

receive_top_level() {
	mv "$WORK/dev1.img" "$SOURCE"
	send_ours "$WORK/s1" "$SOURCE" /d/snaps/one
	send_ours "$WORK/s2" -p /d/snaps/one "$SOURCE" /
	send_ours "$WORK/s3" -p / "$SOURCE" /d/snaps/two
	make_images 1 512M && mount_images || { not_ok "a file system to receive into"; return; }
	for stream in s1 s2 s3; do
		peer receive -f "$WORK/$stream" "$MNT" 2>"$WORK/log"
		is "the kernel receives it: $stream" "0 " "$? $(cat "$WORK/log")"
	done
	same_manifest "the top level: what was received is what was sent" "$MNT/top-level" "$WORK/top2.manifest"
	same_manifest "the difference from the top level" "$MNT/two" "$WORK/top2.manifest"
	unmount_images
}

# --- identity ---------------------------------------------------------------------------

# Old versions of mkfs gave the top level no uuid.
top_level_without_uuid() {
	local leaves block

	mapfile -t leaves < <(for block in $(tree_blocks "$SOURCE" root); do
		physical "$SOURCE" "$block"
	done)
	perl "$TESTS_LIB/patch-leaf.pl" root-uuid "$SOURCE" 4096 5 "${leaves[@]}" ||
		{ not_ok "the uuid of the top level is taken away"; return; }
	send_ours "$WORK/ours" "$SOURCE" /
	is "a top level without uuid has that of the file system" 1 \
		"$(first_command "$WORK/ours" | grep -c "uuid=$FSID ")"
	send_ours "$WORK/ours" -p / "$SOURCE" /d/snaps/two
	is "also where it is the parent" 1 \
		"$(first_command "$WORK/ours" | grep -c "parent_uuid=$FSID ")"
}

# It may have been changed, so it must not pass for what was received.
received_then_writable() {
	local uuid

	fill_source() {
		peer subvolume create src
		echo x >src/f
		peer subvolume snapshot -r src snap
		mkdir in
		peer send -f "$WORK/s1" snap
		peer receive -f "$WORK/s1" in
		# The existing tool would clear the received UUID; the kernel's ioctl does not.
		perl -MFcntl -e 'my $SUBVOL_SETFLAGS = 0x4008941a; my $flags = "\0" x 8;
			sysopen(my $dir, $ARGV[0], O_RDONLY) or die;
			ioctl($dir, $SUBVOL_SETFLAGS, $flags) or die' in/snap
		echo changed >in/snap/new
	}
	make_source || { not_ok "the kernel makes a writable subvolume that was received"; return; }
	uuid=$("$BTRFS" subvolume show "$WORK/dev1.img" in/snap 2>/dev/null |
		sed -n 's/^[[:space:]]*UUID:[[:space:]]*//p')
	send_ours "$WORK/ours" "$WORK/dev1.img" /in/snap
	is "received, then written to: it has its own uuid" 1 \
		"$(first_command "$WORK/ours" | grep -c "uuid=$uuid ")"
}

# -------------------------------------------------------------------------------------------

if make_source; then
	same_streams
	receive_chain
else
	not_ok "the kernel makes what is to be sent"
fi
top_level
top_level_without_uuid
received_then_writable

done_testing
