#!/bin/bash
# Full send, what belongs to an inode beside its data: xattrs, ACLs,
# capabilities, modes, owners, times.

# shellcheck source=../lib/send.sh
. "$(dirname "$0")/../lib/send.sh"

scenario "xattrs of every namespace, empty and binary values"
populate() {
	echo x >f
	mkdir d
	setfattr -n user.plain -v value f
	setfattr -n user.empty f
	setfattr -n user.binary -v 0x00ff00fe0a f
	setfattr -n trusted.own -v "for root" f
	setfattr -n security.mine -v label f
	setfattr -n user.dir -v value d
	setfattr -n trusted.dir -v value d
	setfattr -n user.top -v value .
}

scenario "xattrs on symlinks and special files"
populate() {
	ln -s x l
	mkfifo p
	mknod c c 1 3
	setfattr -h -n trusted.t -v on-link l
	setfattr -h -n security.s -v on-link l
	setfattr -n trusted.t -v on-fifo p
	setfattr -n security.s -v on-device c
}

scenario "large xattrs"
populate() {
	local value

	value=$(printf 'v%.0s' {1..3900})
	echo x >f
	setfattr -n user.large -v "$value" f
	setfattr -n user.larger -v "$value$value$value" f
	setfattr -n "user.$(printf 'n%.0s' {1..250})" -v 1 f
}

scenario "200 xattrs on one inode, in small nodes" mkfs="-n 4096"
populate() {
	local i

	echo x >f
	mkdir d
	for i in {1..200}; do
		setfattr -n "user.attribute$i" -v "value $i" f
		[ "$i" -gt 50 ] || setfattr -n "user.attribute$i" -v "value $i" d
	done
}

scenario "xattrs replaced and removed"
populate() {
	echo x >f
	setfattr -n user.a -v old f
	setfattr -n user.b -v old f
	sync -f .
	setfattr -n user.a -v "new and longer" f
	setfattr -x user.b f
}

scenario "access and default ACLs"
populate() {
	echo x >f
	mkdir d
	setfacl -m u:1000:rw,g:2000:r,m::rwx f
	setfacl -m u:4000000000:r d
	setfacl -d -m u:1000:rwx,g::r-x,o::- d
	echo y >d/inherited
	mkdir d/sub
	chmod 600 f
}

scenario "capabilities outlive the change of owner that the stream asks for"
populate() {
	fill a 0 5000 1
	fill b 0 5000 2
	fill empty 0 0 3
	chown 1000:1000 a empty
	setcap cap_net_raw,cap_net_admin+ep a
	setcap cap_sys_admin+ei b
	setcap cap_setuid+ep empty
	ln a c
}

scenario "setuid, setgid, sticky and no permission at all"
populate() {
	local mode

	for mode in 0000 0001 4755 2755 6755 1777 7777 0444; do
		fill "f$mode" 0 100 1
		mkdir "d$mode"
		chmod "$mode" "f$mode" "d$mode"
	done
	mkfifo p
	chmod 4600 p
	chmod 1700 .
}

scenario "large and unlike owners and groups"
populate() {
	echo a >a
	echo b >b
	mkdir d
	ln -s x l
	chown 0:4294967294 a
	chown 4294967294:0 b
	chown 2147483648:65536 d
	chown -h 70000:1 l
	chown 33:33 .
}

scenario "setuid with an owner that is not root"
populate() {
	echo a >a
	chown 1000:1000 a
	chmod 6755 a
	setfattr -n user.x -v y a
}

scenario "times: before 1970, far ahead, with nanoseconds"
populate() {
	echo a >old
	echo b >new
	echo c >ns
	mkdir d
	ln -s x l
	touch -d '1901-01-01 00:00:00' old
	touch -d '1969-12-31 23:59:59.999999999' d
	touch -d '2500-01-01 00:00:00' new
	touch -m -d '2000-01-01 00:00:00.123456789' ns
	touch -a -d '2001-01-01 00:00:00.000000001' ns
	touch -h -d '1980-05-05 05:05:05.55' l
	touch -d '1970-01-01' .
}

scenario "flags of inodes leave no trace in the stream"
populate() {
	echo a >append
	echo b >nodump
	mkdir d
	chattr +a append
	chattr +d +A nodump
	chattr +S d
	echo c >immutable
	chattr +i immutable
	snap snap
	chattr -i immutable
	chattr -a append
}

scenario "directories with all of it, made out of order"
populate() {
	mkdir a
	setfacl -d -m u:5:r a
	setfattr -n user.x -v y a
	chown 5:6 a
	chmod 3750 a
	mkdir b
	mv a b/a
	touch -d '1999-09-09' b/a
}

done_testing
