#!/bin/bash
# Incremental send, inode numbers that were given to another inode.  Within one
# subvolume this no longer happens; so the parent is another subvolume, whose
# inodes have the same numbers and other generations.

# shellcheck source=../lib/send.sh
. "$(dirname "$0")/../lib/send.sh"

# The parent has what "before" makes, the other subvolume what "after" makes.
unrelated() {
	scenario "$1" send=two parent=one "${@:2}"
	populate() {
		before
		snap one
		sync -f .
		peer subvolume create "$MNT/new"
		cd "$MNT/new"
		after
		peer subvolume snapshot -r . "$MNT/two"
	}
}

unrelated "the same tree, made anew"
before() { zoo; }
after() { zoo; }

unrelated "an empty parent"
before() { :; }
after() { zoo; }

unrelated "nothing is left"
before() { zoo; }
after() { :; }

unrelated "files instead of directories and the reverse, under the same names"
before() { mkdir a; echo 1 >b; mkdir c; echo x >a/f; echo y >c/g; }
after() { echo 1 >a; mkdir b; echo 2 >c; echo x >b/f; mkdir d; }

unrelated "the same names for other numbers"
before() { echo a >a; echo b >b; mkdir c; mkdir d; echo f >c/f; }
after() { mkdir d; echo b >b; mkdir c; echo a >a; echo f >d/f; echo g >c/f; }

unrelated "the same numbers, other names"
before() { echo a >a; mkdir b; echo c >b/c; mkdir b/d; echo e >b/d/e; }
after() { echo a >p; mkdir q; echo c >q/r; mkdir q/s; echo e >q/s/t; }

unrelated "names rotate through the numbers"
before() { mkdir a b c; echo 1 >a/f; echo 2 >b/f; echo 3 >c/f; }
after() { mkdir b c a; echo 1 >c/f; echo 2 >a/f; echo 3 >b/f; }

unrelated "the number of a directory goes to its child"
before() { mkdir -p a/b/c; echo x >a/b/c/f; }
after() { mkdir x; mkdir x/c; mkdir a; mv x/c a/c; mv x a/c/b; echo y >a/c/b/f; }

unrelated "a deleted directory's number goes to a file inside what was there"
before() { mkdir d e; echo 1 >d/1; echo 2 >e/2; mkdir d/s; echo 3 >d/s/3; }
after() { echo x >d2; mkdir e; mkdir e/s; echo y >e/2; ln d2 e/s/l; }

unrelated "hard links to numbers that meant other files"
before() { echo a >a; ln a b; ln a c; mkdir d; ln a d/e; echo f >f; ln f d/g; }
after() { echo a >b; ln b a; mkdir c; echo d >d; ln d c/e; ln d g; mkdir f; }

unrelated "hard links beyond one item on both sides" mkfs="-n 4096"
before() { local i; echo x >f; for i in {100..140}; do ln f "$(printf 'n%.0s' {1..220})$i"; done; }
after() { local i; echo y >f; for i in {120..160}; do ln f "$(printf 'n%.0s' {1..220})$i"; done; }

unrelated "directories with equal hard links inside" mkfs="-n 4096"
before() { local i; mkdir d; echo x >f; for i in {1..60}; do ln f d/"$(printf 'n%.0s' {1..200})$i"; done; }
after() { local i; mkdir d; echo x >f; for i in {1..60}; do ln f d/"$(printf 'n%.0s' {1..200})$i"; done; }

unrelated "special files change their kind"
before() { ln -s x a; mknod b c 1 3; mkfifo c; "$FSOP" socket d; echo e >e; mkdir f; }
after() { mkdir a; ln -s y b; mknod c b 8 0; mkfifo d; "$FSOP" socket e; echo f >f; }

unrelated "special files stay what they are"
before() { ln -s x a; mknod b c 1 3; mkfifo c; "$FSOP" socket d; }
after() { ln -s x a; mknod b c 1 5; mkfifo c; "$FSOP" socket d; }

unrelated "data and attributes of the old inode do not shine through"
before() {
	fill a 0 300K 1
	setfattr -n user.a -v 1 a
	setfacl -m u:5:r a
	setcap cap_chown+ep a
	chmod 4755 a
	fallocate -l 1M b
	truncate -s 1M c
}
after() {
	fill a 0 100K 1
	setfattr -n user.b -v 1 a
	truncate -s 1M b
	fill c 0 4096 2
	fallocate -n -l 1M c
}

unrelated "more inodes than before, the higher ones in old directories' names"
before() { mkdir a b; touch a/1 b/2; }
after() { local i; for i in {1..20}; do touch f"$i"; done; mkdir b a; mv f* a; mv b a/b; touch a/b/2; }

unrelated "fewer inodes than before, at other depths"
before() { local i; mkdir -p a/b/c/d; for i in {1..20}; do touch a/b/c/d/f"$i"; done; }
after() { mkdir d; mkdir d/c; mkdir d/c/b; touch d/c/b/f1 f2 d/f3; mkdir a; }

unrelated "a directory is moved into one of a reused number"
before() { mkdir -p k/l m; touch k/l/f; }
after() { mkdir m; mkdir k; mkdir l; mv k l/k; touch l/k/f; mv l m/l; }

unrelated "clone sources with other generations" clones=one
before() { fill a 0 200K 1; fill b 0 200K 2; }
after() {
	cp --reflink=always "$MNT/sub/b" a
	clone "$MNT/sub/a" 64K 64K c 0
	mkdir d
	cp --reflink=always "$MNT/sub/a" d/a
}

unrelated "the top directories differ in everything"
before() { setfattr -n user.a -v 1 .; chmod 700 .; chown 5:5 .; touch f; }
after() { setfattr -n user.b -v 1 .; chmod 1777 .; setfacl -m u:1:r .; touch f; }

unrelated "without file data" flags=--no-data
before() { zoo; }
after() { mkdir files; zoo; }

unrelated "protocol 2" proto=2
before() { zoo; chattr +A empty; }
after() { mkdir files; chattr +A files; zoo; }

# --- the same generation on both sides, as when one transaction made both ---

# Then one number with one generation counts as one inode, whatever it is.
twins() {
	scenario "$1" send=two parent=one "${@:2}"
	populate() {
		peer subvolume create "$MNT/new"
		sync -f .
		before
		( cd "$MNT/new"; after )
		snap one
		peer subvolume snapshot -r "$MNT/new" "$MNT/two"
	}
}

twins "equal generations: the same tree twice"
before() { zoo_files; mkdir x; ln files/text x/l; }
after() { zoo_files; mkdir x; ln files/text x/m; }

twins "equal generations: names rotate"
before() { mkdir a b c; echo 1 >a/f; echo 2 >b/f; echo 3 >c/f; }
after() { mkdir b c a; echo 1 >c/f; echo 2 >a/f; echo 3 >b/f; }

twins "equal generations: other data under the same numbers"
before() { fill a 0 300K 1; fill b 0 100 2; fill c 0 1M 3; }
after() { fill a 0 200K 4; fill b 0 300K 2; fill d 0 1M 3; }

# --- some of both ---

scenario "two snapshots that went apart: equal numbers beyond the common ones" send=two parent=one
populate() {
	mkdir common
	touch common/f
	snap base
	peer subvolume snapshot "$MNT/base" "$MNT/apart"
	mkdir mine
	mv common/f mine/f
	touch mine/g common/h
	snap one
	sync -f .
	cd "$MNT/apart"
	touch mine
	mkdir theirs
	mv common theirs/common
	touch theirs/g theirs/h
	ln mine theirs/common/h
	peer subvolume snapshot -r . "$MNT/two"
}

scenario "two snapshots that went apart, and back" send="one two" parent=base flags=-e clones=two
populate() {
	mkdir -p a/b c
	fill a/b/f 0 100K 1
	snap base
	peer subvolume snapshot "$MNT/base" "$MNT/apart"
	mv a/b c/b
	fill g 0 100K 2
	mkdir h
	snap one
	sync -f .
	cd "$MNT/apart"
	mkdir h
	fill g 0 100K 3
	mv a h/a
	cp --reflink=always h/a/b/f h/f
	peer subvolume snapshot -r . "$MNT/two"
}

scenario "a snapshot goes back to an earlier one" send=one parent=three
populate() {
	mkdir -p a/b
	fill a/b/f 0 100K 1
	ln a/b/f a/l
	snap one
	mv a/b c
	mv a c/a
	truncate -s 50K c/f
	echo x >a
	snap two
	rm c/a/l
	mkdir n
	mv c n/c
	setfattr -n user.a -v 1 n/c/f
	snap three
}

done_testing
