#!/bin/bash
# Incremental send, names of files: exchanged, handed on, taken by something
# else.  Inodes are processed by number, so each one meets names that others have
# not left yet, or have left already.

# shellcheck source=../lib/send.sh
. "$(dirname "$0")/../lib/send.sh"

swap() { mv "$1" "$1.swap"; mv "$2" "$1"; mv "$1.swap" "$2"; }

scenario "nothing changed at all"
populate() { mkdir d; echo x >d/f; ln -s f d/l; }
mutate() { :; }

scenario "two files exchange their names"
populate() { echo one >a; echo two >b; }
mutate() { swap a b; }

scenario "two files in different directories exchange their names"
populate() { mkdir d e; echo one >d/a; echo two >e/b; }
mutate() { swap d/a e/b; }

scenario "two directories exchange their names and keep what is in them"
populate() { mkdir a b; echo one >a/f; echo two >b/f; }
mutate() { swap a b; }

scenario "a file and a directory exchange their names, the file first"
populate() { echo one >a; mkdir b; echo two >b/f; }
mutate() { swap a b; }

scenario "a file and a directory exchange their names, the directory first"
populate() { mkdir a; echo two >a/f; echo one >b; }
mutate() { swap a b; }

scenario "a symlink and a device exchange their names"
populate() { ln -s target a; mknod b c 1 3; }
mutate() { swap a b; }

scenario "names rotate through four files, forwards and backwards"
populate() {
	local name

	for name in a b c d p q r s; do echo "$name" >$name; done
}
mutate() {
	mv a t; mv d a; mv c d; mv b c; mv t b
	mv p t; mv q p; mv r q; mv s r; mv t s
}

scenario "a chain of renames, each to the name the next one had"
populate() { local i; for i in {1..9}; do echo "$i" >f"$i"; done; }
mutate() { local i; for i in {9..1}; do mv f"$i" f$((i + 1)); done; }

scenario "a chain of renames of directories, downwards"
populate() { local i; for i in {2..9}; do mkdir d"$i"; echo "$i" >d"$i"/f; done; }
mutate() { local i; for i in {2..9}; do mv d"$i" d$((i - 1)); done; }

scenario "a new file takes the name of a file that was moved"
populate() { echo old >a; mkdir d; }
mutate() { mv a d/a; echo new >a; }

scenario "a new file takes the name of a directory that was moved"
populate() { mkdir a d; echo x >a/f; }
mutate() { mv a d/b; echo new >a; }

scenario "a new directory takes the name of one that was moved into it"
populate() { mkdir a; echo x >a/f; }
mutate() { mkdir n; mv a n/a; mv n a; }

scenario "an older file takes the name of a later one, that is then deleted"
populate() { echo 1 >a; echo 2 >b; echo 3 >c; }
mutate() { mv a b; mv c a; }

scenario "a file becomes a directory of its name"
populate() { echo x >a; mkdir d; echo y >d/b; }
mutate() { rm a d/b; mkdir a d/b; echo z >a/f; }

scenario "a directory becomes a file of its name"
populate() { mkdir -p a d/b/c; echo x >a/f; }
mutate() { rm -r a d/b; echo y >a; ln -s a d/b; }

scenario "a file of a lower number replaces a directory"
populate() { echo x >f; mkdir a; echo y >a/g; }
mutate() { rm -r a; mv f a; }

scenario "a directory of a lower number replaces a file"
populate() { mkdir d; echo y >d/g; echo x >a; }
mutate() { rm a; mv d a; }

scenario "the file takes the name of its own directory"
populate() { mkdir a; echo x >a/a; }
mutate() { mv a b; mv b/a a; }

scenario "a file takes the name of its grandparent, which moves into the file's directory"
populate() { mkdir -p a/b e; echo x >a/b/f; }
mutate() { mv a t; mv t/b c; mv c/f a; mv t c/t; }

scenario "two files of two directories exchange names while the directories do, too"
populate() { mkdir a b; echo 1 >a/x; echo 2 >a/y; echo 3 >b/x; echo 4 >b/y; }
mutate() { swap a b; swap a/x a/y; swap b/x a/y; }

scenario "every kind of special file is made anew under its name"
populate() {
	ln -s old l
	mknod c c 1 3
	mknod b b 7 1
	mkfifo p
	"$FSOP" socket s
}
mutate() {
	rm l c b p s
	ln -s new l
	mknod c c 1 5
	mknod b b 259 70000
	mkfifo -m 600 p
	"$FSOP" socket s
	ln -s l m
}

scenario "special files turn into one another"
populate() { ln -s x a; mknod b c 1 3; mkfifo c; "$FSOP" socket d; echo x >e; }
mutate() { rm a b c d e; mkfifo a; ln -s y b; echo x >c; mknod d b 8 0; "$FSOP" socket e; }

scenario "special files are moved and linked"
populate() { mkdir d; ln -s x a; mknod b c 1 3; mkfifo c; "$FSOP" socket s; ln b b2; }
mutate() { mv a d/l; ln c d/p; mv b d/b; mv s d/s; ln d/s s2; rm b2; }

scenario "a symlink is replaced by another with the same target"
populate() { ln -s x a; ln -s x b; }
mutate() { rm a; ln -s x a; ln -s x t; mv -T t b; }

# --- hard links ---

scenario "hard links come and go"
populate() { echo x >a; ln a b; ln a c; echo y >p; ln p q; }
mutate() { rm b; ln a d; ln p r; rm p q; }

scenario "the first name of a file with hard links goes"
populate() { echo x >a; ln a b; ln a c; mkdir d; ln a d/e; }
mutate() { rm a; }

scenario "two files with hard links exchange one name each"
populate() { echo x >a; ln a b; echo y >c; ln c d; }
mutate() { swap b c; }

scenario "hard links to two files exchange all names"
populate() { mkdir e; echo x >a; ln a e/b; echo y >c; ln c e/d; }
mutate() { swap a c; swap e/b e/d; }

scenario "hard links move while their directory moves"
populate() { mkdir -p p/q r; echo x >p/f; ln p/f p/q/g; ln p/f r/h; }
mutate() { mv p/q r/q2; mv p r/p2; mv r/h r/p2/i; ln r/p2/f r/q2/k; rm r/q2/g; }

scenario "a hard link is dropped while its directory exchanges names with another"
populate() { mkdir a b; echo x >a/f; ln a/f a/g; ln a/f b/h; echo y >b/g; }
mutate() { swap a b; rm b/g; mv a/h a/f; }

scenario "a hard link takes the name of a file not yet processed"
populate() { echo x >a; echo y >b; ln b b2; echo z >c; }
mutate() { ln a n; mv n b; ln -f a c; }

scenario "a hard link takes the first name of a directory that is moved away"
populate() { mkdir e; echo x >a; mkdir d; echo y >d/f; }
mutate() { mv d e/d; ln a d; }

scenario "a second name replaces the first one of another file"
populate() { mkdir d; echo x >a; echo y >b; ln b d/b; ln a d/a; }
mutate() { ln -f d/a b; ln -f d/b a; }

scenario "hard links beyond one item, changed in the middle" mkfs="-n 4096"
populate() {
	local i name

	name=$(printf 'n%.0s' {1..200})
	mkdir d
	echo x >f
	for i in {100..180}; do ln f "$name$i"; ln f d/"$name$i"; done
}
mutate() {
	local i name

	name=$(printf 'n%.0s' {1..200})
	for i in {100..180..7}; do rm "$name$i"; mv d/"$name$i" d/new"$i"; done
	for i in {200..220}; do ln f d/"$name$i"; done
	mv d e
}

scenario "hard links beyond one item move to another directory" mkfs="-n 4096"
populate() {
	local i name

	name=$(printf 'n%.0s' {1..230})
	mkdir d
	echo x >f
	for i in {100..150}; do ln f d/"$name$i"; done
}
mutate() {
	local i name

	name=$(printf 'n%.0s' {1..230})
	mkdir e
	for i in {100..150..2}; do mv d/"$name$i" e; done
	rm f
}

scenario "hard links beyond one item shrink to a few" mkfs="-n 4096"
populate() {
	local i name

	name=$(printf 'n%.0s' {1..230})
	echo x >f
	for i in {100..150}; do ln f "$name$i"; done
}
mutate() {
	local i name

	name=$(printf 'n%.0s' {1..230})
	rm f
	for i in {103..150}; do rm "$name$i"; done
}

scenario "hard links of a moved file in a new directory of a deleted one's name"
populate() { mkdir d; echo x >d/f; ln d/f g; }
mutate() { mv d/f t; rmdir d; mkdir d; mv t d/f; ln d/f d/g; }

# --- many ---

scenario "5,000 entries, half of them renamed"
populate() {
	mkdir d
	( cd d && printf 'file%d\n' {1..5000} | xargs touch )
}
mutate() {
	perl -e 'for (my $i = 1; $i <= 5000; $i += 2) { rename "d/file$i", "d/renamed$i" or die }'
}

scenario "3,000 files change directory" mkfs="-n 4096"
populate() {
	mkdir d{0..9}
	perl -e 'for my $i (0 .. 2999) { open my $f, ">", "d" . $i % 10 . "/f$i" or die }'
}
mutate() {
	perl -e 'for my $i (0 .. 2999) {
		rename "d" . $i % 10 . "/f$i", "d" . $i * 7 % 10 . "/g" . (2999 - $i) or die }'
}

scenario "names of 1,000 files are reversed"
populate() { perl -e 'for my $i (0 .. 999) { open my $f, ">", "f$i" or die; print $f $i }'; }
mutate() {
	perl -e 'for my $i (0 .. 999) { rename "f$i", "t$i" or die }
		for my $i (0 .. 999) { rename "t$i", "f" . (999 - $i) or die }'
}

scenario "the longest names, and names that are not text"
populate() {
	echo a >"$(printf 'a%.0s' {1..255})"
	echo b >"$(printf 'b%.0s' {1..255})"
	echo c >$'\xff\xfe bad'
	mkdir $'new\nline'
	echo d >$'new\nline/\x01'
}
mutate() {
	mv a* t
	mv b* "$(printf 'a%.0s' {1..255})"
	mv t "$(printf 'b%.0s' {1..255})"
	mv $'\xff\xfe bad' $'new\nline/\xc3\xa9'
	mv $'new\nline' 'other\name'
}

done_testing
