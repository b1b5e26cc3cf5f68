# shellcheck shell=bash
# What every shell test stands on: TAP output, a private folder that vanishes
# with the test, the program under test and its time limit.
#
# A test sources this file (or send.sh / cli.sh, which source it), reports with
# ok / not_ok / diag, and ends with done_testing.  It may be started from any
# folder.  Environment:
#
#	BTRFS                      program under test (default: build/btrfs)
#	BTRFS_TEST_REQUIRE_KERNEL  1: what cannot run is a failure, not a skip
#	BTRFS_TEST_KEEP            1: keep the private folder and name it
#	BTRFS_TEST_ONLY            run only scenarios whose name matches this regex
#	TMPDIR                     where the private folder is made (default: in memory,
#	                           if there is plenty, else /tmp)

set -u

TESTS_LIB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
REPO=$(cd "$TESTS_LIB/../.." && pwd)
BTRFS=$(realpath -m "${BTRFS:-$REPO/build/btrfs}")
# The existing tools: they make images and show streams, and are never judge of ours alone.
PEER=${BTRFS_TEST_PEER:-$(PATH=$PATH:/usr/sbin:/sbin command -v btrfs || echo btrfs)}
PATH=$PATH:/usr/sbin:/sbin
export LC_ALL=C TZ=UTC
umask 022

TAP_COUNT=0
TAP_FAILED=0
RUNNING_PID=
CLEANERS=()	# functions to call before the private folder goes
BEFORE_PLAN=()	# functions to call before done_testing prints the plan

# --- TAP ------------------------------------------------------------------

# Comment lines: the arguments, or standard input without any.
diag() {
	if [ $# -gt 0 ]; then printf '%s\n' "$*"; else cat; fi | sed 's/^/# /'
}

ok() {
	TAP_COUNT=$((TAP_COUNT + 1))
	printf 'ok %d - %s\n' "$TAP_COUNT" "${1//#/}"
}

not_ok() {
	TAP_COUNT=$((TAP_COUNT + 1))
	TAP_FAILED=$((TAP_FAILED + 1))
	printf 'not ok %d - %s\n' "$TAP_COUNT" "${1//#/}"
}

# One test that cannot run here although the machine as a whole can test.
skip() {
	TAP_COUNT=$((TAP_COUNT + 1))
	printf 'ok %d # SKIP %s: %s\n' "$TAP_COUNT" "$1" "$2"
}

# is NAME EXPECTED GOT
is() {
	[ "$2" = "$3" ] && { ok "$1"; return; }
	not_ok "$1"
	diag "expected: $2"
	diag "got:      $3"
}

done_testing() {
	local finish

	for finish in ${BEFORE_PLAN[@]+"${BEFORE_PLAN[@]}"}; do
		"$finish"
	done
	echo "1..$TAP_COUNT"
	[ "$TAP_FAILED" -eq 0 ]
	exit
}

# The machine lacks what the whole file needs.
skip_all() {
	if [ "${BTRFS_TEST_REQUIRE_KERNEL:-0}" = 1 ]; then
		not_ok "this machine can run the test: $1"
		done_testing
	fi
	echo "1..0 # SKIP $1"
	exit 0
}

# --- the private folder -----------------------------------------------------

# Images are synced all the time, which a disk takes its time over.
scratch_dir() {
	local free

	free=$(df --output=avail -B1M /dev/shm 2>/dev/null | tail -n 1)
	if [ "$(stat -f -c %T /dev/shm 2>/dev/null)" = tmpfs ] && [ "${free:-0}" -gt 6000 ] &&
		[ "$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo)" -gt 6000 ]; then
		echo /dev/shm
	else
		echo /tmp
	fi
}

WORK=$(mktemp -d "${TMPDIR:-$(scratch_dir)}/btrfs-test.XXXXXXXX") || exit 1

# shellcheck disable=SC2317 # called by the trap
clean_up() {
	local cleaner status=$?

	trap '' INT TERM HUP
	trap - EXIT
	[ -n "$RUNNING_PID" ] && kill "$RUNNING_PID" 2>/dev/null && wait "$RUNNING_PID"
	cd /
	for cleaner in ${CLEANERS[@]+"${CLEANERS[@]}"}; do
		"$cleaner"
	done
	if [ "${BTRFS_TEST_KEEP:-0}" = 1 ]; then
		diag "kept: $WORK"
	else
		rm -rf --one-file-system "$WORK"
	fi
	exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# --- programs ---------------------------------------------------------------

# bounded SECONDS COMMAND...: its exit status, 124 after SECONDS.
# In the background, because bash runs a trap only between foreground commands.
bounded() {
	local status

	timeout -k 5 "$@" <&0 &
	RUNNING_PID=$!
	wait "$RUNNING_PID"
	status=$?
	RUNNING_PID=
	return "$status"
}

# The existing tool, quiet: for what a test does to a mounted file system.
peer() { "$PEER" -q "$@"; }

# Standard output goes to OUT, standard error to ERR.
OUT=$WORK/stdout
ERR=$WORK/stderr
run_ours() {
	bounded 120 "$BTRFS" "$@" >"$OUT" 2>"$ERR" </dev/null
}

signal_of() {
	[ "$1" -gt 128 ] && [ "$1" -le 192 ] && echo ", SIG$(kill -l "$1")"
}

# A crash, a hang or a sanitizer report in what ran last.  Says which.
misbehaved() {
	local status=$1
	shift

	[ "$status" -eq 124 ] && { echo "no end within the time limit"; return 0; }
	[ "$status" -ge 126 ] && { echo "exit status $status$(signal_of "$status")"; return 0; }
	grep -a -m 3 -E 'Sanitizer|runtime error:' "$@" 2>/dev/null
}

need_program() {
	[ -x "$BTRFS" ] && return
	not_ok "program under test is built: $BTRFS"
	done_testing
}

# Helper written in C: as built by the Makefile, or compiled here.
FSOP=${BTRFS_BUILD:-$REPO/build}/tests/lib/fsop
if [ ! -x "$FSOP" ] || [ "$TESTS_LIB/fsop.c" -nt "$FSOP" ]; then
	FSOP=$WORK/fsop
	cc -std=gnu11 -O2 -o "$FSOP" "$TESTS_LIB/fsop.c" || exit 1
fi

fill() { "$FSOP" fill "$@"; }
text() { "$FSOP" text "$@"; }
clone() { "$FSOP" clone "$@"; }

# Write noise over a range: what a failing disk leaves behind.
garbage() { "$FSOP" fill "$1" "$2" "$3" 666; }
