#!/bin/bash
# Incremental send, what belongs to an inode beside names and data: xattrs, ACLs,
# capabilities, modes, owners, times, flags; also of the top directory.

# shellcheck source=../lib/send.sh
. "$(dirname "$0")/../lib/send.sh"

scenario "xattrs added, replaced, removed"
populate() {
	echo x >f
	mkdir d
	ln -s x l
	setfattr -n user.keep -v same f
	setfattr -n user.change -v old f
	setfattr -n user.remove -v gone f
	setfattr -n user.d -v old d
	setfattr -h -n trusted.l -v old l
}
mutate() {
	setfattr -n user.add -v new f
	setfattr -n user.change -v "new and longer" f
	setfattr -x user.remove f
	setfattr -n user.empty f
	setfattr -x user.d d
	setfattr -n trusted.d -v new d
	setfattr -h -n trusted.l -v new l
}

scenario "an xattr is removed and set again to the same value"
populate() { echo x >f; setfattr -n user.a -v 1 f; setfattr -n user.b -v 2 f; }
mutate() {
	setfattr -x user.a f
	sync -f .
	setfattr -n user.a -v 1 f
	setfattr -n user.b -v 1 f
	setfattr -n user.b -v 2 f
}

scenario "an xattr becomes empty, and an empty one gets a value"
populate() { echo x >f; setfattr -n user.a -v value f; setfattr -n user.b f; }
mutate() { setfattr -n user.a -v "" f; setfattr -n user.b -v value f; }

scenario "large xattrs change by one byte"
populate() {
	local value

	value=$(printf 'v%.0s' {1..3900})
	echo x >f
	setfattr -n user.a -v "${value}a" f
	setfattr -n user.b -v "$value" f
}
mutate() {
	local value

	value=$(printf 'v%.0s' {1..3900})
	setfattr -n user.a -v "${value}b" f
	setfattr -n user.b -v "${value:1}" f
}

scenario "200 xattrs, every third changed, every fifth removed" mkfs="-n 4096"
populate() { local i; echo x >f; for i in {1..200}; do setfattr -n user.a"$i" -v "$i" f; done; }
mutate() {
	local i

	for i in {1..200..3}; do setfattr -n user.a"$i" -v "new $i" f; done
	for i in {1..200..5}; do setfattr -x user.a"$i" f; done
}

scenario "xattrs of a moved, linked and rewritten file"
populate() { mkdir d; echo x >f; ln f g; setfattr -n user.a -v 1 f; }
mutate() { mv f d/f; rm g; fill d/f 0 10000 1; setfattr -n user.a -v 2 d/f; ln d/f h; }

scenario "ACLs are added, changed and removed"
populate() {
	touch add change remove
	mkdir d e
	setfacl -m u:1000:rw change
	setfacl -m u:1000:rw,g:5:r remove
	setfacl -d -m u:1000:rwx d
	setfacl -d -m u:1:r e
}
mutate() {
	setfacl -m u:4000000000:r add
	setfacl -m u:1000:r,u:7:rwx change
	setfacl -b remove
	setfacl -d -m u:1000:r,g:9:x d
	setfacl -k e
	setfacl -m m::r change
	touch d/inherits
}

scenario "capabilities added, changed, removed"
populate() {
	touch add change remove
	setcap cap_net_raw+ep change
	setcap cap_net_raw+ep remove
}
mutate() {
	setcap cap_sys_admin+ep add
	setcap cap_net_raw,cap_chown+ei change
	setcap -r remove
}

scenario "capabilities are lost with a change of owner"
populate() {
	fill a 0 5000 1
	touch b c d
	setcap cap_net_raw+ep a
	setcap cap_net_raw+ep b
	setcap cap_net_raw+ep c
	setcap cap_net_raw+ep d
}
mutate() {
	chown 1000 a
	chown 1000 b
	setcap cap_net_raw+ep b
	chown :1000 c
	setcap cap_chown+ep c
	fill d 0 100 2
}

scenario "a change of owner keeps a capability that the parent had"
populate() { local name; for name in a b c; do touch $name; setcap cap_setuid+ep $name; done; }
mutate() {
	local name

	for name in a b c; do chown 5:5 $name; setcap cap_setuid+ep $name; done
	mv b d
	fill c 0 10000 1
	setcap cap_setuid+ep c
}

scenario "only the owner, only the group, only the mode, only the times"
populate() { local name; for name in owner group mode times; do echo x >$name; mkdir d.$name; done; }
mutate() {
	chown 1000 owner d.owner
	chown :1000 group d.group
	chmod 600 mode d.mode
	touch -d '1990-01-01 00:00:00.5' times d.times
}

scenario "only the time of access, only that of change"
populate() { echo x >a; echo y >b; mkdir d; }
mutate() { touch -a -d '2000-01-01' a; chmod 600 b; chmod 644 b; touch -a -d '1999-01-01' d; }

scenario "setuid and setgid bits come, go, and survive a change of owner"
populate() { touch a b c d e; chmod 4755 a b e; chmod 2755 c; chmod 6755 d; }
mutate() {
	chmod 755 a
	chown 1000:1000 b
	chmod 4755 b
	chown :1000 c
	chmod 2755 c
	chown 7 d
	fill e 0 100 1
	chmod 4755 e
}

scenario "owners and modes of everything in a tree"
populate() { mkdir -p a/b; echo x >a/f; ln -s x a/l; mkfifo a/b/p; mknod a/b/c c 1 3; }
mutate() { chown -hR 33:33 a; chmod -R go-rwx a; }

scenario "owner and mode of a symlink's target and of the symlink"
populate() { echo x >f; ln -s f l; ln -s f m; }
mutate() { chown -h 1000 l; chown 1000 m; touch -h -d '1980-01-01' m; }

scenario "times before 1970 and far ahead, of files with no other change"
populate() { touch a b c; mkdir d; }
mutate() {
	touch -d '1901-01-01' a
	touch -d '2500-01-01' b
	touch -d '1969-12-31 23:59:59.999999999' c
	touch -d '1950-01-01' d
}

scenario "a directory gets times of its own after its entries changed"
populate() { mkdir -p d/e; echo x >d/f; echo y >d/e/g; }
mutate() { mv d/f d/e/f; rm d/e/g; touch -d '1999-09-09' d d/e; }

scenario "the top directory: xattrs, ACL, mode, owner and times"
populate() { echo x >f; setfattr -n user.a -v 1 .; setfattr -n user.b -v 1 .; }
mutate() {
	setfattr -n user.a -v 2 .
	setfattr -x user.b .
	setfacl -m u:1000:rwx .
	chmod 1770 .
	chown 1000:33 .
	touch -d '1999-01-01' .
}

scenario "the top directory: nothing but its mode"
populate() { echo x >f; }
mutate() { chmod 700 .; }

scenario "the top directory: nothing but an xattr"
populate() { echo x >f; }
mutate() { setfattr -n user.a -v 1 .; }

scenario "an inode made anew has the attributes of the old one"
populate() { echo x >f; chown 5:5 f; chmod 4711 f; setfattr -n user.a -v 1 f; mkdir d; chmod 700 d; }
mutate() {
	rm f
	rmdir d
	echo x >f
	chown 5:5 f
	chmod 4711 f
	setfattr -n user.a -v 1 f
	mkdir d
	chmod 700 d
}

scenario "the compression property comes, changes and goes"
populate() {
	mkdir d e
	touch a b
	peer property set d compression zlib
	peer property set e compression zstd
	peer property set a compression lzo
}
mutate() {
	peer property set d compression zstd
	peer property set e compression ""
	peer property set a compression ""
	peer property set b compression zlib
	touch d/inherits
}

for proto in 1 2; do
	# Snapshots in populate: what is immutable must not be so at the end.
	scenario "protocol $proto: flags of inodes come and go" \
		proto=$proto send="two three" parent=one flags=-e
	populate() {
		local name

		for name in nocow nocompress compress noatime append immutable nodump had; do
			touch $name
		done
		mkdir d
		chattr +dA had
		ln -s x l
		snap one
		chattr +C nocow
		chattr +m nocompress
		chattr +c compress
		chattr +A noatime
		chattr +d nodump
		chattr +S +D d
		chattr -d -A had
		chattr +A .
		echo y >append
		chattr +a append
		chattr +i immutable
		snap two
		chattr -a append
		chattr -i immutable
		chattr -c compress
		chattr -m nocompress
		chattr +a +d had
		chattr -A .
		snap three
		chattr -a had
	}
done

scenario "protocol 2: flags of new and of remade inodes" proto=2
populate() { touch a b; chattr +A a; mkdir d; chattr +d d; }
mutate() { rm a; touch a n; chattr +A a; chattr +d n; mv d e; chattr +A e; mkdir m; chattr +S m; }

scenario "protocol 2: flags change with names, data and modes" proto=2
populate() { fill a 0 100K 1; mkdir d; fill d/b 0 100 2; }
mutate() {
	chattr +A a
	mv a d/a
	fill d/a 0 10 3
	chattr +d d
	mv d e
	chmod 700 e
	chown 5 e/b
	chattr +A e/b
}

done_testing
