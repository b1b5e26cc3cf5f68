#!/bin/bash
# Full send, names: links, special files, deep and wide trees, and directories
# whose inode numbers are not in the order in which the stream may create them.

# shellcheck source=../lib/send.sh
. "$(dirname "$0")/../lib/send.sh"

scenario "hard links in one directory and in two"
populate() {
	mkdir a b
	echo x >a/f
	ln a/f a/g
	ln a/f b/f
	ln a/f top
}

scenario "a hard link whose first name lies in a later directory"
populate() {
	echo x >f
	mkdir a b
	ln f b/f
	ln f a/f
	rm f
	echo y >g
	mkdir c
	ln g c/1
	ln g 2
	rm g
}

scenario "a hard link whose names all lie in later, moved directories"
populate() {
	echo x >f
	mkdir a b
	ln f a/one
	ln f b/two
	rm f
	mkdir c
	mv a c/a
	mkdir d
	mv c d/c
}

scenario "300 hard links with long names need extended references"
populate() {
	local i long

	long=$(printf 'l%.0s' {1..230})
	mkdir a b c
	echo x >f
	for i in {1..100}; do
		ln f "a/$long$i"
		ln f "b/$long$i"
		ln f "c/$long$i"
	done
}

scenario "extended references in small nodes, the first name removed" mkfs="-n 4096"
populate() {
	local i long

	long=$(printf 'l%.0s' {1..200})
	echo x >f
	mkdir z
	for i in {1..60}; do
		ln f "z/$long$i"
		ln f "$long$i"
	done
	rm f
}

scenario "hard links of symlinks, devices and fifos"
populate() {
	mkdir d
	ln -s target link
	ln link d/link
	mknod c c 1 3
	ln c d/c
	mkfifo p
	ln p d/p
}

scenario "symlinks: short, long, dangling, absolute, recreated"
populate() {
	ln -s x short
	ln -s "$(printf 'd/%.0s' {1..2000})" long
	ln -s "$(printf 'y%.0s' {1..4000})" longer
	ln -s /no/such/place dangling
	ln -s first again
	rm again
	ln -s second again
	mkdir d
	ln -s ../d d/self
	chown -h 12:34 dangling
	touch -h -d '1999-12-31 23:59:59.5' short
}

scenario "device nodes with small and large numbers"
populate() {
	mknod null c 1 3
	mknod big-minor c 10 1048575
	mknod big-major b 4095 0
	mknod both b 4095 1048575
	mknod zero c 0 0
	mknod middle b 259 70000
	chmod 600 null
}

scenario "fifos and sockets"
populate() {
	mkfifo fifo
	mkfifo -m 640 private
	"$FSOP" socket socket
	mkdir d
	"$FSOP" socket d/another
	mv fifo d/
}

scenario "200 directories deep"
populate() {
	local i

	for i in {1..200}; do
		mkdir "d$i"
		cd "d$i"
		echo "$i" >f
	done
}

scenario "a path near the longest the kernel takes"
populate() {
	local i long

	long=$(printf 'p%.0s' {1..250})
	for i in {1..14}; do
		mkdir "$long$i"
		cd "$long$i"
	done
	echo deep >f
}

scenario "long names, bytes that are no text, a newline in a name"
populate() {
	echo 1 >"$(printf 'n%.0s' {1..255})"
	echo 2 >$'new\nline'
	echo 3 >$'caf\xc3\xa9'
	echo 4 >$'\xff\xfe\x01'
	echo 5 >' '
	echo 6 >'-n'
	echo 7 >'back\slash'
	echo 8 >'...'
	mkdir "$(printf 'd%.0s' {1..255})"
	echo 9 >"$(printf 'd%.0s' {1..255})/x"
}

scenario "names with the same hash in a directory"
populate() {
	# Each pair has one crc32c, as seeded for directory items: one item, two names.
	echo 1 >cpspknml
	echo 2 >ruquxggq
	mkdir afwkttom
	ln -s target wkmejblj
	rm cpspknml
	ln ruquxggq cpspknml
}

scenario "a file moved into a directory made later"
populate() {
	mkdir b
	touch file
	mkdir late
	mv file late/
	mv b late/
}

scenario "a directory moved below one made later, with its files"
populate() {
	mkdir a
	touch a/f
	mkdir b
	mv a b/
	touch b/g
	echo data >b/a/h
}

scenario "a chain of directories, each inside the next one made"
populate() {
	local i

	mkdir d0
	touch d0/f
	for i in {1..30}; do
		mkdir "d$i"
		touch "d$i/own"
		mv "d$((i - 1))" "d$i/"
	done
}

scenario "deep directories in mixed order of inode numbers"
populate() {
	mkdir -p a/b/c/d e/f/g/h
	mv a/b/c e/f/g/h/
	mkdir -p i/j
	mv e/f i/j/
	mv a i/
	mkdir k
	mv i/j/f/g k/
	mv k/g/h/c/d .
	mv i d/
	touch d/i/a/b/file k/g/h/c/file
}

scenario "parents and children exchanged"
populate() {
	mkdir -p a/b/c
	mv a/b/c c
	mv a/b c/b
	mv a c/b/a
	touch c/b/a/f
}

scenario "names exchanged between files and directories"
populate() {
	mkdir a
	echo b >b
	mv a t
	mv b a
	mv t b
	echo x >x
	echo y >y
	mv x t
	mv y x
	mv t y
}

scenario "a tree removed and made again"
populate() {
	mkdir -p t/u/v
	echo 1 >t/u/f
	ln t/u/f t/u/v/g
	sync -f .
	rm -r t
	mkdir -p t/u/v
	echo 2 >t/u/v/g
	ln t/u/v/g t/u/f
}

scenario "inode numbers with gaps"
populate() {
	local i

	for i in {1..300}; do
		echo "$i" >"f$i"
	done
	for i in {1..300}; do
		[ $((i % 7)) -eq 0 ] || rm "f$i"
	done
	mkdir d
	mv f7 f14 d/
}

scenario "a directory of 3,000 names in small nodes" mkfs="-n 4096"
populate() {
	local i

	mkdir d
	for i in {1..3000}; do
		: >"d/a rather long name, so that leaves fill up $i"
	done
}

scenario "symlinks and special files waiting for a later parent"
populate() {
	ln -s somewhere l
	mkfifo p
	mknod c c 5 1
	"$FSOP" socket s
	mkdir d
	mv l p c s d/
	mkdir e
	mv d e/
}

done_testing
