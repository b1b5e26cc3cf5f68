#!/bin/bash
# Every command that reads, on what is no file system, on one that is damaged or
# cut off, and with output that goes nowhere: status, message, image untouched.
# (send has send-errors.t.)

# shellcheck source=../lib/cli.sh
. "$(dirname "$0")/../lib/cli.sh"

need_kernel
need_program

GOOD_IMAGE=$WORK/good.img
NAMES=(dump-super dump-tree list show)
declare -A COMMANDS=(
	[dump-super]="inspect-internal dump-super -f"
	[dump-tree]="inspect-internal dump-tree"
	[list]="subvolume list -pcuqR"
	[show]="subvolume show"
)

# for_each FUNCTION: it gets the command's short name, and its words in WORDS.
for_each() {
	local name

	for name in "${NAMES[@]}"; do
		read -ra WORDS <<<"${COMMANDS[$name]}"
		"$@" "$name"
	done
}

# Small nodes and one copy of all: each tree has several blocks to damage.
make_good_image() {
	local i

	make_images 1 80M -n 4096 -m single -d single && mount_images || return 1
	for ((i = 0; i < 30; i++)); do
		peer subvolume create "$MNT/sub$i" || return 1
	done
	mkdir "$MNT/sub0/files"
	for ((i = 0; i < 150; i++)); do
		fill "$MNT/sub0/files/a-name-that-takes-some-room-$i" 0 8K $i || return 1
	done
	mkdir -p "$MNT/sub0/deep/er" "$MNT/top"
	peer subvolume create "$MNT/sub0/deep/er/inner" &&
		peer subvolume create "$MNT/top/inner" &&
		peer subvolume snapshot -r "$MNT/sub0" "$MNT/snap" || return 1
	sync -f "$MNT"
	unmount_images
	mv "${IMAGES[0]}" "$GOOD_IMAGE"
}

remember_output() {
	IMAGE=$GOOD_IMAGE
	run_ours "${WORDS[@]}" "$IMAGE"
	check_status $? 0
	without_name >"$WORK/right.$1"
	verdict "$1: the image that the other tests spoil is good"
}

# The output of a command that tells the name of the image, without it.
without_name() { sed "1s|$IMAGE|IMAGE|" "$OUT"; }

# The output is that of the good image.
check_output() {
	without_name | cmp -s - "$WORK/right.$1" || complain "the output differs"
}

# Damage may be met more than once; REGEX is in one of the lines.
judge_damage() {
	check_status "$1" 1
	grep -Eq "^ERROR: .+: .*|^ERROR: .*$2" "$ERR" || complain "no ERROR line says what and why"
	grep -Eq "^ERROR: .*$2" "$ERR" || complain "no ERROR line has: $2"
	check_image
}

# fails_or_is_right TITLE NAME REGEX: on IMAGE.
fails_or_is_right() {
	local title=$1 name=$2 regex=$3 status

	remember_image
	run_ours "${WORDS[@]}" "$IMAGE"
	status=$?
	if [ "$status" -eq 0 ]; then
		check_status 0 0
		check_output "$name"
		check_image
	else
		judge_damage "$status" "$regex"
	fi
	verdict "$name: $title"
}

# is_right TITLE NAME: what the command does not need is damaged.
is_right() {
	remember_image
	run_ours "${WORDS[@]}" "$IMAGE"
	check_status $? 0
	check_output "$2"
	check_image
	verdict "$2: $1"
}

# --- no file systems ----------------------------------------------------------

no_file_system() {
	local name=$1 file

	for file in text empty zeros noise; do
		IMAGE=$WORK/$file
		remember_image
		run_ours "${WORDS[@]}" "$IMAGE"
		judge_damage $? "$file"
		verdict "$name: a file of $file"
	done
	IMAGE=$GOOD_IMAGE
	fails "$name: a folder" 1 "folder.*directory" "${WORDS[@]}" "$WORK/folder"
	fails "$name: nothing of that name" 1 "nowhere.*No such file" "${WORDS[@]}" "$WORK/nowhere"
	fails "$name: a path through a file" 1 "Not a directory" "${WORDS[@]}" "$GOOD_IMAGE/x"
	fails "$name: a character device" 1 "/dev/null" "${WORDS[@]}" /dev/null
	fails "$name: a fifo" 1 "fifo" "${WORDS[@]}" "$WORK/fifo"
	fails "$name: an empty name" 1 "No such file" "${WORDS[@]}" ""
}

cut_off() {
	local name=$1 size

	for size in 1 4096 65536 65537 66000 69631; do
		IMAGE=$WORK/cut-$size
		head -c "$size" "$GOOD_IMAGE" >"$IMAGE"
		fails "$name: an image cut off after $size bytes" 1 "cut-$size" "${WORDS[@]}" "$IMAGE"
	done
	for size in 69632 1M 6M 16M 24M 60M; do
		damaged_copy "cut-$size"
		truncate -s "$size" "$IMAGE"
		fails_or_is_right "an image cut off after $size" "$name" .
		drop_copy
	done
}

# --- the command line -----------------------------------------------------------

usage_errors() {
	local name=$1

	IMAGE=$GOOD_IMAGE
	fails "$name: no operand" 2 . "${WORDS[@]}"
	fails "$name: an unknown letter is named" 2 "'?-Z" "${WORDS[@]}" -Z "$IMAGE"
	fails "$name: an unknown word is named" 2 "no-such-option" "${WORDS[@]}" --no-such-option "$IMAGE"
	fails "$name: an unknown format is named" 2 "xml" "${WORDS[@]}" --format xml "$IMAGE"
	fails "$name: an unknown log level is named" 2 "shout" "${WORDS[@]}" --log shout "$IMAGE"
	fails "$name: an option without its value" 2 "format" "${WORDS[@]}" "$IMAGE" --format
	run_ours "${WORDS[@]}" --help
	check_status $? 0
	[ -s "$OUT" ] || complain "no help"
	[ -s "$ERR" ] && complain "help on standard error"
	verdict "$name: --help"
}

other_usage_errors() {
	IMAGE=$GOOD_IMAGE
	fails "no such command" 2 "no-such" no-such "$IMAGE"
	fails "no such command of a group" 2 "no-such" subvolume no-such "$IMAGE"
	fails "a group alone" 2 . subvolume
	fails "list: an operand too many" 2 . subvolume list "$IMAGE" / /
	fails "show: an operand too many" 2 . subvolume show "$IMAGE" / /
	fails "list: -G without its value" 2 "G" subvolume list "$IMAGE" -G
	fails "list: --device without its value" 2 "device" subvolume list "$IMAGE" --device
	fails "list: a second device that is not there" 1 "nowhere" \
		subvolume list --device "$WORK/nowhere" "$IMAGE"
	fails "list: a second device of no file system" 1 "text" \
		subvolume list --device "$WORK/text" "$IMAGE"
}

wrong_paths() {
	local word

	IMAGE=$GOOD_IMAGE
	for word in list show; do
		fails "$word: no such path" 1 "sub0/none.*No such file" subvolume "$word" "$IMAGE" sub0/none
		fails "$word: a path through a file" 1 "Not a directory" subvolume "$word" "$IMAGE" \
			sub0/files/a-name-that-takes-some-room-1/x
		fails "$word: a path that ends in .." 1 "sub0/\.\." subvolume "$word" "$IMAGE" sub0/..
		fails "$word: a name of 256 bytes" 1 "too long" subvolume "$word" "$IMAGE" \
			"$(printf 'n%.0s' {1..256})"
		fails "$word: no such id" 1 "id:99999" subvolume "$word" "$IMAGE" id:99999
		fails "$word: the id of another tree" 1 "id:7" subvolume "$word" "$IMAGE" id:7
		fails "$word: an id of too many digits" 1 "id:" subvolume "$word" "$IMAGE" \
			id:99999999999999999999999999
	done
	fails "show: a folder" 1 "top.*not a subvolume" subvolume show "$IMAGE" top
	fails "show: a snapshot's place for a subvolume it lacks" 1 "not a subvolume" \
		subvolume show "$IMAGE" snap/deep/er/inner
	fails "show: and below it" 1 "No such file" subvolume show "$IMAGE" snap/deep/er/inner/x
}

# --- damage ---------------------------------------------------------------------

damaged_super_blocks() {
	local name=$1 status

	damaged_copy super1
	garbage "$IMAGE" 64K 4096
	remember_image
	run_ours "${WORDS[@]}" "$IMAGE"
	status=$?
	if [ "$name" = dump-super ]; then
		judge_damage "$status" "super1"
	else
		check_status "$status" 0
		grep -q '^WARNING: .*super' "$ERR" || complain "no WARNING about the superblock"
		check_output "$name"
		check_image
	fi
	verdict "$name: the first superblock is noise"
	drop_copy

	damaged_copy super2
	garbage "$IMAGE" 64M 4096
	is_right "the second superblock is noise" "$name"
	drop_copy

	damaged_copy supers
	garbage "$IMAGE" 64K 4096
	garbage "$IMAGE" 64M 4096
	remember_image
	run_ours "${WORDS[@]}" "$IMAGE"
	judge_damage $? "supers"
	verdict "$name: both superblocks are noise"
	drop_copy
}

# Where LOGICAL stands in an image without mirrors, by the chunk tree's word
# (btrfs-map-logical misses blocks that begin a leaf of the extent tree).
place_of() {
	"$PEER" inspect-internal dump-tree -t chunk "$GOOD_IMAGE" | awk -v logical="$1" '
	match($0, /CHUNK_ITEM [0-9]+/) { start = substr($0, RSTART + 11, RLENGTH - 11) + 0 }
	$1 == "length" { len = $2 }
	$1 == "stripe" && logical >= start && logical < start + len {
		printf "%.0f\n", logical - start + $6
	}'
}

spoil_block_at() {
	garbage "$IMAGE" "$(place_of "$1")" 4096
	cmp -s "$IMAGE" "$GOOD_IMAGE" || return 0
	complain "block $1 was not found on the disk"
}

# The address must be named; nothing else than a failure is right.  To dump-tree
# a tree it cannot show is worth a warning and a status.
needs_block() {
	local status

	remember_image
	run_ours "${WORDS[@]}" "$IMAGE"
	status=$?
	if [ "$2" = dump-tree ]; then
		check_status "$status" 1
		grep -Eq "^(ERROR|WARNING): .*$3" "$ERR" || complain "no line has: $3"
		check_image
	else
		judge_damage "$status" "$3"
	fi
	verdict "$2: $1"
}

damaged_block() {
	local title=$1 tree=$2 block=$3 name=$4

	case $name:$tree in
	dump-super:*) is_right "$title" "$name" ;;
	dump-tree:* | *:root | *:chunk) needs_block "$title" "$name" "$block" ;;
	*:fs) fails_or_is_right "$title" "$name" "$block" ;;
	*) is_right "$title" "$name" ;;
	esac
}

# The root of each tree, its first and its last leaf.
damaged_trees() {
	local tree blocks block title where

	for tree in root chunk fs 256 csum extent uuid dev; do
		mapfile -t blocks < <(tree_blocks "$GOOD_IMAGE" "$tree")
		[ ${#blocks[@]} -gt 0 ] || { not_ok "blocks of tree $tree are found"; continue; }
		for where in 0 1 -1; do
			block=${blocks[where]:-}
			[ -n "$block" ] && [ "$where:${#blocks[@]}" != -1:1 ] || continue
			title="noise over block $block ($where) of the $tree tree"
			damaged_copy "tree-$tree"
			spoil_block_at "$block"
			for_each damaged_block "$title" "${tree/256/fs}" "$block"
			drop_copy
		done
	done
}

# A subvolume whose place cannot be read is left out, the others are listed.
part_of_a_list() {
	local block

	block=$(tree_blocks "$GOOD_IMAGE" 256 | head -n 1)
	damaged_copy part
	spoil_block_at "$block"
	remember_image
	run_ours subvolume list "$IMAGE"
	judge_damage $? "$block"
	grep -q '^WARNING: subvolume [0-9]* is left out' "$ERR" || complain "no word about it"
	grep -q 'path sub29$' "$OUT" || complain "sub29 is missing"
	grep -q 'path top/inner$' "$OUT" || complain "top/inner is missing"
	grep -q 'path sub0/' "$OUT" && complain "sub0/... should be missing"
	verdict "list: what can be read is listed"
	drop_copy
}

# --- output that goes nowhere -----------------------------------------------------

bad_outputs() {
	local name=$1 status

	IMAGE=$GOOD_IMAGE
	remember_image
	bounded 60 "$BTRFS" "${WORDS[@]}" "$IMAGE" >/dev/full 2>"$ERR" </dev/null
	judge_failure $? 1 'space|output'
	verdict "$name: standard output is full"

	bounded 60 "$BTRFS" "${WORDS[@]}" "$IMAGE" >&- 2>"$ERR" </dev/null
	check_status $? '[01]'
	check_image
	verdict "$name: standard output is closed"

	# Ended by the signal, as other tools are, or by the error where that is ignored.
	bounded 60 "$BTRFS" "${WORDS[@]}" "$IMAGE" 2>"$ERR" </dev/null | :
	status=${PIPESTATUS[0]}
	[ "$status" -eq 141 ] || check_status "$status" '[01]'
	(
		trap '' PIPE
		bounded 60 "$BTRFS" "${WORDS[@]}" "$IMAGE" 2>"$ERR" </dev/null
		echo $? >"$WORK/status"
	) | sleep 0
	check_status "$(cat "$WORK/status")" '[01]'
	check_image
	verdict "$name: the reader of the pipe has gone"
}

unreadable() {
	local name=$1

	bounded 60 setpriv --reuid 65534 --regid 65534 --clear-groups "$WORK/program" \
		"${WORDS[@]}" "$IMAGE" >"$OUT" 2>"$ERR" </dev/null
	judge_failure $? 1 'good.img.*permission'
	[ -s "$OUT" ] && complain "something was shown"
	verdict "$name: an image that the user may not read"
}

readable() {
	local name=$1

	bounded 60 setpriv --reuid 65534 --regid 65534 --clear-groups "$WORK/program" \
		"${WORDS[@]}" "$IMAGE" >"$OUT" 2>"$ERR" </dev/null
	check_status $? 0
	[ "$(wc -l <"$OUT")" -eq "$(wc -l <"$WORK/right.$name")" ] || complain "another output"
	check_image
	verdict "$name: an ordinary user may read what is his"
}

other_users() {
	chmod 711 "$WORK"
	cp "$BTRFS" "$WORK/program"
	chmod 755 "$WORK/program"
	IMAGE=$GOOD_IMAGE
	remember_image
	chmod 600 "$IMAGE"
	for_each unreadable
	chmod 444 "$IMAGE"
	for_each readable
	chmod 644 "$IMAGE"
}

# A writer that respects the lock of devices.  A superblock is consistent in itself.
locked() {
	if [ "$1" = dump-super ]; then
		is_right "an image that a writer has locked" "$1"
		return
	fi
	fails "$1: an image that a writer has locked" 1 'writ|lock|use' "${WORDS[@]}" "$IMAGE"
}

# --- streams ----------------------------------------------------------------------

receive_dump() {
	local file

	IMAGE=$GOOD_IMAGE
	for file in text empty zeros noise good.img; do
		fails "receive --dump: a file of $file" 1 "$file" receive --dump -f "$WORK/$file"
	done
	fails "receive --dump: a folder" 1 "folder.*directory" receive --dump -f "$WORK/folder"
	fails "receive --dump: nothing of that name" 1 "nowhere.*No such file" \
		receive --dump -f "$WORK/nowhere"
	fails "receive --dump: an unknown letter is named" 2 "'?-Z" receive --dump -Z
	fails "receive --dump: an operand" 2 . receive --dump "$WORK/text"
	printf 'h 1\ns\nc 4 15s:d 3q:257\ne\n' | perl "$TESTS_LIB/make-stream.pl" >"$WORK/stream"
	bounded 60 "$BTRFS" receive --dump -f "$WORK/stream" >/dev/full 2>"$ERR"
	judge_failure $? 1 'space|output'
	verdict "receive --dump: standard output is full"
	chmod 711 "$WORK"
	chmod 600 "$WORK/stream"
	bounded 60 setpriv --reuid 65534 --regid 65534 --clear-groups "$WORK/program" \
		receive --dump -f "$WORK/stream" >"$OUT" 2>"$ERR"
	judge_failure $? 1 'stream.*permission'
	verdict "receive --dump: a stream that the user may not read"
}

echo "some text" >"$WORK/text"
: >"$WORK/empty"
head -c 200000 /dev/zero >"$WORK/zeros"
fill "$WORK/noise" 0 2M 1
mkdir "$WORK/folder"
mkfifo "$WORK/fifo"
make_good_image >"$WORK/log" 2>&1 || { not_ok "a good image"; diag <"$WORK/log"; done_testing; }

for_each remember_output
for_each no_file_system
for_each cut_off
for_each usage_errors
other_usage_errors
wrong_paths
for_each damaged_super_blocks
damaged_trees
part_of_a_list
for_each bad_outputs
other_users
exec 8<"$GOOD_IMAGE"
flock -x 8
IMAGE=$GOOD_IMAGE
for_each locked
exec 8<&-
receive_dump
done_testing
