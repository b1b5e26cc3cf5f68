# shellcheck shell=bash
# File systems that our mkfs makes, judged by the kernel and by the peer's check.
#
#	made NAME [OPTION...]		options of mkfs, for images as NR and SIZE say
#	filled NAME SOURCE [OPTION...]	the same with --rootdir, and the content compared
#
# Knobs, all to be reset by the caller: NR=1 SIZE=300M.

# shellcheck source=harness.sh
. "$(dirname "${BASH_SOURCE[0]}")/harness.sh"
# shellcheck source=kernel.sh
. "$TESTS_LIB/kernel.sh"
# shellcheck source=manifest.sh
. "$TESTS_LIB/manifest.sh"

NR=1
SIZE=300M
WRONG=()

wrong() { WRONG+=("$*"); }

# One result for all that went wrong since the last one.
judge() {
	if [ ${#WRONG[@]} -eq 0 ]; then
		ok "$1"
	else
		not_ok "$1"
		printf '%s\n' "${WRONG[@]}" | head -n 40 | diag
	fi
	WRONG=()
}

fresh_images() {
	local i

	IMAGES=()
	for ((i = 1; i <= NR; i++)); do
		IMAGES+=("$WORK/dev$i.img")
		rm -f "$WORK/dev$i.img"
		truncate -s "$SIZE" "$WORK/dev$i.img"
	done
}

# The peer's check wants to find the other devices, so it is given loop devices.
peer_check() {
	if ! "$PEER" check --check-data-csum "${LOOPS[0]}" >"$WORK/check.log" 2>&1; then
		wrong "the peer's check: $1"
		wrong "$(head -n 12 "$WORK/check.log")"
		return
	fi
	# It looks at every device of the machine; those of others may go meanwhile.
	grep -v 'cannot scan' "$WORK/check.log" | grep -iE '^(error|warning)|invalid|mismatch' \
		>"$WORK/said" && wrong "the peer's check says: $(head -n 4 "$WORK/said")"
}

scrub_is_clean() {
	"$PEER" scrub start -B -r "$MNT" >"$WORK/scrub.log" 2>&1 ||
		wrong "scrub: $(cat "$WORK/scrub.log")"
	grep -q 'no errors found' "$WORK/scrub.log" || wrong "scrub: $(cat "$WORK/scrub.log")"
}

# The file system works: it can be written to, and is still good after that.
works_in_kernel() {
	mkdir "$MNT/made-by-the-test" && fill "$MNT/made-by-the-test/file" 0 300000 7 &&
		sync -f "$MNT" || wrong "the kernel cannot write to it"
	scrub_is_clean
	rm -rf "$MNT/made-by-the-test"
}

run_mkfs() {
	"$BTRFS" mkfs "$@" "${IMAGES[@]}" >"$WORK/mkfs.out" 2>"$WORK/mkfs.err"
}

made() {
	local name=$1
	shift

	fresh_images
	if run_mkfs "$@"; then
		attach_images
		peer_check "as made"
		detach_images
		if mount_images; then
			works_in_kernel
			umount "$MNT"
			peer_check "after the kernel wrote to it"
		else
			wrong "the kernel does not mount it"
		fi
		unmount_images
	else
		wrong "mkfs failed: $(cat "$WORK/mkfs.err")"
	fi
	judge "$name"
}

# Compares with what $WORK/want says, or with the source itself.
filled() {
	local name=$1 source=$2
	shift 2

	fresh_images
	[ -n "${WANT:-}" ] || manifest "$source" >"$WORK/want" 2>/dev/null
	if run_mkfs --rootdir "$source" "$@"; then
		attach_images
		peer_check "as made"
		detach_images
		if mount_images ro; then
			manifest "$MNT" >"$WORK/got" 2>/dev/null
			cmp -s "$WORK/want" "$WORK/got" ||
				wrong "$(diff "$WORK/want" "$WORK/got" | head -n 20)"
			scrub_is_clean
		else
			wrong "the kernel does not mount it"
		fi
		unmount_images
	else
		wrong "mkfs failed: $(cat "$WORK/mkfs.err")"
	fi
	judge "$name"
}
