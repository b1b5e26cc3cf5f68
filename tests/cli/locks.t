#!/bin/bash
# Send and relocation keep one another out: in two processes, in either order,
# with one lock directory or two, and whatever happens to the holder.

# shellcheck source=../lib/cli.sh
. "$(dirname "$0")/../lib/cli.sh"

need_program
HOLD=${BTRFS_BUILD:-$REPO/build}/tests/helpers/hold-lock
[ -x "$HOLD" ] || skip_all "tests/helpers/hold-lock is not built"

export BTRFS_LOCK_DIR=$WORK/locks
IMAGE=$WORK/fs.img
HOLDER=

# A subvolume that can be sent is not needed: who may begin is decided before.
make_image() {
	mkdir "$WORK/content"
	echo data >"$WORK/content/file"
	truncate -s 128M "$IMAGE"
	mkfs.btrfs -q --rootdir "$WORK/content" "$IMAGE" >"$WORK/mkfs.log" 2>&1
}

# hold SIDE [lock directory]: in the background, until "release".
hold() {
	mkfifo "$WORK/to-holder" "$WORK/from-holder"
	BTRFS_LOCK_DIR=${2:-$BTRFS_LOCK_DIR} "$HOLD" "$1" "$IMAGE" <"$WORK/to-holder" >"$WORK/from-holder" \
		2>"$WORK/hold.err" &
	HOLDER=$!
	exec 8>"$WORK/to-holder" 9<"$WORK/from-holder"
	rm "$WORK/to-holder" "$WORK/from-holder"
	read -r -t 20 held <&9
	[ "${held:-}" = held ]
}

release() {
	exec 8>&- 9<&-
	wait "$HOLDER" 2>/dev/null
	HOLDER=
}

stop_holder() { [ -z "$HOLDER" ] || kill -KILL "$HOLDER" 2>/dev/null; }
CLEANERS+=(stop_holder)

# The top level has no name to be sent under, so whoever gets past the lock is
# told that: it stands for success here.
BEGAN='not read-only|no name'

# takes SIDE: can that side begin now?  0, 1, and what was said in $ERR.
takes() { bounded 20 "$HOLD" "$@" </dev/null >/dev/null 2>"$ERR"; }

can() {
	if takes "$2" "$IMAGE" "${@:3}"; then ok "$1"; else not_ok "$1"; diag <"$ERR"; fi
}

cannot() {
	if takes "$2" "$IMAGE" "${@:4}"; then
		not_ok "$1"
	elif [ "$(grep -c '^ERROR' "$ERR")" = 1 ] && grep -qE "$3" "$ERR"; then
		ok "$1"
	else
		not_ok "$1"
		diag <"$ERR"
	fi
}

make_image || { not_ok "an image could be made"; done_testing; }
before=$(fingerprint)

can "a send begins when nothing runs" send
can "a relocation begins when nothing runs" relocation

hold send || diag <"$WORK/hold.err"
can "two sends run together" send
cannot "a relocation is refused while a send runs, and told of it" relocation "in use by send \(pid $HOLDER"
fails "send is let in beside another send" 1 "$BEGAN" send -f "$OUTDIR/s" "$IMAGE" /
BTRFS_LOCK_DIR=$WORK/elsewhere cannot "another lock directory does not let a relocation in" relocation "another program uses it"
release
can "a relocation begins when the send has ended" relocation

hold relocation || diag <"$WORK/hold.err"
cannot "a send is refused while a relocation runs" send "in use by balance \(pid $HOLDER"
cannot "a second relocation is refused" relocation "in use by balance \(pid $HOLDER"
fails "btrfs send is refused, with one line that names the other" 1 \
	"in use by balance \\(pid $HOLDER, since" send -f "$OUTDIR/s" "$IMAGE" /
fails "--wait=1 gives up after a second" 1 "in use by balance" \
	send --wait=1 -f "$OUTDIR/s" "$IMAGE" /
BTRFS_LOCK_DIR=$WORK/elsewhere fails "another lock directory does not let a send in" 1 \
	"another program is writing" send -f "$OUTDIR/s" "$IMAGE" /
locks=$("$BTRFS" inspect-internal locks "$IMAGE")
if grep -qE "pid $HOLDER.*balance.*exclusive" <<<"$locks"; then
	ok "inspect-internal locks names the holder"
else
	not_ok "inspect-internal locks names the holder"
	diag "$locks"
fi
if "$BTRFS" --format json inspect-internal locks "$IMAGE" | python3 -c "
import json, sys
holders = json.load(sys.stdin)['holders']
sys.exit(not (len(holders) == 1 and holders[0]['pid'] == $HOLDER and holders[0]['exclusive']))"; then
	ok "and so does its JSON"
else
	not_ok "and so does its JSON"
fi

# Waiting: the send begins when the relocation ends.
bounded 20 "$HOLD" send "$IMAGE" --wait </dev/null >"$WORK/waited" 2>"$ERR" 8>&- 9<&- &
waiter=$!
sleep 0.3
is "a send that waits has not begun" "" "$(cat "$WORK/waited")"
release
wait "$waiter"
is "a send that waits begins when the relocation ends" held "$(cat "$WORK/waited")"

for side in send relocation; do
	hold "$side" || diag <"$WORK/hold.err"
	kill -KILL "$HOLDER"
	release
	can "nothing is left of a $side that was killed" relocation
done

is "the image is as it was" "$before" "$(fingerprint)"
is "nobody holds the lock in the end" "holders:	0" \
	"$("$BTRFS" inspect-internal locks "$IMAGE" | grep holders)"

# Without root: no lock file can be made, and reading goes on all the same.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	chmod 755 "$WORK"
	chmod 644 "$IMAGE"
	if BTRFS_LOCK_DIR=/proc/nonexistent setpriv --reuid=65534 --clear-groups \
		"$BTRFS" subvolume list "$IMAGE" >/dev/null 2>"$ERR"; then
		ok "an unprivileged reader needs no lock file"
	else
		not_ok "an unprivileged reader needs no lock file"
		diag <"$ERR"
	fi
fi

# Random starts and kills: never both inside.  Who is inside holds a file of its side.
cat >"$WORK/one.sh" <<'END'
side=$1
coproc H { exec "$HOLD" "$side" "$IMAGE" --wait=30 2>/dev/null; }
pid=$H_PID
read -r -t 30 held <&"${H[0]}" || exit 0
[ "$held" = held ] || exit 0
: >"$INSIDE/$side.$$"
case $side in send) other=relocation ;; *) other=send ;; esac
if compgen -G "$INSIDE/$other.*" >/dev/null; then echo both >>"$INSIDE.bad"; fi
rm "$INSIDE/$side.$$"
[ $((RANDOM % 2)) = 0 ] && kill -KILL "$pid" 2>/dev/null
END
export HOLD IMAGE INSIDE=$WORK/inside
mkdir "$INSIDE"
for ((i = 0; i < ${BTRFS_TEST_LOCK_ROUNDS:-60}; i++)); do
	side=send
	[ $((i % 3)) = 0 ] && side=relocation
	echo "$side"
done | xargs -P 8 -n 1 bash "$WORK/one.sh" >/dev/null 2>&1
if [ -e "$INSIDE.bad" ]; then
	not_ok "send and relocation were never inside together"
else
	ok "send and relocation were never inside together"
fi

done_testing
