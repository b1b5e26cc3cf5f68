#!/bin/bash
# Full send, the subvolume itself: where it lies, how it became read-only, what
# is nested in it, several of them in one call.

# shellcheck source=../lib/send.sh
. "$(dirname "$0")/../lib/send.sh"

scenario "nested subvolumes appear as nothing or as empty directories"
populate() {
	echo x >f
	peer subvolume create inner
	echo y >inner/g
	mkdir d
	peer subvolume create d/inner2
	peer subvolume create d/inner2/deeper
	peer subvolume snapshot -r inner d/copy
	mv d/copy d/renamed
	echo z >after
}

scenario "a snapshot of a snapshot" send=third
populate() {
	zoo
	snap first
	peer subvolume snapshot ../first ../second
	echo more >../second/more
	rm ../second/link
	peer subvolume snapshot -r ../second ../snap
	peer subvolume snapshot -r ../snap ../third
}

scenario "made read-only by its property instead of by a snapshot" send=sub
populate() {
	zoo_files
	peer property set . ro true
}

scenario "a subvolume below directories of the top level" send="a/b/c/deep"
populate() {
	zoo_files
	mkdir -p ../a/b/c
	peer subvolume snapshot -r . ../a/b/c/deep
}

scenario "a subvolume inside another subvolume" send="outer/dir/inner"
populate() {
	echo x >f
	peer subvolume create ../outer
	mkdir ../outer/dir
	peer subvolume snapshot -r . ../outer/dir/inner
}

scenario "a renamed snapshot, and one replaced under the same name" send="renamed again"
populate() {
	echo 1 >f
	snap original
	mv ../original ../renamed
	snap again
	echo 2 >f
	peer subvolume delete ../again
	snap again
}

scenario "a long name of bytes that are no text" ours="id:257"
populate() {
	echo x >f
	peer subvolume snapshot -r . "../$(printf '\xff%.0s' {1..255})"
	ln -s "$(printf '\xff%.0s' {1..255})" ../snap
}

scenario "asked for by its id" send=snap ours=id:257
populate() { echo x >f; snap snap; }

scenario "a received subvolume is announced with the uuid it was received from" send=in/snap
populate() {
	zoo
	snap snap
	mkdir ../in
	peer send -f "$WORK/received" ../snap
	peer receive -f "$WORK/received" ../in
}

scenario "a received subvolume, made writable and read-only again" send=in/snap
populate() {
	echo x >f
	snap snap
	mkdir ../in
	peer send -f "$WORK/received" ../snap
	peer receive -f "$WORK/received" ../in
	peer property set -f ../in/snap ro false
	echo y >../in/snap/g
	peer property set ../in/snap ro true
}

scenario "a snapshot of a received subvolume has no received uuid" send=snap2
populate() {
	echo x >f
	snap snap
	mkdir ../in
	peer send -f "$WORK/received" ../snap
	peer receive -f "$WORK/received" ../in
	peer subvolume snapshot -r ../in/snap ../snap2
}

scenario "a file unlinked but open at the snapshot is an orphan"
populate() {
	exec 9>open 8>many
	fill open 0 100000 1
	ln many other
	mkdir d
	rm open many other
	echo stays >d/f
	snap snap
}

scenario "a directory removed while somebody is in it"
populate() {
	mkdir gone
	echo x >f
	cd gone
	rmdir ../gone
	snap snap
}

scenario "three subvolumes in one call, each stream with its own end" send="one two three"
populate() {
	zoo_files
	snap one
	echo 2 >two
	snap two
	rm -r files
	snap three
}

scenario "three subvolumes in one call, one end for all" send="one two three" flags=-e
populate() {
	zoo_files
	snap one
	echo 2 >two
	snap two
	rm -r files
	snap three
}

scenario "one subvolume with the flag that is for several" flags=-e
populate() { zoo_files; }

scenario "the same subvolume twice in one call" send="snap snap" flags=-e
populate() { zoo_names; snap snap; }

scenario "the stream goes through a pipe" output=stdout
populate() { zoo; }

scenario "two subvolumes through a pipe" output=stdout send="one two" flags=-e
populate() { zoo; snap one; echo x >x; snap two; }

scenario "file data left out on request" flags=--no-data
populate() { zoo; clone files/noise 0 64K extents/again 8192; }

done_testing
