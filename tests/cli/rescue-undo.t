#!/bin/bash
# "rescue undo" brings back every byte, whatever became of the operation, and
# keeps its hands off an image that is not what the operation left.
#
# Operations are made up by tests/helpers/undo-op.

# shellcheck source=../lib/cli.sh
. "$(dirname "$0")/../lib/cli.sh"

need_program
UNDO_OP=${BTRFS_BUILD:-$REPO/build}/tests/helpers/undo-op
HOLD=${BTRFS_BUILD:-$REPO/build}/tests/helpers/hold-lock
[ -x "$UNDO_OP" ] || skip_all "tests/helpers/undo-op is not built"

export BTRFS_LOCK_DIR=$WORK/locks
UNDO=$WORK/undo
declare -A BEFORE

# --- images ---------------------------------------------------------------------

# What writes are to overwrite: noise, and behind it zeros.
make_image() {
	truncate -s 24M "$1"
	fill "$1" 10000000 3000000 "${2:-1}"
	fill "$1" 200000 500000 "${2:-1}"
}

make_btrfs() {
	rm -f "$1"
	truncate -s 40M "$1"
	"$MKFS" -q --mixed "$1" >"$WORK/mkfs.log" 2>&1
	BEFORE[$1]=$(b2sum <"$1")
}

remember() { for image; do BEFORE[$image]=$(b2sum <"$image"); done; }

# operation [--plain] IMAGE... -- STEP...: with an undo file of its own.
operation() {
	local plain=()

	[ "$1" = --plain ] && { plain=(--plain); shift; }
	rm -f "$UNDO"
	# Bash tells on standard error of those who were killed.
	{ "$UNDO_OP" "${plain[@]}" "$UNDO" "$@" 2>"$ERR"; } 2>/dev/null
}

check_is_before() {
	local image

	for image; do
		[ "$(b2sum <"$image")" = "${BEFORE[$image]}" ] || complain "$image is not as it was"
	done
}

# undoes NAME [OPTION...] IMAGE...: and all is as it was before.
undoes() {
	local name=$1 images=()
	shift

	run_ours rescue undo "$UNDO" "$@"
	check_status $? 0
	grep -q '^ERROR' "$ERR" && complain "an error was printed"
	for image; do [[ $image == --* ]] || images+=("$image"); done
	check_is_before "${images[@]}"
	verdict "$name"
}

# refuses NAME REGEX IMAGE...: and leaves them alone.
refuses() {
	local name=$1 regex=$2 image
	shift 2

	IMAGE=$1
	unset "FINGERPRINTS[$IMAGE]"
	fails "$name" 1 "$regex" rescue undo "$UNDO" "$@"
	IMAGE=
}

says() {
	if grep -qE -- "$2" "$OUT" "$ERR"; then ok "$1"; else not_ok "$1"; cat "$OUT" "$ERR" | diag; fi
}

# --- usage ------------------------------------------------------------------------

fails "without images it is a usage error" 2 'too few arguments' rescue undo "$UNDO"
fails "so is an unknown option" 2 'unrecognized|unknown' rescue undo --frobnicate "$UNDO" x
fails "and an unknown progress mode" 2 'progress' rescue undo --progress=maybe "$UNDO" x
fails "an undo file that is not there" 1 'No such file' rescue undo "$UNDO" x
echo "no undo file, whatever it is" >"$WORK/text"
fails "a file that is no undo file" 1 'not an undo file' rescue undo "$WORK/text" x
fails "a folder is no undo file" 1 'not an undo file' rescue undo "$WORK" x

# --- one image, no file system on it ------------------------------------------------

A=$WORK/a.img
make_image "$A"
remember "$A"

# Written over noise and over zeros, unaligned, past each other, cut and grown.
CHANGES=(0:write:10000001:333333:120 0:zero:10100000:5000 0:write:0:5000:7 0:flush
	0:discard:250000:100000 0:write:20000000:70000:9 0:resize:11000000
	0:resize:30000000 0:write:29999999:1:1 0:resize:28000000)

operation --plain "$A" -- "${CHANGES[@]}"
is "the operation was done" 0 $?
changed=$(b2sum <"$A")
run_ours rescue undo --dry-run "$UNDO" "$A"
is "--dry-run succeeds" 0 $?
is "and changes nothing" "$changed" "$(b2sum <"$A")"
says "it tells how much differs" "a.img: .*KiB|MiB of the .*MiB saved differ, the size was 25165824 bytes"
says "and what was done" "undoing 'test', begun 20"
undoes "all is undone: contents and size" "$A"
undoes "once more there is nothing to do" "$A"
says "which it says" "is as it was before"
run_ours rescue undo --progress=always "$UNDO" "$A"
is "the progress can be seen" 0 $?
says "as it compares" "Comparing"

operation --plain "$A" -- "${CHANGES[@]}" kill
is "a killed operation" 137 $?
undoes "is undone, too" "$A"
says "with a warning" "WARNING: .*did not end"

operation --plain "$A" --
undoes "where nothing was written, nothing is undone" "$A"
says "which it says" "nothing to undo"

# --- what has changed -----------------------------------------------------------------

operation --plain "$A" -- 0:write:600000:70000:5 0:write:5000000:1:5
cp --sparse=always "$A" "$WORK/later.img"
garbage "$WORK/later.img" 650000 10
refuses "an image that was changed since" 'has changed since .* \(at byte 64' "$WORK/later.img"
truncate -s 25M "$WORK/later.img"
refuses "one that was made longer" 'has 26214400 bytes' "$WORK/later.img"
make_image "$WORK/later.img" 2
refuses "another image of the same size" 'has changed since' "$WORK/later.img"
refuses "two images for one" 'has nothing about it' "$A" "$WORK/later.img"
garbage "$UNDO" 5000 10
refuses "a damaged undo file" 'damaged' "$A"

operation --plain "$A" -- 0:write:1000000:70000:5 0:write:5000000:1:5 kill
mv "$A" "$WORK/elsewhere.img"
refuses "without an end, an image that cannot be told to be the one" \
	'none of the images .*a.img' "$WORK/elsewhere.img"
mv "$WORK/elsewhere.img" "$A"

# --- order ------------------------------------------------------------------------------

remember "$A"
operation --plain "$A" -- 0:write:1000000:70000:6 0:write:3000000:1:6
cp "$UNDO" "$WORK/first"
between=$(b2sum <"$A")
operation --plain "$A" -- 0:write:1000000:10:7
cp "$UNDO" "$WORK/second"
cp "$WORK/first" "$UNDO"
refuses "of two operations the first, before the second" 'has changed since' "$A"
run_ours rescue undo "$WORK/second" "$A"
is "the second is undone" "0 $between" "$? $(b2sum <"$A")"
undoes "and then the first" "$A"

# --- several images, and who is who -------------------------------------------------------

[ -x "$(command -v "$MKFS")" ] || { skip "images of btrfs" "needs mkfs.btrfs"; done_testing; }

B=$WORK/b.img C=$WORK/c.img
if ! make_btrfs "$B" || ! make_btrfs "$C"; then
	not_ok "images could be made"
	done_testing
fi
# Where mkfs has put nothing, so that the file system stays one.
BOTH=(0:write:40000000:70000:5 1:write:40000000:70000:6 1:resize:50000000)

operation "$B" "$C" -- "${BOTH[@]}"
refuses "one image of two" 'none of the images is the device that was .*[bc].img' "$B"
undoes "both, in the other order" "$C" "$B"

operation "$B" "$C" -- "${BOTH[@]}" kill
mv "$B" "$WORK/b2.img"
mv "$C" "$WORK/c2.img"
BEFORE[$WORK/b2.img]=${BEFORE[$B]}
BEFORE[$WORK/c2.img]=${BEFORE[$C]}
undoes "without an end, by their superblocks alone" "$WORK/c2.img" "$WORK/b2.img"
mv "$WORK/b2.img" "$B"
mv "$WORK/c2.img" "$C"

# Another file system was made in its place: only the path still speaks for it.
operation "$B" -- 0:zero:65536:4096 kill
undoes "without an end and without superblock, by its path" "$B"

# --- others who use it --------------------------------------------------------------------

operation "$B" -- 0:write:40000000:70000:5

if [ -x "$HOLD" ]; then
	mkfifo "$WORK/to-holder" "$WORK/from-holder"
	"$HOLD" send "$B" <"$WORK/to-holder" >"$WORK/from-holder" 2>"$WORK/hold.err" &
	holder=$!
	exec 8>"$WORK/to-holder" 9<"$WORK/from-holder"
	read -r -t 20 _ <&9
	refuses "while it is being sent" "in use by send \\(pid $holder" "$B"
	exec 8>&- 9<&-
	wait "$holder"
fi

if [ -n "$(kernel_lacks)" ]; then
	skip "mounted images and block devices" "$(kernel_lacks)"
	done_testing
fi

# shellcheck disable=SC2034 # for mount_images
IMAGES=("$B")
mount_images ro
refuses "while it is mounted" "mounted at $MNT" "$B"
unmount_images
undoes "after that, since it was mounted read-only" "$B"

operation "$B" -- 0:write:40000000:70000:5
mount_images && touch "$MNT/file"
unmount_images
refuses "but not when it was written" 'has changed since' "$B"

# A block device: whole sectors are discarded and zeroed by it.
make_btrfs "$B"
loop=$(losetup -f --show "$B")
operation "$loop" -- 0:discard:30000000:1000000 0:zero:1048576:1048576 0:zero:4000001:100 \
	0:write:40000000:70000:5 0:flush
is "an operation on a block device" 0 $?
run_ours rescue undo "$UNDO" "$loop"
check_status $? 0
losetup -d "$loop"
check_is_before "$B"
verdict "is undone"

done_testing
