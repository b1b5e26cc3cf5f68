# shellcheck shell=bash
# Differential test of send: the stream of the kernel on the mounted file system
# against ours on the same images unmounted, byte for byte; and what --estimate
# says about it.
#
# A scenario is a name that says what would be broken, and what to put into the
# subvolume.  It runs when the next one starts, or at done_testing:
#
#	scenario "a hard link's first name lies in a later directory" mkfs="-n 4096"
#	populate() {
#		mkdir a b
#		echo x >b/f
#		ln b/f a/f
#	}
#
# Functions a scenario may define (each starts undefined; a command that fails
# in one of them fails the scenario):
#
#	populate   in the new subvolume "sub"; without it the scenario sends a zoo.
#	           "snap NAME" snapshots it at any moment
#	mutate     after a first snapshot "one"; then a second one "two" is taken and
#	           sent against the first
#	damage     in the folder of dev1.img dev2.img ..., before our send only
#
# Knobs, as KEY=VALUE words after the name:
#
#	mkfs=      options for mkfs.btrfs            mount=   mount options
#	devices=   how many (1)                      size=    of each (512M)
#	send=      snapshots to send, in order (default "snap", taken after populate
#	           unless populate took it)
#	flags=     options for both sends ("-e")     proto=   stream version (1)
#	parent=    snapshot for -p                   clones=  snapshots for -c
#	ours=      what we are asked for, where it differs from send= ("id:257")
#	output=    stdout: ours writes into a pipe   drop=    devices missing for us ("1 3")
#	optional=  1: mkfs may not know the feature; then it is a skip

# shellcheck source=harness.sh
. "$(dirname "${BASH_SOURCE[0]}")/harness.sh"
# shellcheck source=kernel.sh
. "$TESTS_LIB/kernel.sh"
# shellcheck source=zoo.sh
. "$TESTS_LIB/zoo.sh"

need_kernel
need_program

KNOBS="mkfs mount devices size send flags proto parent clones ours output drop optional"
declare -A KNOB
SCENARIO=

scenario() {
	local word

	run_scenario
	SCENARIO=$1
	KNOB=([devices]=1 [size]=512M [proto]=1)
	unset -f populate mutate damage
	shift
	for word; do
		[[ " $KNOBS " == *" ${word%%=*} "* && $word == *=* ]] || {
			echo "Bail out! $SCENARIO: no such knob: $word"
			exit 1
		}
		KNOB[${word%%=*}]=${word#*=}
	done
}

knob() { printf '%s' "${KNOB[$1]:-}"; }

defined() { declare -F "$1" >/dev/null; }

# Snapshot the scenario's subvolume, read-only, under NAME in the top level.
snap() { peer subvolume snapshot -r "$MNT/sub" "$MNT/$1"; }

run_scenario() {
	local name=$SCENARIO status

	SCENARIO=
	[ -n "$name" ] || return 0
	[[ $name =~ ${BTRFS_TEST_ONLY:-} ]] || return 0
	# Not "if compare_streams": a condition switches off set -e in all that it calls.
	compare_streams >"$WORK/log" 2>&1
	status=$?
	if [ "$status" -eq 0 ]; then
		ok "$name"
	elif [ -e "$WORK/skip" ]; then
		skip "$name" "$(cat "$WORK/skip")"
	else
		not_ok "$name"
		tail -n 60 "$WORK/log" | diag
	fi
	unmount_images
	[ "${BTRFS_TEST_KEEP:-0}" = 1 ] && return
	rm -rf --one-file-system "$WORK"/{dev*.img,theirs,ours,stripes,skip,mkfs.log}
}

# Everything a scenario does; what it prints is shown if it fails.
compare_streams() {
	local status

	make_file_system || return 1
	build_snapshots
	status=$?
	[ "$status" -eq 0 ] || { echo "populate failed"; return 1; }
	kernel_send || return 1
	if defined damage; then
		sync -f "$MNT"
		record_stripes || { echo "no chunk layout"; return 1; }
	fi
	unmount_images || { echo "could not unmount"; return 1; }
	if defined damage; then
		( set -e; cd "$WORK"; damage )
		status=$?
		[ "$status" -eq 0 ] || { echo "damage failed"; return 1; }
	fi
	our_send && same_streams && our_estimate
}

make_file_system() {
	# shellcheck disable=SC2046 # options are words
	make_images "$(knob devices)" "$(knob size)" $(knob mkfs) || {
		cat "$WORK/mkfs.log"
		[ -n "$(knob optional)" ] && echo "mkfs.btrfs lacks it" >"$WORK/skip"
		return 1
	}
	mount_images "$(knob mount)" || { echo "could not mount"; return 1; }
	peer subvolume create "$MNT/sub"
}

# One subshell, so that a file held open in populate is still open at the snapshot.
build_snapshots() {
	(
		set -e
		cd "$MNT/sub"
		if defined populate; then populate; else zoo; fi
		cd "$MNT"
		if defined mutate; then
			snap one
			cd sub
			mutate
			cd ..
			snap two
		elif [ -z "$(knob send)" ] && [ ! -e snap ]; then
			snap snap
		fi
	)
	# Not "( ... ) || return": that would switch set -e off inside.
}

# The snapshots to send and the one to send against, by the knobs or by default.
sent() {
	if defined mutate; then echo "${KNOB[send]:-two}"; else echo "${KNOB[send]:-snap}"; fi
}

against() {
	if defined mutate; then echo "${KNOB[parent]:-one}"; else knob parent; fi
}

# Options common to both sides, with snapshots below PREFIX, into the array ARGS.
send_options() {
	local prefix=$1 snapshot

	# shellcheck disable=SC2206 # options are words
	ARGS=(--proto "$(knob proto)" ${KNOB[flags]:-})
	[ -n "$(against)" ] && ARGS+=(-p "$prefix/$(against)")
	for snapshot in $(knob clones); do
		ARGS+=(-c "$prefix/$snapshot")
	done
}

kernel_send() {
	send_options "$MNT"
	# shellcheck disable=SC2046
	peer send "${ARGS[@]}" -f "$WORK/theirs" $(printf "$MNT/%s " $(sent)) || {
		echo "kernel send failed"
		return 1
	}
}

# Further devices first, the one given as the image last.
our_arguments() {
	local i image='' path

	send_options ""
	# The stream's version is an option of ours only when it is not the usual one.
	[ "$(knob proto)" = 1 ] && ARGS=("${ARGS[@]:2}")
	for ((i = $(knob devices); i >= 1; i--)); do
		[[ " $(knob drop) " == *" $i "* ]] && continue
		[ -n "$image" ] && ARGS+=(--device "$image")
		image=$WORK/dev$i.img
	done
	ARGS+=("$image")
	for path in ${KNOB[ours]:-$(sent)}; do
		case $path in
		id:*) ARGS+=("$path") ;;
		*) ARGS+=("/$path") ;;
		esac
	done
}

our_send() {
	local status before i

	for i in $(knob drop); do
		rm "$WORK/dev$i.img"
	done
	before=$(stat -c '%n %y' "$WORK"/dev*.img)
	our_arguments
	if [ "$(knob output)" = stdout ]; then
		bounded 120 "$BTRFS" send "${ARGS[@]}" 2>"$ERR" </dev/null | cat >"$WORK/ours"
		status=${PIPESTATUS[0]}
	else
		run_ours send -f "$WORK/ours" "${ARGS[@]}"
		status=$?
	fi
	judge_run "$status" || {
		echo "command: btrfs send ${ARGS[*]}"
		cat "$ERR"
		return 1
	}
	[ "$before" = "$(stat -c '%n %y' "$WORK"/dev*.img)" ] || {
		echo "send wrote to an image"
		return 1
	}
}

judge_run() {
	misbehaved "$1" "$ERR" && return 1
	[ "$1" -eq 0 ] || { echo "exit status $1"; return 1; }
	if grep -q '^ERROR' "$ERR"; then
		echo "an ERROR line, yet exit status 0"
		return 1
	fi
	if [ -n "$(knob drop)" ] && ! grep -q '^WARNING' "$ERR"; then
		echo "no WARNING about the missing device"
		return 1
	fi
}

same_streams() {
	[ -s "$WORK/theirs" ] && cmp "$WORK/theirs" "$WORK/ours" && return
	echo "sizes: kernel $(stat -c %s "$WORK/theirs"), ours $(stat -c %s "$WORK/ours")"
	show_commands || show_bytes
	return 1
}

# What --estimate says, from metadata alone, is what was sent.
our_estimate() {
	local said

	run_ours send --estimate "${ARGS[@]}"
	judge_run $? || { cat "$ERR"; return 1; }
	said=$(sed -n 's/^total: .* (\([0-9]*\) bytes)$/\1/p' "$OUT")
	[ "$said" = "$(stat -c %s "$WORK/ours")" ] && return
	echo "estimated: ${said:-nothing}, sent: $(stat -c %s "$WORK/ours")"
	return 1
}

# A stream may be broken in the middle: show what can be read of it.
show_commands() {
	diff -u --label kernel --label ours \
		<("$PEER" receive --dump -f "$WORK/theirs" 2>&1) \
		<("$PEER" receive --dump -f "$WORK/ours" 2>&1) >"$WORK/diff" && return 1
	cut -c -200 "$WORK/diff" | head -n 40
}

# The dump ends with the first of several streams, and does not show data.
show_bytes() {
	local at file

	at=$(cmp "$WORK/theirs" "$WORK/ours" 2>&1 | sed -n 's/.* \(byte\|char\) \([0-9]*\).*/\2/p')
	[ -n "$at" ] || return 0
	at=$((at > 64 ? at - 64 : 0))
	for file in theirs ours; do
		echo "$file from byte $at:"
		od -A d -t x1z -j "$at" -N 128 "$WORK/$file"
	done
}

# The last scenario runs before the plan is printed.
BEFORE_PLAN+=(run_scenario)
