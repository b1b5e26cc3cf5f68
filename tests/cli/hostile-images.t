#!/bin/bash
# Images made or damaged to hurt: whatever is read of them, every command ends by
# itself, with a status of its own and no sanitizer report.

# shellcheck source=../lib/harness.sh
. "$(dirname "$0")/../lib/harness.sh"

HOSTILE=${BTRFS_TEST_IMAGES:-$REPO/../shared/images}
LIMIT=60	# seconds for one command
OUTPUT_BYTES=100000000	# a hostile tree may be printed for ever

# The folder is optional, so this skip is none of REQUIRE_KERNEL's business.
[ -d "$HOSTILE" ] || { echo "1..0 # SKIP no images (BTRFS_TEST_IMAGES)"; exit 0; }
need_program

# ends COMMAND...: nothing, or what went wrong.
ends() {
	local status report

	timeout -k 5 "$LIMIT" "$BTRFS" "$@" 2>"$ERR" </dev/null | head -c "$OUTPUT_BYTES" >"$OUT"
	status=${PIPESTATUS[0]}
	if report=$(misbehaved "$status" "$ERR" "$OUT"); then
		echo "$*: $report"
		grep -a -A 12 -m 1 -E 'Sanitizer|runtime error:' "$ERR" "$OUT" | cut -c -200
	elif [ "$status" -gt 2 ]; then
		echo "$*: exit status $status"
	elif [ "$status" -ne 0 ] && [ ! -s "$ERR" ]; then
		echo "$*: failed without a message"
	fi
}

read_all_of() {
	local image=$1 path

	ends inspect-internal dump-super -fa "$image"
	ends inspect-internal dump-tree "$image"
	ends send -f /dev/null "$image" /
	ends subvolume list "$image"
	sed -n 's/.* path //p' "$OUT" | head -n 10 >"$WORK/paths"
	while IFS= read -r path; do
		ends send -f /dev/null "$image" "/$path"
	done <"$WORK/paths"
}

# Unpack into FOLDER, keeping holes: some images say they are terabytes.
unpack() {
	case $1 in
	*.tar.*) tar -xf "$1" --sparse -C "$2" ;;
	*.raw.xz) xz -dc "$1" | dd of="$2/$(basename "$1" .xz)" bs=64K conv=sparse status=none ;;
	*.img.xz | *.img) return 1 ;;
	*) return 1 ;;
	esac
}

# A dump of btrfs-image starts with its own magic number.
is_raw_image() {
	[ "$(head -c 16 "$1" | tail -c 8 | od -An -tx1 | tr -d ' ')" != bd5c25e27295668b ]
}

test_archive() {
	local archive=$1 folder=$WORK/unpacked image report=''
	local name=${archive#"$HOSTILE/"}

	mkdir -p "$folder"
	if ! unpack "$archive" "$folder" 2>/dev/null; then
		diag "$name: not an archive of a raw image"
	else
		while IFS= read -r image; do
			if is_raw_image "$image"; then
				report+=$(cd "$folder" && read_all_of "$(basename "$image")")
			else
				diag "$name: $(basename "$image") is a metadata dump, not read"
			fi
		done < <(find "$folder" -maxdepth 1 -type f)
	fi
	rm -rf "$folder"
	if [ -z "$report" ]; then
		ok "$name"
	else
		not_ok "$name"
		diag "$report"
	fi
}

for archive in "$HOSTILE"/fuzz/* "$HOSTILE"/fsck/*; do
	[ -f "$archive" ] || continue
	[[ $archive =~ ${BTRFS_TEST_ONLY:-} ]] || continue
	test_archive "$archive"
done

done_testing
