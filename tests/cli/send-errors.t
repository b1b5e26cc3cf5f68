#!/bin/bash
# send of what cannot be sent, to where it cannot be written, by who may not:
# status, message, nothing left behind, nothing changed.

# shellcheck source=../lib/cli.sh
. "$(dirname "$0")/../lib/cli.sh"
# shellcheck source=../lib/zoo.sh
. "$TESTS_LIB/zoo.sh"

need_program

STREAM=$OUTDIR/stream
GOOD_IMAGE=$WORK/good.img	# the healthy file system, never written to
GOOD_STREAM=$WORK/good.stream	# what the kernel sends of its /snap

# --- without root: an image that mkfs filled, with nothing but a top level -----

make_rootless_image() {
	mkdir "$WORK/tree"
	( cd "$WORK/tree" && mkdir d && text d/text 0 300000 1 && fill noise 0 1M 2 )
	truncate -s 128M "$GOOD_IMAGE"
	"$MKFS" -q -f -n 4096 -m single -d single --rootdir "$WORK/tree" "$GOOD_IMAGE" \
		>"$WORK/mkfs.log" 2>&1
}

not_file_systems() {
	local size

	echo "some text" >"$WORK/text"
	: >"$WORK/empty"
	head -c 65536 /dev/zero >"$WORK/zeros"
	fill "$WORK/noise" 0 2M 1
	mkdir "$WORK/folder"
	IMAGE=$WORK/text fails "a text file" 1 "text" send -f "$STREAM" "$WORK/text" /
	IMAGE=$WORK/empty fails "an empty file" 1 "empty" send -f "$STREAM" "$WORK/empty" /
	IMAGE=$WORK/zeros fails "a file of zeros" 1 "zeros" send -f "$STREAM" "$WORK/zeros" /
	IMAGE=$WORK/noise fails "a file of noise" 1 "noise" send -f "$STREAM" "$WORK/noise" /
	fails "a directory" 1 "folder" send -f "$STREAM" "$WORK/folder" /
	fails "no such file" 1 "nowhere" send -f "$STREAM" "$WORK/nowhere" /
	fails "a character device" 1 "/dev/null" send -f "$STREAM" /dev/null /
	for size in 1 4096 65536 65537 66000 69632 1M; do
		IMAGE=$WORK/cut-$size
		head -c "$size" "$GOOD_IMAGE" >"$IMAGE"
		fails "an image cut off after $size bytes" 1 "cut-$size" send -f "$STREAM" "$IMAGE" /
	done
	IMAGE=$GOOD_IMAGE
}

usage_errors() {
	IMAGE=$GOOD_IMAGE
	fails "no argument at all" 2 . send
	fails "no path inside the image" 2 . send "$IMAGE"
	fails "an unknown long option is named" 2 'no-such-option' send --no-such-option "$IMAGE" /
	fails "an unknown short option is named" 2 'Z' send -Z "$IMAGE" /
	fails "-f without its value" 2 'f' send "$IMAGE" / -f
	fails "-p without its value" 2 'p' send "$IMAGE" / -p
	fails "a version that is no number" '[12]' 'proto|version' send --proto x -f "$STREAM" "$IMAGE" /
	run_ours send --help
	check_status $? 0
	grep -qi usage "$OUT" || complain "no usage on standard output"
	verdict "help is not an error"
}

wrong_paths() {
	IMAGE=$GOOD_IMAGE
	fails "a path that is not there" 1 '/none' send -f "$STREAM" "$IMAGE" /none
	fails "a path below a file" 1 '/noise/x' send -f "$STREAM" "$IMAGE" /noise/x
	fails "a plain directory is no subvolume" 1 '/d.*subvolume' send -f "$STREAM" "$IMAGE" /d
	fails "a file is no subvolume" 1 '/noise.*subvolume' send -f "$STREAM" "$IMAGE" /noise
	fails "an id that is not there" 1 '9999' send -f "$STREAM" "$IMAGE" id:9999
	fails "an id that is no number" '[12]' 'abc' send -f "$STREAM" "$IMAGE" id:abc
	fails "an empty path" '[12]' . send -f "$STREAM" "$IMAGE" ""
}

lost_super_blocks() {
	damaged_copy no-super
	garbage "$IMAGE" 64K 4096
	garbage "$IMAGE" 64M 4096
	fails "all super blocks are noise" 1 'no-super.*super' send -f "$STREAM" "$IMAGE" /
	drop_copy
	damaged_copy zero-super
	dd if=/dev/zero of="$IMAGE" bs=4096 seek=16 count=1 conv=notrunc status=none
	dd if=/dev/zero of="$IMAGE" bs=4096 seek=16384 count=1 conv=notrunc status=none
	fails "all super blocks are zeros" 1 'zero-super' send -f "$STREAM" "$IMAGE" /
	drop_copy
}

# --- with root: snapshots made by the kernel -----------------------------------

# Two leaves and more in the trees that count; victims whose blocks are known.
make_snapshot_image() {
	IMAGES=("$GOOD_IMAGE")
	truncate -s 0 "$GOOD_IMAGE"
	truncate -s 128M "$GOOD_IMAGE"
	"$MKFS" -q -f -n 4096 -m single -d single "$GOOD_IMAGE" >"$WORK/mkfs.log" 2>&1 &&
		mount_images && fill_snapshot_image && unmount_images
}

fill_snapshot_image() (
	set -e
	mkdir "$MNT/plain"
	peer subvolume create "$MNT/sub"
	cd "$MNT/sub"
	zoo
	mkdir dir
	fill dir/victim 0 64K 11
	touch dir/packed
	chattr +c dir/packed
	text dir/packed 0 256K 12
	for i in {1..500}; do echo "$i" >"files/small $i"; done
	sync -f .
	"$FSOP" extent dir/victim 20480 >"$WORK/victim"
	"$FSOP" extent dir/packed 128K >"$WORK/packed"
	peer subvolume snapshot -r . "$MNT/snap"
	peer send -f "$GOOD_STREAM" "$MNT/snap"
)

# succeeds NAME ARGUMENT...: exit 0 and the kernel's stream in STREAM.
succeeds() {
	local name=$1
	shift

	remember_image
	run_ours "$@"
	judge_success $?
	check_image
	check_outdir
	verdict "$name"
}

judge_success() {
	check_status "$1" 0
	cmp -s "$STREAM" "$GOOD_STREAM" || complain "the stream differs from the kernel's"
	rm -f "$STREAM"
}

# What is damaged may not be needed: then the stream must be right.
fails_or_is_right() {
	local name=$1 regex=$2 status
	shift 2

	remember_image
	run_ours "$@"
	status=$?
	if [ "$status" -eq 0 ]; then
		judge_success 0
		check_image
		check_outdir
	else
		judge_failure "$status" 1 "$regex"
	fi
	verdict "$name"
}

not_sendable() {
	IMAGE=$GOOD_IMAGE
	succeeds "the image that the other tests spoil is good" send -f "$STREAM" "$IMAGE" /snap
	fails "a writable subvolume: the remedy is named" 1 '/sub.*ro true' send -f "$STREAM" "$IMAGE" /sub
	fails "a plain directory of a kernel's making" 1 '/plain.*subvolume' send -f "$STREAM" "$IMAGE" /plain
	fails "the second of two paths is wrong" 1 '/none' send -f "$STREAM" "$IMAGE" /snap /none
}

wrong_parents() {
	if ! "$BTRFS" send --help 2>/dev/null | grep -q -- '-p'; then
		skip "parents and clone sources that cannot be used" "send has no -p"
		return
	fi
	IMAGE=$GOOD_IMAGE
	fails "a parent that is not there" 1 '/none' send -p /none -f "$STREAM" "$IMAGE" /snap
	fails "a parent that is writable" 1 '/sub' send -p /sub -f "$STREAM" "$IMAGE" /snap
	fails "a clone source that is not there" 1 '/none' send -c /none -f "$STREAM" "$IMAGE" /snap
}

damaged_super_blocks() {
	damaged_copy super1
	garbage "$IMAGE" 64K 4096
	remember_image
	run_ours send -f "$STREAM" "$IMAGE" /snap
	judge_success $?
	grep -q '^WARNING: .*super' "$ERR" || complain "no WARNING about the super block"
	check_image
	verdict "the first super block is noise, the second is used"
	drop_copy
	damaged_copy super2
	garbage "$IMAGE" 64M 4096
	succeeds "the second super block is noise" send -f "$STREAM" "$IMAGE" /snap
	drop_copy
}

# Spoil one block of a tree: its root, and its last leaf.
damaged_trees() {
	local tree block where

	for tree in root chunk fs:257 csum extent; do
		for where in first last; do
			block=$(tree_blocks "$GOOD_IMAGE" "${tree#fs:}")
			[ -n "$block" ] || { not_ok "blocks of tree $tree are found"; continue; }
			[ "$where" = first ] && block=${block%%$'\n'*} || block=${block##*$'\n'}
			damaged_copy "tree-${tree#fs:}-$where"
			spoil_block "$IMAGE" "$block" 4096
			case $tree:$where in
			root:first | chunk:* | fs:*)
				fails "$where block of the $tree tree is noise" 1 "$block" \
					send -f "$STREAM" "$IMAGE" /snap ;;
			*)
				fails_or_is_right "$where block of the $tree tree is noise" "$block" \
					send -f "$STREAM" "$IMAGE" /snap ;;
			esac
			drop_copy
		done
	done
}

# Path, offset and address are all that the user has to find the broken file.
damaged_data() {
	local logical

	logical=$(cat "$WORK/victim")
	damaged_copy data
	spoil_block "$IMAGE" "$logical" 16
	fails "a block of data is noise: file, offset and address are named" 1 \
		"dir/victim.*20480.*$logical|dir/victim.*$logical.*20480" send -f "$STREAM" "$IMAGE" /snap
	echo old >"$STREAM"
	run_ours send -f "$STREAM" "$IMAGE" /snap
	check_status $? 1
	echo old | cmp -s - "$STREAM" || complain "an older file of this name was touched"
	rm -f "$STREAM"
	check_outdir
	verdict "a failed send leaves an older file of the name alone"
	run_ours send "$IMAGE" /snap
	check_status $? 1
	check_error_line "dir/victim"
	verdict "a block of data is noise, the stream on standard output"
	drop_copy

	logical=$(cat "$WORK/packed")
	damaged_copy packed
	spoil_block "$IMAGE" "$logical" 16
	fails "a block of compressed data is noise" 1 "dir/packed.*$logical" send -f "$STREAM" "$IMAGE" /snap
	drop_copy
}

truncated_images() {
	local size

	for size in 8M 16M 40M; do
		damaged_copy "short-$size"
		truncate -s "$size" "$IMAGE"
		fails_or_is_right "an image cut off after $size" . send -f "$STREAM" "$IMAGE" /snap
		drop_copy
	done
}

bad_outputs() {
	IMAGE=$GOOD_IMAGE
	fails "-f in a folder that is not there" 1 "$OUTDIR/none/stream" \
		send -f "$OUTDIR/none/stream" "$IMAGE" /snap
	fails "-f names a folder" 1 "$WORK" send -f "$WORK" "$IMAGE" /snap

	remember_image
	bounded 120 "$BTRFS" send "$IMAGE" /snap >/dev/full 2>"$ERR" </dev/null
	judge_failure $? 1 'space'
	verdict "standard output is full"

	bounded 120 "$BTRFS" send "$IMAGE" /snap 2>"$ERR" </dev/null | head -c 100 >/dev/null
	judge_failure "${PIPESTATUS[0]}" 1 'pipe'
	verdict "the reader of the pipe has gone"

	# The refusal has to come from the terminal on standard output alone.
	bounded 120 script -qec "'$BTRFS' send '$IMAGE' /snap 2>'$ERR'" /dev/null >"$OUT" </dev/null
	judge_failure $? 1 'terminal|tty'
	[ "$(wc -c <"$OUT")" -lt 1000 ] || complain "the stream went to the terminal"
	verdict "a stream is not written to a terminal"
}

# The worst that a slip of the user's fingers can do.
output_is_the_image() {
	damaged_copy itself
	fails "-f names the image itself" 1 "itself.img" send -f "$IMAGE" "$IMAGE" /snap
	drop_copy
	damaged_copy linked
	ln -s "$IMAGE" "$WORK/alias"
	fails "-f names the image by a symlink" 1 "alias" send -f "$WORK/alias" "$IMAGE" /snap
	drop_copy
}

full_disk() {
	mkdir "$WORK/small"
	mount -t tmpfs -o size=1m none "$WORK/small" || { not_ok "tmpfs can be mounted"; return; }
	IMAGE=$GOOD_IMAGE
	fails "the disk of the stream is full" 1 'stream.*space' send -f "$WORK/small/stream" "$IMAGE" /snap
	is "nothing is left on the full disk" "" "$(ls -A "$WORK/small")"
	release_small
}

release_small() {
	mountpoint -q "$WORK/small" && umount "$WORK/small"
}
CLEANERS+=(release_small)

# Only a regular file is put in place at the end; these are written through.
special_outputs() {
	IMAGE=$GOOD_IMAGE
	mkfifo "$WORK/fifo"
	timeout 60 cat "$WORK/fifo" >"$WORK/through" &
	run_ours send -f "$WORK/fifo" "$IMAGE" /snap
	check_status $? 0
	wait $!
	cmp -s "$WORK/through" "$GOOD_STREAM" || complain "the stream differs"
	[ -p "$WORK/fifo" ] || complain "the fifo was replaced"
	verdict "-f names a fifo"

	run_ours send -f /dev/null "$IMAGE" /snap
	check_status $? 0
	[ -c /dev/null ] || complain "/dev/null was replaced"
	verdict "-f names a device"

	: >"$WORK/target"
	ln -s "$WORK/target" "$OUTDIR/link"
	run_ours send -f "$OUTDIR/link" "$IMAGE" /snap
	check_status $? 0
	cmp -s "$WORK/target" "$GOOD_STREAM" || complain "the link's target lacks the stream"
	[ -L "$OUTDIR/link" ] || complain "the link was replaced"
	rm -f "$OUTDIR/link"
	verdict "-f names a symlink"

	echo "longer than nothing" >"$STREAM"
	fill "$STREAM" 0 20M 1
	succeeds "-f names an older, longer file" send -f "$STREAM" "$IMAGE" /snap

	bounded 120 "$BTRFS" send "$IMAGE" /snap 2>"$ERR" </dev/null >"$STREAM"
	judge_success $?
	verdict "standard output is a file"
}

# An ordinary user sends what he can read, and only that.
other_users() {
	local program=$WORK/program nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)

	chmod 711 "$WORK"
	cp "$BTRFS" "$program"
	chmod 755 "$program"
	IMAGE=$GOOD_IMAGE
	remember_image
	chmod 600 "$IMAGE"
	bounded 120 "${nobody[@]}" "$program" send "$IMAGE" /snap >"$OUT" 2>"$ERR" </dev/null
	judge_failure $? 1 'good.img.*permission'
	[ -s "$OUT" ] && complain "something was sent"
	verdict "the image may not be read"

	chmod 444 "$IMAGE"
	bounded 120 "${nobody[@]}" env -u XDG_RUNTIME_DIR "$program" send "$IMAGE" /snap \
		>"$STREAM" 2>"$ERR" </dev/null
	judge_success $?
	verdict "an ordinary user sends a readable image"

	mkdir -m 755 "$WORK/foreign"
	bounded 120 "${nobody[@]}" "$program" send -f "$WORK/foreign/stream" "$IMAGE" /snap \
		>"$OUT" 2>"$ERR" </dev/null
	judge_failure $? 1 'foreign/stream.*permission'
	verdict "the folder of the stream may not be written"
	chmod 644 "$IMAGE"
}

images_in_use() {
	IMAGE=$GOOD_IMAGE
	remember_image
	mount_images ro || { not_ok "the image can be mounted"; unmount_images; return; }
	run_ours send -f "$STREAM" "$IMAGE" /snap
	judge_failure $? 1 'mounted'
	verdict "a mounted image"
	run_ours send -f "$STREAM" "${LOOPS[0]}" /snap
	judge_failure $? 1 'mounted'
	verdict "a mounted device"
	run_ours send --force -f "$STREAM" "$IMAGE" /snap
	judge_success $?
	verdict "a mounted image, forced"
	unmount_images
	exec 8<"$IMAGE"
	flock -x 8
	fails "an image that a writer has locked" 1 'lock|use|busy|running|writ' send -f "$STREAM" "$IMAGE" /snap
	exec 8<&-
}

# --- a send that is interrupted ---------------------------------------------------

# Little on disk, much in the stream: there is time to interrupt it.
make_slow_image() {
	make_images 1 512M && mount_images compress-force=zstd || return 1
	peer subvolume create "$MNT/sub"
	text "$MNT/sub/f" 0 700M 1
	peer subvolume snapshot -r "$MNT/sub" "$MNT/snap"
	unmount_images
}

interrupted() {
	local signal=$1 delay status

	for delay in 0.3 0.15 0.08 0.04 0.02 0.01; do
		# The shell lets what it starts in the background ignore SIGINT.
		env --default-signal=INT "$BTRFS" send -f "$STREAM" "$IMAGE" /snap \
			>"$OUT" 2>"$ERR" </dev/null &
		RUNNING_PID=$!
		sleep "$delay"
		kill -"$signal" "$RUNNING_PID" 2>/dev/null
		wait "$RUNNING_PID" 2>/dev/null
		status=$?
		RUNNING_PID=
		[ "$status" -ne 0 ] && break
		rm -f "$STREAM"	# it was faster than we: try again, earlier
	done
	[ "$status" -ne 0 ] || complain "never caught in the middle"
	[ -e "$STREAM" ] && complain "a part of the stream has the final name"
	[ "$signal" = KILL ] || check_outdir
	rm -rf "${OUTDIR:?}"/* "${OUTDIR:?}"/.[!.]*
	misbehaved 0 "$ERR" >/dev/null && complain "a sanitizer report"
	check_image
	verdict "SIG$signal in the middle of a send leaves nothing under the final name"
}

# -----------------------------------------------------------------------------------

make_rootless_image || { diag <"$WORK/mkfs.log"; skip_all "needs mkfs.btrfs --rootdir"; }
not_file_systems
usage_errors
wrong_paths
lost_super_blocks

lack=$(kernel_lacks)
if [ -n "$lack" ]; then
	[ "${BTRFS_TEST_REQUIRE_KERNEL:-0}" = 1 ] && not_ok "this machine can run the test: $lack"
	skip "snapshots of every kind of damage" "$lack"
	done_testing
fi

unset "FINGERPRINTS[$GOOD_IMAGE]"
make_snapshot_image || { not_ok "the kernel makes a snapshot"; done_testing; }
not_sendable
wrong_parents
damaged_super_blocks
damaged_trees
damaged_data
truncated_images
bad_outputs
output_is_the_image
full_disk
special_outputs
other_users
images_in_use

IMAGE=$WORK/dev1.img
if make_slow_image; then
	remember_image
	for signal in TERM INT KILL; do
		interrupted "$signal"
	done
else
	not_ok "the kernel makes a large snapshot"
fi

done_testing
