#!/bin/bash
# "receive --dump" against the existing tool: streams that the kernel sends, and
# streams made by hand with every command and every kind of damage.  Standard
# output and exit status are the same; a failure says so in one ERROR line.

# shellcheck source=../lib/harness.sh
. "$(dirname "$0")/../lib/harness.sh"
# shellcheck source=../lib/kernel.sh
. "$TESTS_LIB/kernel.sh"
# shellcheck source=../lib/zoo.sh
. "$TESTS_LIB/zoo.sh"

need_program

HAVE_PEER=y
command -v "$PEER" >/dev/null || HAVE_PEER=

# Exit status 0 and nothing on stderr, or 1 and one ERROR line.
well_behaved() {
	local status=$1

	misbehaved "$status" "$ERR" && return 1
	case $status in
	0) ! grep -q '^ERROR' "$ERR" ;;
	1) [ "$(grep -c '^ERROR: ' "$ERR")" -eq 1 ] && [ "$(grep -vc '^WARNING: ' "$ERR")" -eq 1 ] ;;
	*) false ;;
	esac || { echo "exit status $status with:"; head -n 5 "$ERR"; return 1; }
}

# same_dump NAME FILE: ours is the peer's.
same_dump() {
	local ours theirs

	[[ $1 =~ ${BTRFS_TEST_ONLY:-} ]] || return 0
	run_ours receive --dump -f "$2"
	ours=$?
	if ! well_behaved "$ours" >"$WORK/log"; then
		not_ok "$1"
		diag <"$WORK/log"
		return
	fi
	[ -n "$HAVE_PEER" ] || { skip "$1" "nothing to compare with"; return; }
	bounded 60 "$PEER" receive --dump -f "$2" >"$WORK/theirs" 2>"$WORK/log" </dev/null
	theirs=$?
	if [ "$ours" -eq "$theirs" ] && cmp -s "$WORK/theirs" "$OUT"; then
		ok "$1"
		return
	fi
	not_ok "$1"
	diag "exit status $ours, theirs $theirs"
	{ diff -a "$WORK/theirs" "$OUT" | head -n 10; cat "$ERR" "$WORK/log"; } | diag
}

# --- streams of the kernel ------------------------------------------------------

kernel_streams() {
	make_images 1 512M || return 1
	mount_images compress=zstd || return 1
	peer subvolume create "$MNT/sub" || return 1
	( set -e; cd "$MNT/sub"; zoo; text packed 0 600000 7 ) || return 1
	peer subvolume snapshot -r "$MNT/sub" "$MNT/one" || return 1
	(
		set -e
		cd "$MNT/sub"
		rm files/noise
		mv files/text files/moved
		rmdir empty
		setfattr -x user.note files/inline
		truncate -s 100 extents/hole
		text packed 100000 200000 8
		mkdir "a new one"
		cp --reflink=always packed "a new one/clone"
	) || return 1
	peer subvolume snapshot -r "$MNT/sub" "$MNT/two" || return 1
	cd "$MNT" || return 1
	peer send -f "$WORK/full.1" one &&
		peer send -p one -f "$WORK/incremental.1" two &&
		peer send --no-data -f "$WORK/no-data.1" one &&
		peer send --proto 2 --compressed-data -f "$WORK/full.2" one &&
		peer send --proto 2 --compressed-data -p one -f "$WORK/incremental.2" two &&
		peer send -e -f "$WORK/several.1" one two
}

lack=$(kernel_lacks)
if [ -n "$lack" ]; then
	[ "${BTRFS_TEST_REQUIRE_KERNEL:-0}" = 1 ] && not_ok "this machine can make streams: $lack"
	skip "streams of the kernel" "$lack"
elif kernel_streams >"$WORK/log" 2>&1; then
	cd /
	unmount_images
	for stream in "$WORK"/*.[12]; do
		same_dump "a stream of the kernel: ${stream##*/}" "$stream"
	done
	TZ=America/St_Johns same_dump "times in another zone" "$WORK/full.1"
	run_ours receive --dump -f "$WORK/full.2"
	bounded 60 "$BTRFS" receive --dump <"$WORK/full.2" >"$WORK/stdin" 2>"$ERR"
	is "from standard input: exit status" 0 $?
	is "from standard input: the same" "$(md5sum <"$OUT")" "$(md5sum <"$WORK/stdin")"
	# A writer that gives it away in small pieces.
	dd if="$WORK/full.2" bs=777 2>/dev/null |
		bounded 60 "$BTRFS" receive --dump >"$WORK/stdin" 2>"$ERR"
	is "from a slow pipe: the same" "$(md5sum <"$OUT")" "$(md5sum <"$WORK/stdin")"
else
	cd /
	not_ok "the kernel sends streams"
	diag <"$WORK/log"
fi

# --- streams made by hand ---------------------------------------------------------

# made NAME < DESCRIPTION (see make-stream.pl)
made() {
	perl "$TESTS_LIB/make-stream.pl" >"$WORK/made" || { not_ok "$1 (not made)"; return; }
	same_dump "$1" "$WORK/made"
}

made "every command of version 1" <<'END'
h 1
s
c 3 15s:f 3q:257
c 4 15s:d 3q:258
c 5 15s:n 3q:259 5q:8612 8q:259
c 6 15s:p 3q:260
c 7 15s:k 3q:261
c 8 15s:l 3q:262 17s:to\_where
c 9 15s:a\_b 16s:c\_d
c 10 15s:l 17s:f
c 11 15s:u
c 12 15s:r
c 13 15s:f 13s:user.x 14s:value
c 14 15s:f 13s:user.x
c 15 15s:f 18q:5 19s:data
c 16 15s:f 18q:5 24q:6 20x:55555555555555555555555555555555 21q:7 22s:g\_h 23q:8
c 17 15s:f 4q:3
c 18 15s:f 5q:420
c 19 15s:f 6q:1000 7q:1001
c 20 15s:f 11t:1,5 10t:2,6 9t:3,7
c 22 15s:f 18q:1 4q:2
e
END
made "every command of version 2" <<'END'
h 2
s
c 15 15s:f 18q:5 19r:data
c 23 15s:f 25d:3 18q:4096 4q:8192
c 24 15s:f 26q:4660
c 25 15s:f 18q:5 27q:6 28q:7 29q:8 30d:3 31d:1 19r:abc
c 25 15s:f 18q:5 27q:6 28q:7 29q:8 19r:abc
c 20 15s:f 11t:1 10t:2 9t:3 12t:4
c 26 15s:f 32b:1 33d:4096 34s:ab 35s:cde
e
END
made "a snapshot" <<'END'
h 1
c 2 15s:sn\_ap 1x:12121212121212121212121212121212 2q:9 20x:34343434343434343434343434343434 21q:4
c 4 15s:d 3q:257
e
END
made "the largest numbers" <<'END'
h 2
c 1 15s:s 1x:00000000000000000000000000000000 2q:18446744073709551615
c 5 15s:d 3q:1 5q:18446744073709551615 8q:18446744073709551615
c 18 15s:d 5q:9223372036854775815
c 19 15s:d 6q:18446744073709551615 7q:4294967296
c 17 15s:d 4q:18446744073709551615
c 23 15s:f 25d:4294967295 18q:4096 4q:18446744073709551615
c 24 15s:f 26q:18446744073709551615
c 25 15s:f 18q:5 27q:6 28q:7 29q:8 30d:4294967295 31d:4294967295 19r:
e
END

every_byte=$(printf '\\x%02x' {1..255})
made "every byte in names, where they are escaped and where not" <<END
h 1
s
c 4 15s:$every_byte 3q:257
c 9 15s:$every_byte 16s:$every_byte
c 8 15s:l 3q:1 17s:$every_byte
c 13 15s:x 13s:$every_byte 14s:$every_byte
c 14 15s:x 13s:$every_byte
c 16 15s:f 18q:5 24q:6 20x:55555555555555555555555555555555 21q:7 22s:$every_byte 23q:8
e
END
made "NUL in names and values" <<'END'
h 1
s
c 4 15s:a\x00b 3q:257
c 13 15s:x 13s:us\x00er 14s:ab\x00cd
c 13 15s:x 13s: 14s:
e
END
made "slashes at both ends" <<'END'
h 1
c 1 15s:/a// 1x:12121212121212121212121212121212 2q:9
c 4 15s:x// 3q:257
c 4 15s:// 3q:257
c 4 15s:/ 3q:257
c 4 15s:../x 3q:257
c 9 15s:/ 16s:a/b//
c 8 15s:l 3q:1 17s:/a//
c 10 15s:l 17s:/a//
e
END
made "empty paths" <<'END'
h 1
c 1 15s: 1x:12121212121212121212121212121212 2q:9
c 4 15s: 3q:257
c 9 15s: 16s:
c 10 15s:l 17s:
e
END
made "no subvolume before the first path" <<'END'
h 1
c 4 15s:d 3q:257
e
END
made "two subvolumes in one stream" <<'END'
h 1
s
c 4 15s:d 3q:257
c 1 15s:t 1x:12121212121212121212121212121212 2q:9
c 4 15s:d 3q:257
e
END
for len in 26 27 28 29 30 31 40 4089 4090 4091 5000; do
	made "a path of $len bytes" <<-END
	h 1
	s
	c 4 15n:$len 3q:257
	c 17 15n:$len 4q:1
	e
	END
done
made "a long symbolic link" <<'END'
h 1
s
c 8 15s:l 3q:1 17n:4096
e
END
made "times before 1970 and after 9999" <<'END'
h 1
s
c 20 15s:d 11t:-1 10t:1099511627776,999999999 9t:2147483648
c 20 15s:d 11t:253402300800 10t:-62135596801 9t:-62167219201
e
END
made "a time that no calendar has" <<'END'
h 1
s
c 20 15s:d 11t:1 10t:2 9t:4611686018427387904
e
END
made "a command that nobody knows" <<'END'
h 1
s
c 27 15s:d
c 0 15s:d
c 65535
c 4 15s:d 3q:257
e
END
made "an attribute twice: the last one counts" <<'END'
h 1
s
c 4 15s:d 15s:e 3q:257
e
END
made "attributes of version 2 in version 1" <<'END'
h 1
s
c 4 15s:d 3q:257 30d:1
c 25 15s:f 18q:5 27q:6 28q:7 29q:8 19s:abc
e
END
made "an end with attributes" <<'END'
h 1
s
c 21 15s:d
END
made "what follows the end is not looked at" <<'END'
h 1
s
e
b 0102030405
h 1
s
e
END
made "a write of 65000 bytes in version 1" <<'END'
h 1
s
c 15 15s:f 18q:5 19n:65000
e
END

# Damage: what comes before it is shown.
made "no end" <<'END'
h 1
s
END
made "a header and nothing else" <<'END'
h 1
END
made "an empty file" </dev/null
made "half a header" <<'END'
b 62747266732d7374
END
made "another magic" <<'END'
b 62747266732d73747265614d0001000000
s
e
END
made "version 3" <<'END'
h 3
s
e
END
made "version 4294967295" <<'END'
h 4294967295
s
e
END
made "a wrong checksum" <<'END'
h 1
s
x 4 15s:d 3q:257
e
END
made "half a command header" <<'END'
h 1
s
b 616263
END
made "a command of nearly 4 GiB" <<'END'
h 1
s
l 4294967280 4
b 00000000000000000000000000
END
made "a second header instead of an end" <<'END'
h 1
s
h 1
s
e
END
made "an attribute of type 0" <<'END'
h 1
s
c 4 0s:xx 15s:d 3q:257
e
END
made "an attribute of an unknown type" <<'END'
h 1
s
c 4 15s:d 3q:257 36s:xx
e
END
made "an attribute that reaches past its command" <<'END'
h 1
s
c 4 3q:257 15o:d
e
END
made "data in the middle of a version 2 command takes all that follows" <<'END'
h 2
s
c 15 15s:f 19r:data 18q:5
e
END
for rest in 00 0f 0f00 0f0001 647a79; do
	made "bytes behind the attributes: $rest" <<-END
	h 1
	s
	c 4 15s:d 3q:257 0y:$rest
	e
	END
done
for missing in "3 15s:f" "3 3q:1" "4" "5 15s:n 3q:1 5q:1" "5 15s:n 3q:1 8q:1" "8 15s:l 3q:1" \
	"9 15s:a" "10 15s:a" "12" "13 15s:a 13s:n" "13 15s:a 14s:v" "14 15s:a" "15 15s:f 19s:x" \
	"15 15s:f 18q:1" "16 15s:f 18q:5 24q:6 21q:7 22s:g 23q:8" "17 15s:f" "18 15s:f" "19 15s:f 6q:1" \
	"20 15s:f 11t:1 10t:2" "22 15s:f 18q:1" "2 15s:s 1x:12121212121212121212121212121212 2q:9" \
	"1 15s:s 2q:9" "23 15s:f 18q:1 4q:2" "24 15s:f" "25 15s:f 18q:1 27q:1 28q:1 19s:x" \
	"26 15s:f 32b:1 33d:1 34s:x"; do
	made "an attribute is missing: ${missing%% *} (${missing#* })" <<-END
	h 1
	s
	c $missing
	e
	END
done
for wrong in "17 15s:f 4d:3" "17 15s:f 4s:" "17 15s:f 4s:123456789" "1 15s:s 1s:short 2q:9" \
	"20 15s:f 11q:1 10t:2 9t:3" "24 15s:f 26d:1" "25 15s:f 18q:1 27q:1 28q:1 29q:1 30q:1 19s:x" \
	"26 15s:f 32d:1 33d:1 34s:x 35s:y"; do
	made "an attribute of a wrong size: ${wrong%% *} (${wrong#* })" <<-END
	h 1
	s
	c $wrong
	e
	END
done

# Cut at every byte, and every byte turned: the peer agrees on each.
perl "$TESTS_LIB/make-stream.pl" >"$WORK/whole" <<'END'
h 2
s
c 4 15s:dir 3q:257
c 15 15s:dir/f 18q:0 19r:contents
e
END
size=$(stat -c %s "$WORK/whole")
bad=
for ((at = 0; at < size; at++)); do
	head -c "$at" "$WORK/whole" >"$WORK/cut"
	run_ours receive --dump -f "$WORK/cut"
	status=$?
	well_behaved "$status" >"$WORK/log" && [ "$status" -eq 1 ] || bad+=" $at"
done
is "cut after any byte it fails with one message" "" "$bad"
bad=
for ((at = 17; at < size; at++)); do
	{
		head -c "$at" "$WORK/whole"
		tail -c +$((at + 1)) "$WORK/whole" | head -c 1 | tr '\0-\377' '\200-\377\0-\177'
		tail -c +$((at + 2)) "$WORK/whole"
	} >"$WORK/turned"
	run_ours receive --dump -f "$WORK/turned"
	status=$?
	well_behaved "$status" >"$WORK/log" && [ "$status" -eq 1 ] || bad+=" $at"
done
is "with any byte changed it fails with one message" "" "$bad"

# --- the command line -----------------------------------------------------------

# fails STATUS NAME WORDS ARGUMENTS...: exit status, and WORDS in an ERROR line.
fails() {
	local status=$1 name=$2 words=$3 got
	shift 3

	run_ours receive "$@"
	got=$?
	if [ "$got" -eq "$status" ] && grep -q "^ERROR: .*$words" "$ERR" && [ ! -s "$OUT" ]; then
		ok "$name"
	else
		not_ok "$name"
		diag "exit status $got, wanted $status with '$words'"
		head -n 5 "$ERR" | diag
	fi
}

fails 1 "a file that is not there" "cannot open.*No such file" --dump -f "$WORK/nothing"
fails 1 "a folder" "Is a directory" --dump -f "$WORK"
fails 1 "a lone - is a name like any other" "cannot open -: No such file" --dump -f -
fails 1 "nothing on standard input" "standard input" --dump
fails 2 "without --dump" "only --dump" "$WORK"
fails 2 "without anything" "only --dump"
fails 2 "an operand" "" --dump "$WORK/whole"
fails 2 "-f without a file" "" --dump -f
fails 2 "an unknown option" "" --dump -Z
fails 2 "an option of the existing tool that we lack" "" --dump -m /

bounded 60 "$BTRFS" receive --dump -f "$WORK/whole" >/dev/full 2>"$ERR"
is "a full disk: exit status" 1 $?
is "a full disk: one message" 1 "$(grep -c '^ERROR: ' "$ERR")"

done_testing
