#!/bin/bash
# send --all-snapshots: the kernel receives the streams in the order of the index,
# and everything is there again; the parents are those that make little data; what
# is half done has no index.

# Perl in single quotes, and numbers whose order in lines or words does not matter.
# shellcheck disable=SC2016,SC2046,SC2116,SC2010
# shellcheck source=../lib/harness.sh
. "$(dirname "$0")/../lib/harness.sh"
# shellcheck source=../lib/kernel.sh
. "$TESTS_LIB/kernel.sh"
# shellcheck source=../lib/zoo.sh
. "$TESTS_LIB/zoo.sh"
# shellcheck source=../lib/manifest.sh
. "$TESTS_LIB/manifest.sh"

need_kernel
need_program

SOURCE=$WORK/source.img
SENT=$WORK/sent

# --- what is sent ------------------------------------------------------------------

snap() { peer subvolume snapshot -r "$1" "$2"; }

# set_flags PATH FLAGS: 2 is read-only.  The existing tool would clear the received UUID.
set_flags() {
	perl -MFcntl -e 'my $SUBVOL_SETFLAGS = 0x4008941a; my $flags = pack "Q<", $ARGV[1];
		sysopen(my $dir, $ARGV[0], O_RDONLY) or die;
		ioctl($dir, $SUBVOL_SETFLAGS, $flags) or die' "$1" "$2"
}

# All snapshots have the same name, as some tools make them.
fill_timeline() {
	local i

	peer subvolume create work
	( cd work && zoo_names && mkdir files && fill files/noise 0 1M 2 && fill base 0 3M 50 )
	for i in 1 2 3; do
		fill "work/new$i" 0 1M "$i"
		rm -f "work/new$((i - 2))"
		mkdir -p "snaps/$i"
		snap work "snaps/$i/snapshot"
	done
	# Back to the first, and on from there: what came in between is in the way.
	peer subvolume snapshot snaps/1/snapshot rolled-back
	for i in 4 5; do
		fill "rolled-back/other$i" 0 1M "4$i"
		mv "rolled-back/files" "rolled-back/files$i"
		mv "rolled-back/files$i" "rolled-back/files"
		mkdir -p "snaps/$i"
		snap rolled-back "snaps/$i/snapshot"
	done
}

fill_others() {
	peer subvolume create "alone"
	fill alone/f 0 300K 9
	snap alone $'alone \xc3\xb6 *?'
	# Nothing of the old contents: a difference would only be longer.
	peer subvolume create turned-over
	for i in {1..60}; do echo "$i" >"turned-over/a file with a rather long name $i"; done
	snap turned-over turned-over.1
	rm turned-over/*
	echo new >turned-over/new
	snap turned-over turned-over.2
}

# One that was received, and another state of it under the same received UUID.
fill_received() {
	peer subvolume create src
	fill src/f 0 200K 30
	snap src src.ro
	peer send -f "$WORK/stream" src.ro
	mkdir in
	peer receive -f "$WORK/stream" in
	snap in/src.ro in/copy
	set_flags in/src.ro 0
	fill in/src.ro/g 0 200K 31
	set_flags in/src.ro 2
	snap in/src.ro in/later
}

make_source() {
	make_images 1 512M && mount_images noatime || return 1
	( set -e; cd "$MNT"; fill_timeline; fill_others; fill_received; sync -f . ) || return 1
	mkdir "$WORK/manifests"
	"$PEER" subvolume list "$MNT" | while read -r _ id _ _ _ _ _ _ path; do
		manifest "$MNT/$path" >"$WORK/manifests/$id"
	done
	unmount_images && mv "$WORK/dev1.img" "$SOURCE"
}

# --- the index -----------------------------------------------------------------------

# index FOLDER EXPRESSION: what perl makes of the document in $d and its streams in @s.
index() {
	perl -MJSON::PP -e 'local $/; open my $f, "<", $ARGV[0] or die; my $d = decode_json(<$f>);
		my @s = @{$d->{streams}}; binmode STDOUT, ":utf8"; print join "\n", eval $ARGV[1];
		die $@ if $@' "$1/index.json" "$2"
}

# parent_of PATH: the path of its parent, "-" without one.
parent_of() {
	index "$SENT" 'my %f = map { $_->{file} => $_->{path} } @s;
		map { $_->{parent_file} ? $f{$_->{parent_file}} : "-" } grep { $_->{path} eq "'"$1"'" } @s'
}

send_all() {
	run_ours send --all-snapshots "$@"
	judge $?
}

judge() {
	[ "$1" -eq 0 ] && ! misbehaved "$1" "$ERR" >"$WORK/log" && return
	diag "exit status $1"
	diag <"$ERR"
	return 1
}

test_index() {
	local read_only

	send_all "$SENT" "$SOURCE"
	is "everything is sent" 0 $?
	read_only=$("$BTRFS" subvolume list -r "$SOURCE" | awk '{ print $2 }' | sort -n)
	is "the index has every read-only subvolume, and no other" "$read_only" \
		"$(index "$SENT" 'sort { $a <=> $b } map { $_->{id} } @s')"
	is "and says its version" 1 "$(index "$SENT" '$d->{__header}{version}')"
	is "every file is in the index with its length" \
		"$(cd "$SENT" && stat -c '%n %s' ./*.btrfs | sed 's/^..//')" \
		"$(index "$SENT" 'map { "$_->{file} $_->{bytes}" } @s')"
	is "and the sum of them" "$(cat "$SENT"/*.btrfs | wc -c)" "$(index "$SENT" '$d->{total_bytes}')"
	is "nothing else is there" index.json "$(ls -A "$SENT" | grep -v '^[0-9]*-.*\.btrfs$')"
	is "file names are harmless" "" "$(ls -A "$SENT" | LC_ALL=C.UTF-8 grep -v '^[-[:alnum:]._]*$')"
	is "every parent comes first" "" "$(index "$SENT" 'my %seen;
		map { $seen{$_->{file}} = $_->{uuid};
			defined $_->{parent_file} && ($seen{$_->{parent_file}} // "") ne $_->{parent_uuid}
			? $_->{file} : () } @s')"
}

test_parents() {
	is "the first of a timeline is full" - "$(parent_of snaps/1/snapshot)"
	is "the next is based on the one before" snaps/2/snapshot "$(parent_of snaps/3/snapshot)"
	is "the first after a roll-back is based on what was gone back to" snaps/1/snapshot \
		"$(parent_of snaps/4/snapshot)"
	is "and the next on that one" snaps/4/snapshot "$(parent_of snaps/5/snapshot)"
	is "one that has no relatives is full" - "$(parent_of turned-over.1)"
	is "and so is one that has nothing in common with them" - "$(parent_of turned-over.2)"
	is "none is based on one of several states under one UUID" "- - -" \
		"$(echo $(parent_of in/copy) $(parent_of in/src.ro) $(parent_of in/later))"
}

# As if each were sent by itself.
test_amount() {
	local full

	run_ours send --estimate "$SOURCE" $(index "$SENT" 'map { "id:$_->{id}" } @s')
	full=$(sed -n 's/^total: .* (\([0-9]*\) bytes)$/\1/p' "$OUT")
	[ "$(index "$SENT" '$d->{total_bytes}')" -lt $((full / 2)) ]
	is "it is less than half of what full streams are" 0 $?
}

test_plan() {
	run_ours --format json send --estimate --all-snapshots "$WORK/planned" "$SOURCE"
	judge $?
	cmp -s "$OUT" "$SENT/index.json"
	is "the plan in JSON is the index" 0 $?
	run_ours send --estimate --all-snapshots "$WORK/planned" "$SOURCE"
	judge $?
	is "the plan in text has a line for each, and the sum" \
		"$(index "$SENT" 'scalar @s') $(index "$SENT" '$d->{total_bytes}')" \
		"$(grep -c '^/.* bytes), \(full$\|from .*\.btrfs$\)' "$OUT") $(sed -n \
			's/^total: .*(\([0-9]*\) bytes)$/\1/p' "$OUT")"
	is "a plan makes no folder" "" "$(ls -d "$WORK/planned" 2>/dev/null)"
}

# --- receiving -----------------------------------------------------------------------------

# receive_all FOLDER: by the kernel, in the order of the index, all into one folder.
receive_all() {
	local file name id bad=

	make_images 1 512M && mount_images || { not_ok "a file system to receive into"; return; }
	while IFS= read -r file; do
		peer receive -f "$1/$file" "$MNT" >"$WORK/log" 2>&1 || {
			bad+=" $file"
			diag <"$WORK/log"
		}
	done < <(index "$1" 'map { $_->{file} } @s'; echo)
	is "${1##*/}: the kernel receives every stream" "" "${bad# }"
	bad=
	while IFS=$'\t' read -r id name; do
		manifest "$MNT/$name" >"$WORK/got" 2>/dev/null
		cmp -s "$WORK/manifests/$id" "$WORK/got" && continue
		bad+=" $name"
		diff "$WORK/manifests/$id" "$WORK/got" | head -n 10 | diag
	done < <(index "$1" 'map { "$_->{id}\t$_->{name}" } grep { $_->{id} != 5 } @s'; echo)
	is "${1##*/}: what was received is what was sent" "" "${bad# }"
	unmount_images
}

test_writable() {
	local all=$WORK/all

	send_all "$all" --writable --proto 2 "$SOURCE"
	is "with --writable everything is sent" 0 $?
	is "the index has every subvolume, and the top level" \
		"5 $(echo $("$BTRFS" subvolume list "$SOURCE" | awk '{ print $2 }' | sort -n))" \
		"$(echo $(index "$all" 'sort { $a <=> $b } map { $_->{id} } @s'))"
	receive_all "$all"
	rm -rf "$all"
}

# --- what goes wrong -----------------------------------------------------------------------

# fails_with NAME REGEX ARGUMENT...
fails_with() {
	local name=$1 regex=$2 status
	shift 2

	run_ours send "$@"
	status=$?
	misbehaved "$status" "$ERR" | diag
	is "$name" "1 1 1" "$status $(grep -c '^ERROR: ' "$ERR") $(grep -cE "^ERROR: .*$regex" "$ERR")"
}

test_refusals() {
	local before

	before=$(ls -lA "$SENT")
	fails_with "a folder that holds something is refused" "sent.*not empty" \
		--all-snapshots "$SENT" "$SOURCE"
	is "and left as it is" "$before" "$(ls -lA "$SENT")"
	: >"$WORK/file"
	fails_with "a file is no folder" "file.*[Nn]ot a directory" --all-snapshots "$WORK/file" "$SOURCE"
	fails_with "the folder of the folder is not there" "none/x" --all-snapshots "$WORK/none/x" "$SOURCE"
	mkdir "$WORK/empty"
	send_all "$WORK/empty" "$SOURCE"
	is "an empty folder is fine, and the result the same" "0 " "$? $(diff -r "$WORK/empty" "$SENT")"
	rm -rf "$WORK/empty"
	make_images 1 128M
	fails_with "nothing to send" "no read-only subvolume" --all-snapshots "$WORK/nothing" "$WORK/dev1.img"
	is "then no folder is made" "" "$(ls -d "$WORK/nothing" 2>/dev/null)"
}

# Data of the third stream is noise.
test_damage() {
	local at

	cp --sparse=always "$SOURCE" "$WORK/damaged.img"
	mv "$WORK/damaged.img" "$WORK/dev1.img"
	mount_images ro
	at=$("$FSOP" extent "$MNT/snaps/3/snapshot/new3" 0)
	unmount_images
	garbage "$WORK/dev1.img" "$(physical "$WORK/dev1.img" "$at" | head -n 1)" 4096
	fails_with "damaged data ends it" "new3" --all-snapshots "$WORK/part" "$WORK/dev1.img"
	is "the streams before are whole, and nothing else is there" \
		"$(cd "$SENT" && md5sum 0001-* 0002-*)" \
		"$(cd "$WORK/part" && find . -type f -printf '%P\n' | sort | xargs md5sum)"
}

# --------------------------------------------------------------------------------------------

if ! make_source; then
	not_ok "the kernel makes what is to be sent"
	done_testing
fi
test_index
test_parents
test_amount
test_plan
receive_all "$SENT"
test_writable
test_refusals
test_damage
done_testing
