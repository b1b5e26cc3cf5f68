#!/bin/bash
# "receive --verify": streams of the kernel and of our send are good, and a damaged
# one is told by one ERROR line with the byte, the number and the type of the
# command where the damage begins.  The rules one by one are in
# tests/unit/stream-verify.c.

# shellcheck source=../lib/cli.sh
. "$(dirname "$0")/../lib/cli.sh"
# shellcheck source=../lib/zoo.sh
. "$TESTS_LIB/zoo.sh"

need_program

# good NAME LINES FILE [OPTION...]: so many lines, all of the known form.
FORM='^version [12], [0-9]+ commands, [0-9]+ bytes, [0-9]+ bytes? of data, [0-9]+ subvolumes?: .'
good() {
	local name=$1 lines=$2 file=$3
	shift 3

	run_ours receive --verify -f "$file" "$@"
	check_status $? 0
	[ ! -s "$ERR" ] || complain "something is on standard error"
	[ "$(wc -l <"$OUT")" -eq "$lines" ] || complain "$(wc -l <"$OUT") lines, expected $lines"
	[ "$(grep -cE "$FORM" "$OUT")" -eq "$lines" ] || complain "another form: $(head -n 3 "$OUT")"
	verdict "$name"
}

# make_stream FILE < DESCRIPTION (see make-stream.pl)
make_stream() { perl "$TESTS_LIB/make-stream.pl" >"$1"; }

# bad NAME WORDS FILE: the one ERROR line has these words, and no summary is there.
bad() {
	fails "$1" 1 "$2" receive --verify -f "$3"
	is "$1: nothing on standard output" "" "$(cat "$OUT")"
}

# bad_made NAME WORDS < DESCRIPTION
bad_made() {
	make_stream "$WORK/made" || { not_ok "$1 (not made)"; return; }
	bad "$1" "$2" "$WORK/made"
}

# commands_of FILE: as the existing tool counts them, its end command aside.
commands_of() { "$PEER" receive --dump -f "$1" 2>/dev/null | wc -l; }

# --- streams of the kernel and of ours --------------------------------------------

make_snapshots() {
	make_images 1 512M && mount_images compress=zstd && cd "$MNT" || return 1
	peer subvolume create sub || return 1
	( set -e; cd sub; zoo; text packed 0 600000 7; setfattr -n user.top -v 1 .; chmod 700 . ) || return 1
	peer subvolume snapshot -r sub one || return 1
	(
		set -e
		cd sub
		rm files/noise
		mv files/text files/moved
		rmdir empty
		setfattr -x user.note files/inline
		truncate -s 100 extents/hole
		text packed 100000 200000 8
		mkdir "a new one"
		cp --reflink=always packed "a new one/clone"
		chown 1:2 .
	) || return 1
	peer subvolume snapshot -r sub two
}

kernel_streams() {
	peer send -f "$WORK/full.1" one &&
		peer send -p one -f "$WORK/incremental.1" two &&
		peer send --no-data -f "$WORK/no-data.1" one &&
		peer send --proto 2 -f "$WORK/full-unpacked.1" one &&
		peer send --proto 2 --compressed-data -f "$WORK/packed.1" one &&
		peer send --proto 2 --compressed-data -p one -f "$WORK/incremental-packed.1" two &&
		peer send -e -f "$WORK/end-once.1" one two &&
		peer send -f "$WORK/several.2" one two
}

our_streams() {
	local send=("$BTRFS" send -q)

	"${send[@]}" -f "$WORK/our-full.1" "${IMAGES[0]}" one &&
		"${send[@]}" -p one -f "$WORK/our-incremental.1" "${IMAGES[0]}" two &&
		"${send[@]}" --no-data -f "$WORK/our-no-data.1" "${IMAGES[0]}" one &&
		"${send[@]}" --compressed-data -f "$WORK/our-packed.1" "${IMAGES[0]}" one &&
		"${send[@]}" --compressed-data -p one -f "$WORK/our-incremental-packed.1" \
			"${IMAGES[0]}" two &&
		"${send[@]}" -e -f "$WORK/our-end-once.1" "${IMAGES[0]}" one two &&
		"${send[@]}" -f "$WORK/our-several.2" "${IMAGES[0]}" one two
}

# Several streams one after the other, of both versions and both makers.
concatenated() {
	local stream

	cat "$WORK"/{full,our-packed,end-once,our-incremental}.1 >"$WORK/all"
	good "streams one after the other" 4 "$WORK/all"
	is "in their order" "1: one;1: one;2: one, two;1: two;" \
		"$(sed -E 's/.* ([0-9]+) subvolumes?/\1/' "$OUT" | tr '\n' ';')"
	is "their bytes make the whole" "$(stat -c %s "$WORK/all")" \
		"$(awk '{ sum += $5 } END { print sum }' "$OUT")"
	for stream in full our-packed; do
		is "$stream: all commands are counted" \
			"$(($(commands_of "$WORK/$stream.1") + 1))" \
			"$(bounded 60 "$BTRFS" receive --verify <"$WORK/$stream.1" | awk '{ print $3 }')"
	done
}

spoilt_streams() {
	local size

	size=$(stat -c %s "$WORK/full.1")
	head -c $((size - 1)) "$WORK/full.1" >"$WORK/spoilt"
	bad "a stream that lacks its last byte" "at byte $((size - 10)), command [0-9]+: .*cut short" \
		"$WORK/spoilt"
	head -c $((size - 10)) "$WORK/full.1" >"$WORK/spoilt"
	bad "a stream that lacks its end" "at byte $((size - 10)), .*without an end" "$WORK/spoilt"
	cp "$WORK/full.1" "$WORK/spoilt"
	garbage "$WORK/spoilt" $((size / 2)) 1
	bad "a stream with one byte spoilt" \
		"at byte [0-9]+, command [0-9]+ \([a-z_]+\): the checksum of the command is wrong" \
		"$WORK/spoilt"
}

lack=$(kernel_lacks)
if [ -n "$lack" ]; then
	[ "${BTRFS_TEST_REQUIRE_KERNEL:-0}" = 1 ] && not_ok "this machine can make streams: $lack"
	skip "streams of the kernel" "$lack"
elif make_snapshots >"$WORK/log" 2>&1 && kernel_streams >>"$WORK/log" 2>&1; then
	cd /
	unmount_images
	our_streams >>"$WORK/log" 2>&1 || { not_ok "our send makes streams"; diag <"$WORK/log"; }
	for stream in "$WORK"/*.[12]; do
		name=${stream##*/}
		good "a good stream: $name" "${name##*.}" "$stream"
	done
	concatenated
	spoilt_streams
else
	cd /
	not_ok "the kernel sends streams"
	diag <"$WORK/log"
fi

# --- what is printed ---------------------------------------------------------------

make_stream "$WORK/small" <<'END'
h 2
s
c 4 15s:d 3q:257
c 15 15s:d/f 18q:0 19r:data
c 25 15s:d/f 18q:4096 27q:4096 28q:4096 29q:0 30d:2 19r:packed
e
END
good "a small stream" 1 "$WORK/small"
is "its summary" \
	"version 2, 5 commands, $(stat -c %s "$WORK/small") bytes, 10 bytes of data, 1 subvolume: s" \
	"$(cat "$OUT")"
make_stream "$WORK/names" <<'END'
h 1
c 1 15s:a\_b\n 1x:12121212121212121212121212121212 2q:9
c 1 15s:\xff 1x:12121212121212121212121212121212 2q:9
e
END
good "names that are not for terminals" 1 "$WORK/names"
is "they are escaped" '2 subvolumes: a b\n, \xff' "$(grep -o '2 sub.*' "$OUT")"

good "with -q nothing is printed" 0 "$WORK/small" -q
good "--quiet too" 0 "$WORK/small" --quiet
good "with -q no JSON is printed either" 0 "$WORK/small" -q --format json
bounded 60 "$BTRFS" receive --verify <"$WORK/small" >"$OUT" 2>"$ERR"
is "from standard input: exit status" 0 $?
is "from standard input: one line" 1 "$(grep -cE "$FORM" "$OUT")"
dd if="$WORK/small" bs=7 2>/dev/null | bounded 60 "$BTRFS" receive --verify >"$OUT" 2>"$ERR"
is "from a slow pipe: one line" 1 "$(grep -cE "$FORM" "$OUT")"

# json EXPRESSION FILE: of the document d.
json() {
	run_ours receive --verify --format json -f "$2" || return
	python3 -c "
import json, sys
d = json.load(open(sys.argv[1]))
s = d['receive-verify']
print($1)" "$OUT"
}

cat "$WORK/small" "$WORK/names" >"$WORK/both"
size=$(stat -c %s "$WORK/small")
is "JSON has its version" 1 "$(json "d['__header']['version']" "$WORK/both")"
is "JSON of the first" "{'offset': 0, 'version': 2, 'commands': 5, 'bytes': $size, 'data_bytes': 10, \
'subvolume_count': 1, 'subvolumes': [{'path': 's'}]}" "$(json "s[0]" "$WORK/both")"
is "JSON of the second" "[2, $size, 1, 2]" \
	"$(json "[len(s), s[1]['offset'], s[1]['version'], s[1]['subvolume_count']]" "$WORK/both")"
is "JSON of names" "['a b\\n', '\\\\xff', 'ff']" \
	"$(json "[s[1]['subvolumes'][0]['path']] + list(s[1]['subvolumes'][1].values())" "$WORK/both")"

# What is whole before the damage is told as text; JSON is for all or nothing.
head -c -3 "$WORK/both" >"$WORK/cut"
fails "the second of two is cut" 1 "command 3 of stream 2: the command header is cut" \
	receive --verify -f "$WORK/cut"
is "the first of two is told" 1 "$(grep -cE "$FORM" "$OUT")"
fails "the second of two is cut, with JSON" 1 "of stream 2" \
	receive --verify --format json -f "$WORK/cut"
is "there is no half of a document" "" "$(cat "$OUT")"

# Any number of subvolumes and streams takes little memory and no long lines.
{
	echo h 1
	for ((i = 0; i < 2000; i++)); do echo s; done
	echo e
} | make_stream "$WORK/many"
good "2000 subvolumes in a stream" 1 "$WORK/many"
is "not all are named" "2000 subvolumes: s ..." "$(sed -E 's/.* (2000 sub)/\1/; s/ s, .*,/ s/' "$OUT")"
is "JSON counts them all" "2000" "$(json "s[0]['subvolume_count']" "$WORK/many")"

# --- damage ------------------------------------------------------------------------

bad "an empty file" "it is empty" /dev/null
bad_made "half a header" "at byte 0: .*cut short" <<'END'
b 62747266732d7374
END
bad_made "another magic" "at byte 0: .*magic" <<'END'
b 62747266732d73747265614d0001000000
s
e
END
bad_made "version 0" "at byte 0: version 0" <<'END'
h 0
s
e
END
bad_made "version 3" "at byte 0: version 3" <<'END'
h 3
s
e
END
bad_made "a header and nothing else" "at byte 17, command 1: .*without an end" <<'END'
h 1
END
bad_made "an end and nothing before it" "at byte 17, command 1 \(end\): no subvol" <<'END'
h 1
e
END
bad_made "a command before the subvolume" "at byte 17, command 1 \(mkdir\): no subvol" <<'END'
h 1
c 4 15s:d 3q:257
s
e
END
bad_made "a wrong checksum" "at byte 64, command 2 \(mkdir\): .*checksum" <<'END'
h 1
s
x 4 15s:d 3q:257
c 99
e
END
bad_made "a missing attribute" "at byte 64, command 2 \(mkdir\): attribute ino is missing" <<'END'
h 1
s
c 4 15s:d
e
END
bad_made "an attribute of a wrong size" "at byte 64, command 2 \(truncate\): attribute size has 4 bytes" <<'END'
h 1
s
c 17 15s:d 4d:1
e
END
bad_made "a path that leaves the subvolume" 'at byte 64, command 2 \(mkdir\): .*path goes through "\.\."' <<'END'
h 1
s
c 4 15s:d/../../e 3q:257
e
END
bad_made "an absolute path" "at byte 64, command 2 \(mkdir\): .*absolute" <<'END'
h 1
s
c 4 15s:/etc/x 3q:257
e
END
bad_made "a command of version 2 in version 1" "at byte 64, command 2 \(fileattr\): fileattr is of version 2" <<'END'
h 1
s
c 24 15s:d 26q:0
e
END
bad_made "a command that nobody knows" "at byte 64, command 2: there is no command type 99" <<'END'
h 2
s
c 99
e
END
bad_made "a packed extent that is too short" "at byte 64, command 2 \(encoded_write\): .*does not fit" <<'END'
h 2
s
c 25 15s:f 18q:0 27q:4096 28q:4096 29q:1 30d:2 19r:x
e
END
bad_made "a length that nobody writes" "at byte 64, command 2 \(mkdir\): the length of the command" <<'END'
h 1
s
l 4294967280 4
END
bad_made "a length that is not there" "at byte 64, command 2 \(mkdir\): the command is cut short" <<'END'
h 1
s
l 10000000 4
END
bad_made "a header where a command is due" "at byte 64, command 2" <<'END'
h 1
s
h 1
s
e
END

# after_end NAME WORDS < DESCRIPTION: of what follows a whole stream.
after_end() {
	{ printf '%s\n' 'h 1' s e; cat; } | make_stream "$WORK/made"
	fails "$1" 1 "$2" receive --verify -f "$WORK/made"
	is "$1: the stream before it is told" 1 "$(grep -cE "$FORM" "$OUT")"
}

after_end "a zero byte behind the end" "at byte 74: what follows the end" <<<"b 00"
after_end "zeroes behind the end" "at byte 74: what follows the end" \
	<<<"b $(printf '00%.0s' {1..100})"
after_end "commands behind the end" "at byte 74: what follows the end" <<<"s"
after_end "a second end" "at byte 74: what follows the end" <<<"e"
after_end "half a header behind the end" "at byte 74: what follows the end" <<<"b 62747266732d"
after_end "a second stream of a wrong version" "at byte 74: version 9" <<<"h 9"
after_end "a second stream without a subvolume" "at byte 91, command 1 \(end\) of stream 2: no subvol" \
	<<<$'h 2\ne'

# --- the command line --------------------------------------------------------------

fails "--dump and --verify" 2 "exclude each other" receive --dump --verify -f "$WORK/small"
fails "neither" 2 "only --dump and --verify" receive -f "$WORK/small"
fails "an operand" 2 "too many" receive --verify "$WORK/small"
fails "JSON of --dump" 2 "text only" receive --dump --format json -f "$WORK/small"
fails "a file that is not there" 1 "cannot open.*No such file" receive --verify -f "$WORK/nothing"
fails "a folder" 1 "Is a directory" receive --verify -f "$WORK"
for format in text json; do
	bounded 60 "$BTRFS" receive --verify --format $format -f "$WORK/small" >/dev/full 2>"$ERR"
	is "a full disk: exit status ($format)" 1 $?
	is "a full disk: one message ($format)" 1 "$(grep -c '^ERROR: ' "$ERR")"
done

done_testing
