# shellcheck shell=bash
# The zoo: one of every kind of thing a subvolume can hold, a few megabytes in
# all.  For scenarios whose subject is the file system around the files (node
# sizes, checksums, profiles, lost devices).  Runs in the folder to be filled.

zoo() {
	zoo_files
	zoo_extents
	zoo_names
	zoo_attributes
}

zoo_files() {
	mkdir -p files/deep/er empty
	: >files/nothing
	echo "a few bytes" >files/inline
	text files/text 0 400000 1
	fill files/noise 0 4M 2
	fill files/deep/er/tail 0 70001 3
}

zoo_extents() {
	mkdir extents
	truncate -s 1M extents/hole
	fill extents/sparse 1M 70000 4
	fallocate -l 200K extents/prealloc
	fill extents/prealloc 8192 4096 5
	cp --reflink=always files/noise extents/whole
	clone files/noise 64K 128K extents/part 4096
	clone extents/sparse 1M 0 extents/tail 0
	sync -f .
	fill extents/whole 100000 5000 6
}

# Some parents get a higher inode number than their children.
zoo_names() {
	mkdir early
	echo child >early/child
	mkdir late
	mv early late/moved
	ln late/moved/child second
	ln -s late/moved/child link
	ln -s "$(printf 'x%.0s' {1..200})" long-link
	mkfifo fifo
	mknod char c 5 1
	mknod block b 259 70000
	"$FSOP" socket socket
	: >"$(printf 'n%.0s' {1..255})"
	: >$'new\nline \xc3\xa9'
}

zoo_attributes() {
	setfattr -n user.note -v "some words" files/inline
	setfattr -n security.odd -v "" files/text
	setfacl -m u:1234:rw,g:99:r files/noise
	setfacl -d -m u:1234:rwx files/deep
	setcap cap_net_raw+ep files/deep/er/tail
	chmod 4711 files/inline
	chmod 1777 empty
	chown 4000000000:3000000000 files/text
	touch -d '1960-02-29 00:00:01.000000001' files/text
}
