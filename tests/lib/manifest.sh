# shellcheck shell=bash
# What a folder holds, to compare what was received with what was sent.

# Names, attributes, times and contents of all in a folder.  Nested subvolumes are
# not sent, nor the empty folders that stand for them in a snapshot.
manifest() (
	cd "$1" || exit 1
	find . -mindepth 1 \( -inum 256 -o -inum 2 \) -prune -o -print0 | sort -z >"$WORK/names"
	xargs -0r stat -c '%n %F %a %u %g %t:%T %y' <"$WORK/names"
	xargs -0r getfattr -h -d -m - -e hex <"$WORK/names" 2>/dev/null
	find . -mindepth 1 -inum 256 -prune -o -type l -printf '%P %l\n' | sort
	find . -mindepth 1 -inum 256 -prune -o -type f -print0 | sort -z | xargs -0r md5sum
	stat -c '%a %u %g %y' .
)

# same_manifest NAME FOLDER MANIFEST
same_manifest() {
	manifest "$2" >"$WORK/got" 2>/dev/null
	if [ -s "$3" ] && cmp -s "$3" "$WORK/got"; then
		ok "$1"
	else
		not_ok "$1"
		diff "$3" "$WORK/got" | head -n 20 | diag
	fi
}
