#!/bin/bash
# mkfs towards its user: wrong arguments, targets that are in use or too small, a
# disk that is full, --dry-run, --undo, and interruption.

# shellcheck source=../lib/cli.sh
. "$(dirname "$0")/../lib/cli.sh"

need_program

SRC=$WORK/src
mkdir "$SRC"
fill "$SRC/file" 0 20000000 1

IMAGE=$WORK/target.img
truncate -s 300M "$IMAGE"
remember_image

# --- arguments: nothing is touched ------------------------------------------------

fails "no device" 2 'too few arguments|argument' mkfs
fails "unknown option" 2 'option' mkfs --nonsense "$IMAGE"
fails "unknown profile" 1 'unknown data profile: raid7' mkfs -d raid7 "$IMAGE"
fails "too few devices" 1 'raid1|RAID1' mkfs -m raid1 "$IMAGE"
fails "node size that is no power of two" 1 'illegal nodesize 5000' mkfs -n 5000 "$IMAGE"
fails "node size too large" 1 'larger than 65536' mkfs -n 128K "$IMAGE"
fails "node size for mixed groups" 1 'not equal to 4096' mkfs -M -n 16K "$IMAGE"
fails "profiles of mixed groups" 1 'must be the same' mkfs -M -d single -m dup "$IMAGE"
fails "unknown checksum" 1 'unknown csum type' mkfs --csum md5 "$IMAGE"
fails "unknown feature" 2 "unrecognized filesystem feature: 'foo'" mkfs -O foo "$IMAGE"
fails "label too long" 1 'too long' mkfs -L "$(printf 'x%.0s' {1..256})" "$IMAGE"
fails "bad uuid" 2 'invalid UUID' mkfs -U zz "$IMAGE"
fails "bad compression" 2 'invalid compression' mkfs -r "$SRC" --compress zstd:16 "$IMAGE"
fails "--subvol without --rootdir" 2 'needs --rootdir' mkfs --subvol x "$IMAGE"
fails "a subvolume that is not there" 1 'cannot make nowhere a subvolume' \
	mkfs -r "$SRC" --subvol nowhere "$IMAGE"
fails "no such source" 1 'cannot read /nowhere' mkfs -r /nowhere "$IMAGE"
fails "the same target twice" 1 'twice' mkfs "$IMAGE" "$IMAGE"
fails "more than there is" 1 'smaller than requested' mkfs -b 1G "$IMAGE"
fails "too small a part" 1 'too small' mkfs -b 20M "$IMAGE"
fails "a folder as target" 1 'cannot' mkfs "$WORK"
fails "a file that is not there, without a size" 1 'give its size' mkfs "$OUTDIR/new.img"

# --- what is there is not overwritten ----------------------------------------------

test_existing() {
	local IMAGE=$WORK/existing.img

	truncate -s 300M "$IMAGE"
	"$BTRFS" -q mkfs "$IMAGE"
	remember_image
	fails "an existing file system" 1 'existing filesystem' mkfs "$IMAGE"
	rm -f "$IMAGE"
}
test_existing

test_dry_run() {
	local IMAGE=$WORK/dry.img before

	fill "$IMAGE" 0 150000000 5
	remember_image
	if "$BTRFS" mkfs -r "$SRC" --dry-run "$IMAGE" >"$OUT" 2>"$ERR" &&
		grep -q 'nothing was written' "$ERR"; then
		check_image
	else
		complain "failed"
	fi
	verdict "--dry-run leaves the image as it is"
	before=$(b2sum <"$IMAGE")
	"$BTRFS" -q mkfs -r "$SRC" --undo "$WORK/undo" "$IMAGE" 2>"$ERR" || complain "failed"
	[ "$before" != "$(b2sum <"$IMAGE")" ] || complain "nothing happened"
	"$BTRFS" -q rescue undo "$WORK/undo" "$IMAGE" >/dev/null 2>>"$ERR" || complain "no undo"
	[ "$before" = "$(b2sum <"$IMAGE")" ] || complain "the image is not as it was"
	verdict "--undo brings the old content back"
	rm -f "$IMAGE" "$WORK/undo"
}
test_dry_run

# --- too small -----------------------------------------------------------------------

test_too_small_for_content() {
	local IMAGE=$WORK/small.img

	truncate -s 120M "$IMAGE"
	fill "$SRC/large" 0 150000000 9
	remember_image
	fails "too small for its content, said before anything is written" 1 'needs [0-9]+ bytes' \
		mkfs -r "$SRC" "$IMAGE"
	rm -f "$IMAGE" "$SRC/large"
}
test_too_small_for_content

test_full_disk() {
	local mnt=$WORK/full

	[ "$(id -u)" -eq 0 ] || { skip "a full disk" "needs root"; return; }
	mkdir "$mnt"
	mount -t tmpfs -o size=10m none "$mnt"
	IMAGE=
	fails "a full disk" 1 'No space left' mkfs -r "$SRC" "$mnt/new.img"
	[ -z "$(ls -A "$mnt")" ] || complain "left behind: $(ls -A "$mnt")"
	verdict "a full disk: nothing is left behind"
	umount "$mnt"
}
test_full_disk

# --- interrupted -----------------------------------------------------------------------

test_interrupted() {
	local pid i

	for ((i = 0; i < 40; i++)); do mkdir "$SRC/d$i"; cp "$SRC/file" "$SRC/d$i/"; done
	for signal in INT TERM; do
		# A shell has its background jobs ignore SIGINT.
		env --default-signal=INT "$BTRFS" -q mkfs -r "$SRC" --compress zstd:15 \
			"$OUTDIR/new.img" 2>"$ERR" &
		pid=$!
		sleep 0.2
		kill -s "$signal" "$pid"
		wait "$pid" && complain "was not interrupted"
		check_outdir
	done
	verdict "interrupted: nothing is left behind"
}
test_interrupted

done_testing
