#!/bin/bash
# "subvolume show" against the existing tool on the same image mounted, for
# every subvolume of images of every kind, by path, by id and by UUID.  Then
# what only we have: JSON, errors.

# shellcheck source=../lib/subvolumes.sh
. "$(dirname "$0")/../lib/subvolumes.sh"

questions() {
	local id uuid place nr=0

	echo @
	echo "-r 5 @"
	# Of hundreds, some from everywhere.
	while read -r id uuid; do
		nr=$((nr + 1))
		[ "$nr" -gt 20 ] && [ $((nr % 37)) -ne 0 ] && continue
		echo "-r $id @"
		echo "--rootid $id --raw @"
		[ $((nr % 4)) -eq 1 ] && echo "-u $uuid @"
	done < <("$PEER" subvolume list -u "$MNT" | awk '$1 == "ID" { print $2, $(NF - 2) }' |
		grep -E '^[0-9]+ [0-9a-f-]{36}$')
	for place in ${PLACES[@]+"${PLACES[@]}"}; do
		printf '%q\n' "@$place"
	done
	printf '%s\n' "-r 4711 @" "-u 00000000-1111-2222-3333-444444444444 @" "@nothing"
}

# Sizes in every unit, where there are sizes.  Units of 1000 are not compared:
# the existing tool reckons in floats of 24 bits.
quota_questions() {
	local unit

	questions
	for unit in -b --raw -h -k -m -g -t "--iec -m" "-k -b" "-b -h" "--human-readable"; do
		echo "$unit @src"
		echo "$unit @rw"
		echo "$unit @of_ro"
	done
	echo "@of_rw"
}

for image in "${SUBVOLUME_IMAGES[@]}"; do
	case $image in
	quota) compare_image "$image" show quota_questions ;;
	*) compare_image "$image" show questions ;;
	esac
done

# The zone that times are told in.
export TZ=Asia/Kathmandu
compare_image received show questions
export TZ=UTC

# --- ours alone ---------------------------------------------------------------

[[ -z ${BTRFS_TEST_ONLY:-} ]] || done_testing

build_image quota || { not_ok "image for the rest"; diag <"$WORK/build.log"; done_testing; }
uuid=$("$PEER" subvolume show "$MNT/src" | awk '$1 == "UUID:" { print $2 }')
unmount_images

IMG=${IMAGES[0]}
show() { run_ours subvolume show "$@"; }

show "$IMG" src
expected=$(cat "$OUT")
show "$IMG" id:256
is "a subvolume is named by its id, too" "$expected" "$(cat "$OUT")"
show -u "${uuid^^}" "$IMG"
is "or by its UUID in capitals" "$expected" "$(cat "$OUT")"

# json EXPRESSION: what perl makes of the object in $s.
json() {
	perl -MJSON::PP -e 'local $/; my $s = decode_json(<STDIN>)->{"subvolume-show"};
		print join " ", map { $_ // "null" } eval $ARGV[0]' "$1" <"$OUT"
}

limit() { show "$@"; awk -F '\t' '/Limit referenced/ { print $NF }' "$OUT"; }
is "units of 1000" "1.07GB" "$(limit -H "$IMG" src)"
is "one unit of 1000" "1073741.82kB" "$(limit --si -k "$IMG" src)"

show --format json "$IMG" src
is "JSON: names and numbers" "src src $uuid 256 5 5" \
	"$(json '@{$s}{qw(path name uuid subvolume_id parent_id top_level_id)}')"
is "JSON: what is not there is null" "null null null" \
	"$(json '@{$s}{qw(parent_uuid received_uuid receive_time)}')"
is "JSON: snapshots" "src/below rw ro1 ro2" "$(json 'map { $_->{path} } @{$s->{snapshots}}')"
is "JSON: quota group" "0/256 1073741824 null" \
	"$(json '@{$s->{quota_group}}{qw(qgroupid max_referenced max_exclusive)}')"
show --format json "$IMG"
is "JSON: the top level has its snapshots, too" "/ <FS_TREE> top" \
	"$(json '(@{$s}{qw(path name)}, map { $_->{path} } @{$s->{snapshots}})')"

# fails STATUS NAME ARGUMENTS...: nothing on stdout, one ERROR line.
fails() {
	local status=$1 name=$2 got
	shift 2

	show "$@"
	got=$?
	if [ "$got" -eq "$status" ] && [ ! -s "$OUT" ] && grep -q '^ERROR: ' "$ERR"; then
		ok "$name"
	else
		not_ok "$name"
		diag "exit status $got, wanted $status"
		cat "$OUT" "$ERR" | head -n 20 | diag
	fi
}

fails 1 "a path that is not there" "$IMG" nothing
fails 1 "a file is no subvolume" "$IMG" src/file
fails 1 "an id that is not there" -r 4711 "$IMG"
fails 1 "an id that is no subvolume" -r 2 "$IMG"
fails 1 "a UUID that is not there" -u 00000000-1111-2222-3333-444444444444 "$IMG"
fails 2 "an id that is no number" -r x "$IMG"
fails 2 "a UUID that is none" -u 1234 "$IMG"
fails 2 "an id and a UUID" -r 256 -u "$uuid" "$IMG"
fails 2 "an id and a path" -r 256 "$IMG" src
fails 2 "no image"
fails 2 "an unknown option" -Z "$IMG"

for block in $(tree_blocks "$IMG" quota); do
	for at in $(physical "$IMG" "$block"); do
		garbage "$IMG" "$at" 4096
	done
done
fails 1 "a quota tree that cannot be read" "$IMG" src

build_image deleted || { not_ok "image with deleted ones"; diag <"$WORK/build.log"; done_testing; }
unmount_images
fails 1 "one that is being deleted" -r 257 "${IMAGES[0]}"

# Damage in the index of UUIDs costs time, not answers.
build_image many || { not_ok "image of many"; diag <"$WORK/build.log"; done_testing; }
uuid=$("$PEER" subvolume show "$MNT/s279" | awk '$1 == "UUID:" { print $2 }')
unmount_images
show "${IMAGES[0]}" s279
expected=$(cat "$OUT")
for block in $(tree_blocks "${IMAGES[0]}" uuid | tail -n +2); do
	garbage "${IMAGES[0]}" "$(physical "${IMAGES[0]}" "$block" | head -n 1)" 4096
	garbage "${IMAGES[0]}" "$(physical "${IMAGES[0]}" "$block" | tail -n 1)" 4096
done
show -u "$uuid" "${IMAGES[0]}"
is "a UUID is found without the uuid tree" "$expected" "$(cat "$OUT")"
is "with a warning about the uuid tree" 1 "$(grep -c '^WARNING: .*uuid tree' "$ERR")"

build_image writable_received || { not_ok "received"; diag <"$WORK/build.log"; done_testing; }
unmount_images
show "${IMAGES[0]}" in/one
is "one that was received and can be written to is shown" 0 $?
is "with a warning" 1 "$(grep -c '^WARNING: .*received UUID' "$ERR")"

done_testing
