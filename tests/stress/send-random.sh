#!/bin/bash
# Long random test of incremental send: for one seed after another a subvolume is
# filled and changed at random, and the kernel's streams of its snapshots are
# compared with ours.  Not part of "make check".  Environment:
#
#	SEED     the first one (default: from the clock)
#	COUNT    how many (default: until interrupted)
#	NOPS     operations between two snapshots (default: by the seed, 5 to 200)
#	PROFILE  names, data or all (default: by the seed)
#	FAILED   folder for both streams of what differs (default: build/stress)
#
# A seed fixes everything, whatever the one before: "SEED=N COUNT=1" repeats it.

# shellcheck source=../lib/harness.sh
. "$(dirname "$0")/../lib/harness.sh"
# shellcheck source=../lib/kernel.sh
. "$TESTS_LIB/kernel.sh"

need_kernel
need_program

SEED=${SEED:-$(date +%s)}
COUNT=${COUNT:-0}
FAILED=${FAILED:-$REPO/build/stress}
BATCH=24	# seeds that share an image

# What a seed is tested on: mkfs options, then mount options.
SYSTEMS=(
	"|defaults"
	"-n 4096|defaults"
	"-n 4096 -O ^no-holes|defaults"
	"-n 65536|compress-force=zstd"
	"-n 4096|compress-force=lzo"
	"|compress=zlib,max_inline=4000"
	"-O ^no-holes|compress=zstd"
	"-n 4096 --csum xxhash|nodatacow"
)
PROFILES=(all names all data names)

# The sends of every seed: name, what is sent, options.  @one, @two and @three
# follow one another; @other has nothing to do with them.
SENDS=(
	"step|@two|-p @one"
	"step2|@two|-p @one --proto 2"
	"step2c|@three|-p @two --proto 2 --compressed-data"
	"jump|@three|-p @one -c @two"
	"back|@one|-p @three"
	"back2|@two|-p @three -c @one --proto 2 --compressed-data"
	"chain|@two @three|-c @one -e"
	"steps|@two @three|-p @one"
	"strange|@other|-p @two"
	"strange2|@two|-p @other -c @one --proto 2 --compressed-data"
	"nodata|@three|-p @one --no-data"
)

randops() { "$TESTS_LIB/randops.py" "$1" "$NOPS_NOW" --profile "$PROFILE_NOW"; }

# What does not depend on the seeds before it, so that one seed can be repeated.
choose() {
	local mixed=$(($1 * 2654435761 % 4294967296 / 65536))

	NOPS_NOW=${NOPS:-$((5 + mixed % 14 * (mixed % 15)))}
	PROFILE_NOW=${PROFILE:-${PROFILES[$1 % 5]}}
}

snapshot() { peer subvolume snapshot -r "$MNT/$1" "$MNT/$1.$2"; }

# A sync makes what comes later belong to another generation.
grow() {
	local seed=$1

	choose "$seed"
	peer subvolume create "$MNT/$seed" && cd "$MNT/$seed" || return 1
	randops "$seed" && snapshot "$seed" one &&
		randops $((seed + 1000000)) && sync -f . && randops $((seed + 2000000)) &&
		snapshot "$seed" two && randops $((seed + 3000000)) && snapshot "$seed" three ||
		return 1
	peer subvolume create "$MNT/$seed.new" && cd "$MNT/$seed.new" || return 1
	randops $((seed + 4000000)) && sync -f . && randops $((seed + 5000000)) &&
		peer subvolume snapshot -r "$MNT/$seed.new" "$MNT/$seed.other"
}

# send_all SIDE SEED: SIDE is theirs or ours.
send_all() {
	local side=$1 send name paths options

	for send in "${SENDS[@]}"; do
		IFS='|' read -r name paths options <<<"$send"
		"send_$side" "$2" "$name" "$paths" "$options"
	done
}

# What the kernel cannot send is no subject.
send_theirs() {
	local file=$WORK/theirs.$1.$2

	# shellcheck disable=SC2086 # words
	peer send -f "$file" ${4//@/$MNT/$1.} ${3//@/$MNT/$1.} 2>"$WORK/refusal" && return
	rm -f "$file"
	REFUSED=$((REFUSED + 1))
	diag "seed $1, $2: the kernel refuses: $(tail -n 1 "$WORK/refusal")"
}

send_ours() {
	local ours=$WORK/ours.$1.$2 theirs=$WORK/theirs.$1.$2 difference

	rm -f "$ours"
	# shellcheck disable=SC2086 # words
	run_ours send -f "$ours" ${4//@/$1.} "${IMAGES[0]}" ${3//@/$1.}
	difference=$(judge $? "$theirs" "$ours")
	[ -e "$theirs" ] && COMPARED=$((COMPARED + 1))
	if [ -n "$difference" ]; then
		DIFFERENCES=$((DIFFERENCES + 1))
		mkdir -p "$FAILED"
		cp "$theirs" "$ours" "$FAILED" 2>/dev/null
		echo "seed $1, $2: $difference" | sed "s|$WORK/||g" | tee -a "$FAILED/seeds"
	fi
	rm -f "$theirs" "$ours"
}

# judge STATUS THEIRS OURS: what is wrong, or nothing.
judge() {
	misbehaved "$1" "$ERR" && return
	[ -e "$2" ] || return
	if [ "$1" -ne 0 ]; then
		echo "exit status $1, $(tail -n 1 "$ERR")"
	else
		cmp "$2" "$3" 2>&1
	fi
}

# Seeds FIRST to LAST on one image.
run_batch() {
	local first=$1 last=$2 seed system

	system=${SYSTEMS[first / BATCH % ${#SYSTEMS[@]}]}
	# shellcheck disable=SC2086 # options are words
	make_images 1 4G ${system%|*} && mount_images "${system#*|}" || return 1
	for ((seed = first; seed <= last; seed++)); do
		( grow "$seed" ) || { echo "seed $seed: could not be grown"; return 1; }
	done
	for ((seed = first; seed <= last; seed++)); do
		send_all theirs "$seed"
	done
	unmount_images || return 1
	for ((seed = first; seed <= last; seed++)); do
		send_all ours "$seed"
	done
}

run_all() {
	local seed=$SEED last end=$((SEED + COUNT - 1))

	while [ "$COUNT" -eq 0 ] || [ "$seed" -le "$end" ]; do
		# A batch never crosses a multiple of BATCH: it has the same system always.
		last=$(((seed / BATCH + 1) * BATCH - 1))
		[ "$COUNT" -gt 0 ] && [ "$last" -gt "$end" ] && last=$end
		run_batch "$seed" "$last" || return 1
		diag "up to seed $last: $COMPARED streams compared, $DIFFERENCES differ," \
			"$REFUSED refused by the kernel"
		seed=$((last + 1))
	done
}

COMPARED=0 DIFFERENCES=0 REFUSED=0
run_all && [ "$DIFFERENCES" -eq 0 ]
