#!/bin/bash
# mkfs --rootdir takes the same from an archive as from the folder that it was made
# of, and stops at what it cannot take.
#
# With a UUID and a date given an image depends on its content alone, so that two
# of them can be compared byte by byte.  That those of folders are right is for the
# kernel to say, in tests/kernel/mkfs-rootdir.t.

# shellcheck source=../lib/cli.sh
. "$(dirname "$0")/../lib/cli.sh"

need_program
[ "$(id -u)" -eq 0 ] || skip_all "needs root: devices, owners, capabilities"

PLAIN=$WORK/plain
FULL=$WORK/full
export SOURCE_DATE_EPOCH=2000000000
ARGS=(-q mkfs -f -b 160M -U 01234567-89ab-cdef-0123-456789abcdef)
CAP=0x0100000200200000000000000000000000000000

# --- sources ----------------------------------------------------------------------

# What every format of tar knows: whole seconds, no xattrs.
make_plain() {
	mkdir -p "$PLAIN"/dir/deep "$PLAIN"/empty-dir
	: >"$PLAIN/empty"
	echo small >"$PLAIN/small"
	fill "$PLAIN/large" 0 1000001 1
	fill "$PLAIN/sparse" 0 4096 3
	fill "$PLAIN/sparse" 2867200 8192 4
	truncate -s 4000000 "$PLAIN/sparse"
	truncate -s 1M "$PLAIN/hole"
	ln "$PLAIN/small" "$PLAIN/dir/link"
	ln "$PLAIN/small" "$PLAIN/another"
	ln -s ../nowhere "$PLAIN/dir/deep/symlink"
	mkfifo "$PLAIN/fifo"
	mknod "$PLAIN/char" c 5 300
	mknod "$PLAIN/block" b 200 7
	: >"$PLAIN/ünïcödé"
	chown 1000:2000 "$PLAIN/dir" "$PLAIN/large"
	chmod 4751 "$PLAIN/large"
	chmod 1777 "$PLAIN/empty-dir"
	find "$PLAIN" -exec touch -h -d '2001-02-03 04:05:06' {} +
}

make_full() {
	cp -a --sparse=always "$PLAIN" "$FULL"
	: >"$FULL/$(printf 'n%.0s' {1..255})"
	setfattr -n user.one -v "a value" "$FULL/small"
	setfattr -n user.nothing "$FULL/dir"
	setfattr -n security.capability -v "$CAP" "$FULL/large"
	setfacl -m u:1234:rwx,g:55:r-- "$FULL/dir" "$FULL/small"
	setfacl -d -m g:55:r-x "$FULL/dir"
	chown 3000000000:3000000001 "$FULL/empty"
	touch -d '1999-12-31 23:59:59.123456789' "$FULL/small"
	touch -d '1901-12-31 23:59:59' "$FULL/empty"
	touch -d '2001-02-03 04:05:06.7' "$FULL"
}

# --- comparing --------------------------------------------------------------------

image_of() {
	local image=$1
	shift

	rm -f "$image"
	bounded 60 "$BTRFS" "${ARGS[@]}" "$@" "$image" >"$OUT" 2>"$ERR"
}

# same_as IMAGE NAME OPTION...: made with these, it is the same.  Reads standard input.
same_as() {
	local want=$1 name=$2
	shift 2

	if ! image_of "$WORK/got.img" "$@"; then
		not_ok "$name"
		head -n 5 "$ERR" | diag
	elif cmp -s "$want" "$WORK/got.img"; then
		ok "$name"
	else
		not_ok "$name"
		diff <("$BTRFS" inspect-internal dump-tree "$want") \
			<("$BTRFS" inspect-internal dump-tree "$WORK/got.img") | head -n 20 | diag
	fi
}

# --- archives ---------------------------------------------------------------------

test_tar_formats() {
	local format

	for format in gnu oldgnu pax; do
		tar -C "$PLAIN" -S --format="$format" -cf "$WORK/a.tar" .
		same_as "$WORK/plain.img" "tar: $format" -r "$WORK/a.tar" </dev/null
	done
	for format in 0.0 0.1; do
		tar -C "$PLAIN" -S --format=pax --sparse-version="$format" -cf "$WORK/a.tar" .
		same_as "$WORK/plain.img" "tar: sparse $format" -r "$WORK/a.tar" </dev/null
	done
	tar -C "$FULL" -S --format=pax --acls --xattrs --xattrs-include='*' --numeric-owner \
		-cf "$WORK/full.tar" .
	same_as "$WORK/full.img" "tar: xattrs, ACLs, large ids, nanoseconds" -r "$WORK/full.tar"
	same_as "$WORK/full.img" "tar from a pipe" -r - < <(cat "$WORK/full.tar")
	(cd "$FULL" && tar -P -S --format=pax --acls --xattrs --xattrs-include='*' \
		--transform='s,^\.,/,S' -cf "$WORK/a.tar" .)
	same_as "$WORK/full.img" "tar: / in front of names" -r "$WORK/a.tar"
}

test_compressions() {
	local filter

	tar -C "$PLAIN" -S -cf "$WORK/plain.tar" .
	for filter in gzip bzip2 xz zstd; do
		command -v "$filter" >/dev/null || { skip "$filter" "not there"; continue; }
		same_as "$WORK/plain.img" "compressed: $filter" -r - \
			< <("$filter" -c <"$WORK/plain.tar")
	done
}

# Formats that know less, written here: what they cannot hold is not in the folder.
test_other_formats() {
	local want=$WORK/simple

	mkdir -p "$want/dir"
	echo one >"$want/file"
	fill "$want/dir/data" 0 70000 5
	chmod 640 "$want/file"
	find "$want" -exec touch -d '2010-10-10 10:10:10' {} +
	image_of "$WORK/simple.img" -r "$want"
	python3 "$WORK/archives.py" zip "$want" "$WORK/a.zip"
	same_as "$WORK/simple.img" "zip" -r "$WORK/a.zip"
	ln "$want/file" "$want/dir/link"
	touch -d '2010-10-10 10:10:10' "$want/dir"
	image_of "$WORK/simple.img" -r "$want"
	python3 "$WORK/archives.py" cpio "$want" "$WORK/a.cpio"
	same_as "$WORK/simple.img" "cpio, with a hard link" -r "$WORK/a.cpio"
}

test_order() {
	local want=$WORK/order

	# Directories that have no entry; a file, a link and a type that are replaced.
	mkdir -p "$want/no/entry"
	echo old >"$want/no/entry/file"
	echo x >"$want/thing"
	touch -d @1000000000 "$want/no/entry/file" "$want/thing" "$want"
	tar -C "$want" --no-recursion -cf "$WORK/a.tar" . no/entry/file thing
	echo newer >"$want/no/entry/file"
	rm "$want/thing"
	ln -s elsewhere "$want/thing"
	touch -h -d @1000000001 "$want/no/entry/file" "$want/thing" "$want"
	tar -C "$want" --no-recursion -rf "$WORK/a.tar" no/entry/file thing .
	touch -d "@$SOURCE_DATE_EPOCH" "$want/no" "$want/no/entry"
	image_of "$WORK/order.img" -r "$want"
	same_as "$WORK/order.img" "later entries replace earlier ones" -r "$WORK/a.tar"
}

# Access, change and birth are kept where an archive has them.
test_times() {
	local text

	python3 "$WORK/archives.py" times "$WORK/a.tar"
	env -u SOURCE_DATE_EPOCH "$BTRFS" -q mkfs -b 160M -r "$WORK/a.tar" "$WORK/times.img"
	text=$("$BTRFS" inspect-internal dump-tree -t 5 "$WORK/times.img" | grep -A 12 '(257 INODE_ITEM')
	is "times of an archive" \
		"atime 1100000001.250000000 ctime 1100000002.500000000 mtime 1100000003.125000000 otime 1100000004.0" \
		"$(grep -oE '[acmo]time [0-9.]+' <<<"$text" | tr '\n' ' ' | sed 's/ $//')"
	rm -f "$WORK/times.img"
}

# --- overrides --------------------------------------------------------------------

test_overrides() {
	local want=$WORK/changed

	cp -a --sparse=always "$PLAIN" "$want"
	chmod 2755 "$want/dir"
	chown 5:6 "$want/small"
	setfattr -n user.text -v 'a b' "$want/small"
	setfattr -n security.capability -v "$CAP" "$want/large"
	: >"$want/with blank"
	mknod "$want/dir/null" c 1 3
	rm "$want/empty"
	mknod -m 644 "$want/empty" b 8 1
	find "$want" -exec touch -h -d '2001-02-03 04:05:06' {} +
	chmod 666 "$want/dir/null"
	chown 0:6 "$want/dir/null"
	chmod 711 "$want/with blank"
	image_of "$WORK/changed.img" -r "$want"

	cp -a "$PLAIN" "$WORK/given"
	: >"$WORK/given/with blank"
	setfattr -n user.gone -v x "$WORK/given/dir"
	find "$WORK/given" -exec touch -h -d '2001-02-03 04:05:06' {} +
	cat >"$WORK/list" <<-END
		# a comment, and an empty line

		dir        mode=2755   xattr.user.gone=
		/small	uid=5 gid=6 xattr.user.text=a\\040b
		./large xattr.security.capability=$CAP
		dir/null   dev=c:1:3 mode=0666 gid=6
		  empty dev=b:8:1
		with\\040blank mode=711
	END
	same_as "$WORK/changed.img" "overrides" -r "$WORK/given" --overrides "$WORK/list"
	rm -r "$WORK/given" "$want"
}

# bad_list NAME REGEX LINE
bad_list() {
	printf '# first\n%s\n' "$3" >"$WORK/list"
	fails "overrides: $1" 1 "list:2: .*$2" mkfs -r "$PLAIN" --overrides "$WORK/list" "$OUTDIR/x.img"
}

test_bad_overrides() {
	bad_list "no such path" 'No such file.*nowhere' 'nowhere mode=1'
	bad_list "no such directory for a device" 'no directory' 'nowhere/x dev=c:1:3'
	bad_list "not in a directory" 'Not a directory' 'small/x mode=1'
	bad_list "a mode that is none" 'mode.*0888' 'small mode=0888'
	bad_list "a name for an id" 'id.*root' 'small uid=root'
	bad_list "a device that is none" 'device' 'small dev=c:1'
	bad_list "a directory as a device" 'directory' 'dir dev=c:1:3'
	bad_list "odd hexadecimal digits" 'hexadecimal' 'small xattr.user.x=0x123'
	bad_list "an unknown namespace" 'xattr: other.x' 'small xattr.other.x=1'
	bad_list "an unknown setting" 'unknown setting: colour' 'small colour=blue'
	bad_list "a broken escape" 'backslash' 'sm\all mode=1'
	bad_list "nothing to set" 'nothing' 'small'
	fails "overrides: no such file" 1 'no-list: No such file' \
		mkfs -r "$PLAIN" --overrides "$WORK/no-list" "$OUTDIR/x.img"
}

# --- what is refused --------------------------------------------------------------

bad_archive() { fails "archive: $1" 1 "$2" mkfs -r "$3" "$OUTDIR/x.img"; }

test_bad_archives() {
	python3 "$WORK/archives.py" bad "$WORK"
	bad_archive "a path that leads upwards" '/evil.*\.\.' "$WORK/up.tar"
	bad_archive "a hard link that leads upwards" '\.\.' "$WORK/link-up.tar"
	bad_archive "a name of 256 bytes" 'too long' "$WORK/long.tar"
	bad_archive "a hard link of nothing" 'link.*hard link' "$WORK/no-target.tar"
	bad_archive "a file as a directory" 'Not a directory' "$WORK/in-file.tar"
	bad_archive "a file over a directory" 'not empty' "$WORK/over-dir.tar"
	head -c 700000 "$WORK/plain.tar" >"$WORK/cut.tar"
	bad_archive "cut off" 'cut.tar: .*truncated' "$WORK/cut.tar"
	xz -0 -c <"$WORK/plain.tar" | head -c 500000 >"$WORK/cut.tar.xz"
	bad_archive "cut off, compressed" 'cut.tar.xz: .' "$WORK/cut.tar.xz"
	cp "$WORK/plain.tar" "$WORK/flipped.tar"
	printf x | dd of="$WORK/flipped.tar" bs=1 seek=$((512 + 120)) conv=notrunc status=none
	bad_archive "a header that is damaged" 'flipped.tar' "$WORK/flipped.tar"
	fill "$WORK/noise" 0 100000 9
	bad_archive "no archive" 'Unrecognized' "$WORK/noise"
	: >"$WORK/nothing"
	bad_archive "an empty file" 'Unrecognized' "$WORK/nothing"
	bad_archive "not there" 'No such file' "$WORK/not-there"
	TMPDIR=$WORK/nowhere fails "archive: nowhere to put its data" 1 'temporary file in .*nowhere' \
		mkfs -r "$WORK/plain.tar" "$OUTDIR/x.img"
}

# --- folders ----------------------------------------------------------------------

# changing NAME REGEX COMMAND...: it runs when the tree has been read, but no data.
# The overrides are read just then, from a fifo that has nothing before.
changing() {
	local name=$1 regex=$2
	shift 2

	rm -rf "$WORK/race" "$WORK/gate"
	mkdir "$WORK/race"
	fill "$WORK/race/file" 0 300000 1
	touch -d '2001-02-03 04:05:06.25' "$WORK/race/file"
	mkfifo "$WORK/gate"
	(exec 3>"$WORK/gate"; cd "$WORK/race" && "$@") &
	fails "$name" 1 "$regex" mkfs -r "$WORK/race" --overrides "$WORK/gate" "$OUTDIR/x.img"
	wait $!
}

replace() { cp -p file other && mv other file; }

test_changing() {
	changing "a file that vanishes" 'file: No such file' rm file
	changing "a file that grows" 'file: it has changed' truncate -s 400000 file
	changing "a file that is written, in the same second" 'file: it has changed' \
		touch -d '2001-02-03 04:05:06.75' file
	changing "a file that is replaced" 'file: it has changed' replace
	changing "a file that becomes a symlink" 'file: ' ln -sf /etc/passwd file
}

# A program that anybody may run, for users who may not read everything.
as_nobody() {
	cp "$BTRFS" "$WORK/btrfs"
	chmod 711 "$WORK"
	printf '#!/bin/sh\nexec setpriv --reuid=65534 --regid=65534 --clear-groups %s "$@"\n' \
		"$WORK/btrfs" >"$WORK/as-nobody"
	chmod 755 "$WORK/as-nobody" "$WORK/btrfs"
	chmod 777 "$OUTDIR"
}

test_unreadable() {
	local root_btrfs=$BTRFS

	mkdir -p "$WORK/closed/dir"
	echo secret >"$WORK/closed/dir/file"
	chmod 600 "$WORK/closed/dir/file"
	BTRFS=$WORK/as-nobody
	fails "a file that may not be read" 1 'dir/file: Permission denied' \
		mkfs -r "$WORK/closed" "$OUTDIR/x.img"
	chmod 700 "$WORK/closed/dir"
	fails "a folder that may not be read" 1 'dir: Permission denied' \
		mkfs -r "$WORK/closed" "$OUTDIR/x.img"
	BTRFS=$root_btrfs
}

test_odd_folders() {
	local tree

	python3 "$WORK/archives.py" deep "$WORK/deep"
	image_of "$WORK/got.img" -r "$WORK/deep"
	is "paths longer than PATH_MAX" "0 at the end" \
		"$? $("$BTRFS" inspect-internal dump-tree -t 5 "$WORK/got.img" |
		      grep -ao 'at the end' | head -n 1)"

	mkdir "$WORK/huge"
	truncate -s 8T "$WORK/huge/file"
	fill "$WORK/huge/file" 4398046511104 5000 1
	image_of "$WORK/got.img" -r "$WORK/huge"
	is "a file with terabytes of holes" 0 "$?"
	tree=$("$BTRFS" inspect-internal dump-tree -t 5 "$WORK/got.img")
	is "it has one extent" "key (257 EXTENT_DATA 4398046511104)" \
		"$(grep -o 'key (257 EXTENT_DATA [0-9]*)' <<<"$tree")"
}

test_itself() {
	local source=$WORK/itself

	mkdir "$source"
	echo x >"$source/file"
	touch -d @1 "$source/file" "$source"
	image_of "$WORK/want.img" -r "$source"
	truncate -s 160M "$source/x.img"
	touch -d @1 "$source"
	bounded 60 "$BTRFS" "${ARGS[@]}" -r "$source" "$source/x.img" >"$OUT" 2>"$ERR"
	is "the target in the source is left out" 0 "$?"
	is "and that is told" 1 "$(grep -c '^WARNING: .*x.img' "$ERR")"
	if cmp -s "$WORK/want.img" "$source/x.img"; then
		ok "it does not hold itself"
	else
		not_ok "it does not hold itself"
	fi
	IMAGE=$WORK/plain.tar
	fails "an archive is not its own target" 1 'source and a target' mkfs -f -r "$IMAGE" "$IMAGE"
	IMAGE=
}

# --- fakeroot ---------------------------------------------------------------------

test_fakeroot() {
	command -v fakeroot >/dev/null || { skip "fakeroot" "not there"; return; }
	if grep -qE '__(asan|tsan)_init' "$BTRFS"; then
		skip "fakeroot" "sanitizers do not go with it"
		return
	fi
	# It has no ACLs.
	mkdir -m 777 "$WORK/faked"
	cp -a --sparse=always "$FULL" "$WORK/no-acls"
	setfacl -b "$WORK/no-acls/dir" "$WORK/no-acls/small"
	image_of "$WORK/want.img" -r "$WORK/no-acls"
	tar -C "$WORK/no-acls" -S --format=pax --xattrs --xattrs-include='*' --numeric-owner \
		-cf "$WORK/no-acls.tar" .
	rm -r "$WORK/no-acls"
	chmod 644 "$WORK/no-acls.tar"
	cat >"$WORK/script" <<-END
		mkdir $WORK/faked/tree &&
		tar -C $WORK/faked/tree --warning=no-timestamp --xattrs --xattrs-include='*' -xpf $WORK/no-acls.tar &&
		exec $WORK/btrfs ${ARGS[*]} -r $WORK/faked/tree $WORK/faked/x.img
	END
	if bounded 60 setpriv --reuid=65534 --regid=65534 --clear-groups \
		fakeroot sh "$WORK/script" >"$OUT" 2>"$ERR" &&
		cmp -s "$WORK/want.img" "$WORK/faked/x.img"; then
		ok "fakeroot: owners, modes, devices, xattrs are those that it shows"
	else
		not_ok "fakeroot: owners, modes, devices, xattrs are those that it shows"
		head -n 5 "$ERR" | diag
		diff <("$BTRFS" inspect-internal dump-tree "$WORK/want.img") \
			<("$BTRFS" inspect-internal dump-tree "$WORK/faked/x.img") | head -n 20 | diag
	fi
}

# --- archives that tar does not write ---------------------------------------------

cat >"$WORK/archives.py" <<'END'
import io, os, sys, tarfile, zipfile

def names(top):
    yield '.'
    for folder, dirs, files in os.walk(top):
        for name in sorted(dirs + files):
            yield os.path.relpath(os.path.join(folder, name), top)

def make_zip(top, out):
    with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name in names(top):
            st = os.lstat(os.path.join(top, name))
            is_dir = os.path.isdir(os.path.join(top, name))
            info = zipfile.ZipInfo(name + '/' if is_dir else name, (2010, 10, 10, 10, 10, 10))
            info.external_attr = st.st_mode << 16
            data = b'' if is_dir else open(os.path.join(top, name), 'rb').read()
            archive.writestr(info, data)

# The data of hard links comes with the last of them.
def make_cpio(top, out):
    seen = {}
    with open(out, 'wb') as archive:
        def put(name, fields, data):
            archive.write(b'070701' + b''.join(b'%08x' % f for f in fields))
            archive.write(name + b'\0' + b'\0' * (-(110 + len(name) + 1) % 4))
            archive.write(data + b'\0' * (-len(data) % 4))
        for name in names(top):
            path = os.path.join(top, name)
            st = os.lstat(path)
            data = b'' if os.path.isdir(path) else open(path, 'rb').read()
            links = 2 if os.path.isdir(path) else st.st_nlink
            seen[st.st_ino] = seen.get(st.st_ino, 0) + 1
            if not os.path.isdir(path) and seen[st.st_ino] < links:
                data = b''
            put(name.encode(), [st.st_ino & 0xffffffff, st.st_mode, st.st_uid, st.st_gid, links,
                int(st.st_mtime), len(data), 0, 0, 0, 0, len(name) + 1, 0], data)
        put(b'TRAILER!!!', [0] * 4 + [1] + [0] * 6 + [11, 0], b'')

def add(archive, name, kind=tarfile.REGTYPE, data=b'', link='', headers={}):
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname, info.pax_headers = kind, len(data), link, dict(headers)
    archive.addfile(info, io.BytesIO(data))

def make_times(out):
    with tarfile.open(out, 'w', format=tarfile.PAX_FORMAT) as archive:
        add(archive, 'file', headers={'atime': '1100000001.25', 'ctime': '1100000002.5',
            'mtime': '1100000003.125', 'LIBARCHIVE.creationtime': '1100000004'})

def make_bad(folder):
    def archive(name):
        return tarfile.open(os.path.join(folder, name), 'w', format=tarfile.PAX_FORMAT)
    with archive('up.tar') as a:
        add(a, 'dir/../../evil')
    with archive('link-up.tar') as a:
        add(a, 'file')
        add(a, 'link', tarfile.LNKTYPE, link='../file')
    with archive('long.tar') as a:
        add(a, 'n' * 256)
    with archive('no-target.tar') as a:
        add(a, 'link', tarfile.LNKTYPE, link='nothing')
    with archive('in-file.tar') as a:
        add(a, 'file')
        add(a, 'file/below')
    with archive('over-dir.tar') as a:
        add(a, 'dir/below')
        add(a, 'dir')

def make_deep(top):
    os.mkdir(top)
    os.chdir(top)
    for i in range(30):
        os.mkdir('d' * 200)
        os.chdir('d' * 200)
    open('at the end', 'w').write('x')
    os.setxattr('at the end', 'user.x', b'y')

globals()['make_' + sys.argv[1]](*sys.argv[2:])
END

make_plain
make_full
image_of "$WORK/plain.img" -r "$PLAIN"
image_of "$WORK/full.img" -r "$FULL"
test_tar_formats
test_compressions
test_other_formats
test_order
test_times
test_overrides
test_bad_overrides
test_bad_archives
test_changing
as_nobody
test_unreadable
test_odd_folders
test_itself
test_fakeroot
done_testing
