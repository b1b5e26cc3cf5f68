#!/bin/bash
# "subvolume list" against the existing tool on the same image mounted: every
# option, on images of every kind.  Then what only we have: JSON, id:N, errors.

# shellcheck source=../lib/subvolumes.sh
. "$(dirname "$0")/../lib/subvolumes.sh"

# All options are tried on the images where they tell most, a few on all.
few_questions() {
	local place

	cat <<-'END'
	@
	-pcguqR @
	-t -s -pcguqR @
	-r @
	-o @
	-a @
	-d @
	-G +8 -C -9 @
	--sort=-ogen,path,rootid @
	END
	for place in ${PLACES[@]+"${PLACES[@]}"}; do
		printf '%q\n' "@$place"
		printf -- '-o %q\n' "@$place"
		printf -- '-a --sort=-path %q\n' "@$place"
	done
}

all_questions() {
	local place option

	cat <<-'END'
	@
	-p @
	-c @
	-g @
	-u @
	-q @
	-R @
	-pcguqR @
	-t @
	-t -pcguqR @
	-s @
	-s -t @
	-s -pcguqR @
	-r @
	-r -s @
	-o @
	-a @
	-o -a @
	-a -o @
	-a -t @
	-d @
	-d -t @
	-d -s @
	-d -a @
	-d -o @
	-d -pcuqR @
	-G +8 @
	-G -8 @
	-G 8 @
	-G +7 -G -9 @
	-C +8 @
	-C -9 @
	-C 8 @
	-C +7 -G -12 @
	--sort=gen @
	--sort=-gen @
	--sort=+ogen @
	--sort=ogen,-rootid @
	--sort=-rootid @
	--sort=path @
	--sort=-path @
	--sort=gen,-path @
	--sort=-ogen,path,rootid @
	-a --sort=path @
	-s --sort=path @
	END
	for place in ${PLACES[@]+"${PLACES[@]}"}; do
		for option in "" -o -a -t "-o -t" "--sort=path" "-a --sort=-path" -s; do
			printf '%s %q\n' "$option" "@$place"
		done
	done
}

for image in "${SUBVOLUME_IMAGES[@]}"; do
	case $image in
	nested | snapshots | received | deleted | toggled)
		compare_image "$image" list all_questions
		;;
	*)
		compare_image "$image" list few_questions
		;;
	esac
done

# --- ours alone ---------------------------------------------------------------

[[ -z ${BTRFS_TEST_ONLY:-} ]] || done_testing

build_image nested || { not_ok "image for the rest"; diag <"$WORK/build.log"; done_testing; }
unmount_images

IMG=${IMAGES[0]}
list() { run_ours subvolume list "$@"; }

list "$IMG" a/b
expected=$(cat "$OUT")
list "$IMG" /a//b/.
is "slashes and dots in a path change nothing" "$expected" "$(cat "$OUT")"
list "$IMG" id:257
is "a subvolume is named by its id, too" "$expected" "$(cat "$OUT")"
list --offline "$IMG" id:256/b
is "a path goes on behind an id" "$expected" "$(cat "$OUT")"

# json FILTER: what the perl expression makes of the document in $d.
json() {
	perl -MJSON::PP -e 'local $/; my $d = decode_json(<STDIN>); print join " ", eval $ARGV[0]' \
		"$1" <"$OUT"
}

list --format json "$IMG"
is "JSON: the header comes first" '{"__header":{"version":"1"},' \
	"$(tr -d ' \n' <"$OUT" | cut -c 1-28)"
is "JSON: ids" "256 257 258 259 260 261" \
	"$(json 'map { $_->{id} } @{$d->{"subvolume-list"}}')"
is "JSON: paths" "a a/b a/b/c d/e/inner d/e/inner/x/deep a/dir/sub/last" \
	"$(json 'map { $_->{path} } @{$d->{"subvolume-list"}}')"
is "JSON: all fields are there without asking" \
	"deleted generation id ogeneration otime parent parent_uuid path readonly received_uuid snapshot top_level uuid" \
	"$(json 'sort keys %{$d->{"subvolume-list"}[0]}')"
run_ours --format json subvolume list -o --sort=-rootid "$IMG" a
is "JSON: filters and order hold, and the option may stand before the command" "261 257" \
	"$(json 'map { $_->{id} } @{$d->{"subvolume-list"}}')"

# fails STATUS NAME ARGUMENTS...: nothing on stdout, one ERROR line.
fails() {
	local status=$1 name=$2 got
	shift 2

	list "$@"
	got=$?
	if [ "$got" -eq "$status" ] && [ ! -s "$OUT" ] && grep -q '^ERROR: ' "$ERR"; then
		ok "$name"
	else
		not_ok "$name"
		diag "exit status $got, wanted $status"
		cat "$OUT" "$ERR" | head -n 20 | diag
	fi
}

: >"$WORK/no-btrfs"
fails 1 "a path that is not there" "$IMG" a/nothing
fails 1 "a path through .." "$IMG" a/../a
fails 1 "an id that is not there" "$IMG" id:4711
fails 1 "an id that is no subvolume" "$IMG" id:2
fails 1 "an id that is no number" "$IMG" id:x
fails 1 "an empty file" "$WORK/no-btrfs"
fails 2 "no image"
fails 2 "too many operands" "$IMG" a b
fails 2 "an unknown option" -Z "$IMG"
fails 2 "a generation that is no number" -G x "$IMG"
fails 2 "a generation with two signs" -G +-1 "$IMG"
fails 2 "an unknown sort key" --sort=size "$IMG"
fails 2 "an unknown format" --format xml "$IMG"

# A mounted image: by its name, by the loop device, and under another name.
mount_images ro,subvolid=5
fails 1 "an image that is mounted is refused" "$IMG"
fails 1 "so is its loop device" "${LOOPS[0]}"
ln -s "$IMG" "$WORK/link.img"
fails 1 "so is a link to it" "$WORK/link.img"
list --force "$IMG"
is "unless it is forced" 0 $?
unmount_images

build_image raid1 || { not_ok "image of two devices"; diag <"$WORK/build.log"; done_testing; }
fails 1 "a device that mountinfo does not name is refused" "${IMAGES[1]}"
fails 1 "so is one that is named besides another" --device "${IMAGES[1]}" "$IMG"
unmount_images
cp --sparse=always "$IMG" "$WORK/half.img"
list "$WORK/half.img"
is "one device of a mirror is enough" 0 $?

done_testing
