# shellcheck shell=bash
# How a command behaves towards its user: exit status, the one line on standard
# error, and what must stay untouched.
#
#	IMAGE=$WORK/some.img
#	fails "no such path is said" 1 '/none' send "$IMAGE" /none
#
# Every such test also fails on a signal, a hang, a sanitizer report, a changed
# IMAGE, or anything left in OUTDIR.

# shellcheck source=harness.sh
. "$(dirname "${BASH_SOURCE[0]}")/harness.sh"
# shellcheck source=kernel.sh
. "$TESTS_LIB/kernel.sh"

IMAGE=
OUTDIR=$WORK/out	# where tests let streams be written; empty between tests
mkdir "$OUTDIR"
PROBLEMS=()
declare -A FINGERPRINTS

complain() { PROBLEMS+=("$*"); }

# Not against forgery, but fast: images are large and are asked for after every command.
fingerprint() { cksum <"$IMAGE"; }

# Call before a command runs: what IMAGE is like.  Once per image.
remember_image() {
	[ -f "$IMAGE" ] || return 0
	[ -n "${FINGERPRINTS[$IMAGE]:-}" ] || FINGERPRINTS[$IMAGE]=$(fingerprint)
}

check_image() {
	[ -f "$IMAGE" ] || return 0
	[ "${FINGERPRINTS[$IMAGE]}" = "$(fingerprint)" ] || complain "the image has changed"
}

check_outdir() {
	local left

	left=$(ls -A "$OUTDIR")
	[ -z "$left" ] || complain "left behind: $left"
	rm -rf "${OUTDIR:?}"/* "${OUTDIR:?}"/.[!.]*
}

# The verdict on everything complained about since the last one.
verdict() {
	if [ ${#PROBLEMS[@]} -eq 0 ]; then
		ok "$1"
	else
		not_ok "$1"
		printf '%s\n' "${PROBLEMS[@]}" | diag
		diag "stderr:"
		head -n 15 "$ERR" | cut -c -300 | diag
	fi
	PROBLEMS=()
}

# check_status STATUS EXPECTED: EXPECTED is a shell pattern, such as [12].
check_status() {
	local report

	report=$(misbehaved "$1" "$ERR") && complain "$report"
	# shellcheck disable=SC2053 # a pattern is meant
	[[ $1 == $2 ]] || complain "exit status $1, expected $2"
}

# One line says what failed and why; REGEX finds the detail that a user needs.
check_error_line() {
	local regex=$1 lines

	lines=$(grep -c '^ERROR: ' "$ERR")
	[ "$lines" -eq 1 ] || complain "$lines ERROR lines, expected one"
	grep -Eq '^ERROR: .+: .+' "$ERR" || complain "the line has not the form 'ERROR: what: why'"
	grep -Eiq -- "$regex" <(grep '^ERROR: ' "$ERR") || complain "the ERROR line lacks: $regex"
}

# Judge the command that ran last (its standard error in ERR) as a failure.
judge_failure() {
	local status=$1 expected=$2 regex=$3

	check_status "$status" "$expected"
	if [ "$status" -eq 1 ]; then
		check_error_line "$regex"
	else
		# Usage: the wording is free, but it must say something.
		grep -Eiq -- "$regex" "$ERR" || complain "stderr lacks: $regex"
	fi
	check_image
	check_outdir
}

# fails NAME EXPECTED-STATUS REGEX ARGUMENT...
fails() {
	local name=$1 expected=$2 regex=$3
	shift 3

	remember_image
	run_ours "$@"
	judge_failure $? "$expected" "$regex"
	verdict "$name"
}

# damaged_copy NAME: a copy of the good image, in IMAGE, that a test may spoil.
damaged_copy() {
	IMAGE=$WORK/$1.img
	cp --sparse=always "$GOOD_IMAGE" "$IMAGE"
}

# A stored image is no longer needed: keep the private folder small.
drop_copy() {
	unset "FINGERPRINTS[$IMAGE]"
	rm -f "$IMAGE"
	IMAGE=$GOOD_IMAGE
}

# spoil_block IMAGE LOGICAL LENGTH: noise over all copies.
spoil_block() {
	local at

	for at in $(physical "$1" "$2"); do
		garbage "$1" "$at" "$3"
	done
}
