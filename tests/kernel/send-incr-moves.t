#!/bin/bash
# Incremental send, directories moved: under one another, into new ones, out of
# deleted ones.  A move may have to wait for the move of another directory, and
# the order of the inode numbers decides which.

# shellcheck source=../lib/send.sh
. "$(dirname "$0")/../lib/send.sh"

swap() { mv "$1" "$1.swap"; mv "$2" "$1"; mv "$1.swap" "$2"; }

# Directories NAME..., whose inode numbers rise in this order, all at the top;
# each has a file.
in_order() {
	local name

	for name; do mkdir "$name"; done
	for name; do echo "$name" >"$name/file-$name"; done
}

# The rest of a scenario for every order of three inode numbers.
ORDERS=("a b c" "a c b" "b a c" "b c a" "c a b" "c b a")

for order in "${ORDERS[@]}"; do
	scenario "parent and child exchanged below a third, numbers $order"
	numbers=$order
	# shellcheck disable=SC2086 # words
	populate() { in_order $numbers; mv c b; mv b a; }
	mutate() { mv a/b/c t; mv a/b t/b; mv t a/c; }

	scenario "three nested directories turned upside down, numbers $order"
	numbers=$order
	# shellcheck disable=SC2086
	populate() { in_order $numbers; mv c b; mv b a; }
	mutate() { mv a/b/c c; mv a/b c/b; mv a c/b/a; }

	scenario "a cycle of three directories, renamed as well, numbers $order"
	numbers=$order
	# shellcheck disable=SC2086
	populate() { in_order $numbers; mkdir a/x b/y c/z; }
	mutate() { mv a/x t1; mv b/y a/y2; mv c/z b/z2; mv t1 c/x2; swap a b; swap b c; }

	scenario "a moved directory waits for one that waits, numbers $order"
	numbers=$order
	# shellcheck disable=SC2086
	populate() { in_order $numbers; mkdir top; mv a top; }
	mutate() { mv top/a u; mv b u/b; mv c u/b/c; mv u d; mkdir top/new; mv d top/new/d; }
done

scenario "a directory moves into one with a higher number, that moves, too"
populate() { mkdir a b c; echo x >a/f; }
mutate() { mv b c/b; mv a c/b/a; }

scenario "a file moves into a new directory"
populate() { echo x >f; mkdir d; echo y >d/g; }
mutate() { mkdir n; mv f n/f; mv d/g n/g; }

scenario "a directory moves into a new directory, that lies in another new one"
populate() { mkdir -p d/e; echo x >d/e/f; }
mutate() { mkdir -p n/m/l; mv d/e n/m/l/e2; mv d n/m; }

scenario "a new directory lies where a moved one did, and has its entries"
populate() { mkdir -p d/sub; echo x >d/f; echo y >d/sub/g; }
mutate() { mv d e; mkdir d; mv e/f d/f; mv e/sub d/sub; }

scenario "a new directory comes between parent and child"
populate() { mkdir -p a/b/c; echo x >a/b/c/f; }
mutate() { mkdir a/n; mv a/b a/n/b; mkdir a/n/b/m; mv a/n/b/c a/n/b/m/c; }

scenario "grandparent and grandchild exchanged"
populate() { mkdir -p a/b/c/d; echo x >a/b/c/d/f; echo y >a/g; }
mutate() { mv a/b/c t; mv a/b t/b2; mv a t/b2/a2; mv t a; }

scenario "a directory moves up, its old parent moves below it, each under the other's name"
populate() { mkdir -p p/q; echo 1 >p/f; echo 2 >p/q/f; }
mutate() { mv p/q t; mv p t/q; mv t p; }

scenario "many levels turned upside down"
populate() { mkdir -p d1/d2/d3/d4/d5/d6/d7/d8; echo x >d1/d2/d3/d4/d5/d6/d7/d8/f; }
mutate() {
	local i path=''

	path=d1/d2/d3/d4/d5/d6/d7/d8
	for i in {8..1}; do mv "$path" e"$i"; path=${path%/*}; done
	path=e8
	for i in {7..1}; do mv e"$i" "$path"; path+=/e$i; done
}

scenario "a deep tree moved by its top, its middle and its bottom"
populate() {
	local path

	path=$(printf 'dir%d/' {1..30})
	mkdir -p "$path" x y
	echo deep >"$path/f"
}
mutate() {
	local upper middle

	upper=$(printf 'dir%d/' {1..10})
	middle=$(printf 'dir%d/' {11..20})
	mv "$upper$middle"dir21 x/bottom
	mv "${upper}dir11" y/middle
	mv dir1 x/bottom/top
	mv y x/bottom/dir22/y
}

scenario "two trees exchange all their subdirectories"
populate() {
	local i

	mkdir a b
	for i in {1..8}; do mkdir a/s"$i" b/s"$i"; echo "a$i" >a/s"$i"/f; echo "b$i" >b/s"$i"/f; done
}
mutate() { local i; for i in {1..8}; do swap a/s"$i" b/s"$i"; done; }

scenario "two trees exchange subdirectories and then their own names"
populate() {
	local i

	mkdir a b
	for i in {1..5}; do mkdir -p a/s"$i"/t b/s"$i"; echo "$i" >a/s"$i"/t/f; done
}
mutate() {
	local i

	for i in {1..5}; do swap a/s"$i" b/s"$i"; mv b/s"$i"/t a/s"$i"/u; done
	swap a b
}

scenario "moves that wait for one directory, in a long queue"
populate() {
	local i

	for i in {1..30}; do mkdir d"$i"; echo "$i" >d"$i"/f; done
	mkdir last
}
mutate() {
	local i

	mkdir n
	mv last n/moved
	for i in {1..30}; do mv d"$i" n/moved/e"$i"; done
}

scenario "a chain in which every directory moves into the next one"
populate() { local i; for i in {1..20}; do mkdir d"$i"; echo "$i" >d"$i"/f; done; }
mutate() { local i; for i in {1..19}; do mv d"$i" d$((i + 1))/; done; }

scenario "a chain in which every directory moves into the one before"
populate() { local i; for i in {1..20}; do mkdir d"$i"; echo "$i" >d"$i"/f; done; }
mutate() { local i; for i in {19..1}; do mv d$((i + 1)) d"$i"/; done; }

scenario "a chain of nested directories comes apart"
populate() { mkdir -p d1/d2/d3/d4/d5/d6; echo x >d1/d2/d3/d4/d5/d6/f; }
mutate() {
	mv d1/d2/d3/d4/d5/d6 d6; mv d1/d2/d3/d4/d5 d6/d5; mv d1/d2/d3/d4 d4
	mv d1/d2/d3 d4/d3; mv d1/d2 d2; mv d1 d2/d1
}

scenario "the ancestor is orphaned by a file that takes its name"
populate() { mkdir -p z; echo x >f; mkdir -p a/b/c; echo y >a/b/c/g; }
mutate() { mv a z/a; mv f a; mv z/a/b/c/g z/h; }

scenario "the ancestor is orphaned by a directory of a lower number, children move with it"
populate() { mkdir low; mkdir -p x/y/w; echo 1 >x/y/f; ln x/y/f x/y/w/g; }
mutate() { mv x x.old; mv low x; mv x.old/y x/y2; mv x.old x/y2/x; mv x/y2/f x/y2/h; }

scenario "an orphaned directory loses a hard link that is not its first"
populate() { mkdir low; mkdir -p d/e; echo 1 >d/f; ln d/f d/e/g; }
mutate() { mv d keep; mv low d; rm keep/e/g; mv keep/e d/e; }

scenario "two orphaned directories, one below the other"
populate() { mkdir l1 l2; mkdir -p a/b; echo x >a/b/f; }
mutate() { mv a/b t; mv a u; mv l1 a; mv l2 a/b; mv t u/b; mv u t; }

scenario "a rename waits for a directory that was orphaned in the meantime"
populate() { mkdir -p p/x q/y r; echo x >p/x/f; mkdir s; }
mutate() { mv p/x s/x; mv q/y s/x/y; mv r q/y; mv s p/x; mv q p/x/q; }

scenario "files and directories change places through three levels"
populate() { mkdir -p a/b/c e; echo 1 >a/f; echo 2 >a/b/f; echo 3 >a/b/c/f; echo 4 >e/c; }
mutate() { mv a/b/c t; mv e/c a/b/c; mv t e/c; mv a/f e/c/f1; mv e/c/f a/f; mv a/b e/b; }

# --- deletions ---

scenario "a tree is deleted"
populate() { mkdir -p a/b/c a/d; echo x >a/f; echo y >a/b/c/g; ln -s x a/d/l; }
mutate() { rm -r a; }

scenario "a directory with many entries is deleted"
populate() { mkdir d; ( cd d && printf '%d\n' {1..1500} | xargs touch ); echo x >d/.later; }
mutate() { rm -r d; }

scenario "a tree is deleted, one file of a higher number moves out"
populate() { mkdir -p a/b; echo y >a/b/g; echo x >a/f; }
mutate() { mv a/f f; rm -r a; }

scenario "a directory can go only after a later inode has moved out"
populate() { mkdir -p a/b/c; mkdir a/b/c/d; echo z >a/b/c/d/f; }
mutate() { mv a/b/c/d d; rm -r a; }

scenario "nested deleted directories, inner ones moved out and deleted elsewhere"
populate() { mkdir -p a/b/c/d k; echo 1 >a/1; echo 2 >a/b/2; echo 3 >a/b/c/3; echo 4 >a/b/c/d/4; }
mutate() { mv a/b/c/d k/d; mv a/b/2 k/d/2; mv a/1 k/1; rm -r a; mv k/d/4 4; }

scenario "a deleted directory waits for a move that waits"
populate() { mkdir -p del/x; mkdir y z; echo 1 >del/x/f; }
mutate() { mkdir n; mv z n/z; mv y n/z/y; mv del/x n/z/y/x; rmdir del; }

scenario "two deleted directories whose children go to each other's heirs"
populate() { mkdir -p a/s b/t; echo 1 >a/s/f; echo 2 >b/t/f; }
mutate() { mkdir n m; mv a/s n/t; mv b/t m/s; rmdir a b; mv n a; mv m b; }

scenario "a deleted directory's name is taken by its child"
populate() { mkdir -p a/a/a; echo x >a/a/a/f; }
mutate() { mv a b; mv b/a/a a; rm -r b; }

scenario "many deleted directories, everything in them moves to one place"
populate() {
	local i

	for i in {1..40}; do mkdir -p d"$i"/e; echo "$i" >d"$i"/e/f; done
	for i in {1..40}; do echo "$i" >d"$i"/late; done
}
mutate() {
	local i

	mkdir n
	for i in {1..40}; do mv d"$i"/e/f n/f"$i"; mv d"$i"/late n/l"$i"; rm -r d"$i"; done
}

scenario "1,000 hard links of files in a deleted directory stay elsewhere" mkfs="-n 4096"
populate() {
	mkdir d e
	perl -e 'for (1 .. 1000) { open my $f, ">", "d/$_" or die; link "d/$_", "e/$_" or die }'
}
mutate() { rm -r d; }

# --- times ---

scenario "directories whose entries changed often, more than the kernel remembers"
populate() { local i; for i in {1..120}; do mkdir d"$i"; touch d"$i"/f d"$i"/g; done; }
mutate() { local i; for i in {1..120}; do mv d"$i"/f d$((i * 37 % 120 + 1))/h"$i"; done; }

done_testing
