#!/bin/bash
# send --estimate and --progress: what is told is exact, no file is touched, and
# a bar is seen on a terminal alone.  (Every scenario of the comparisons with the
# kernel checks the estimate, too.)

# shellcheck source=../lib/cli.sh
. "$(dirname "$0")/../lib/cli.sh"
# shellcheck source=../lib/zoo.sh
. "$TESTS_LIB/zoo.sh"

need_program

STREAM=$OUTDIR/stream
GOOD_IMAGE=$WORK/good.img

# --- without root: the top level of an image that mkfs filled ---------------------

make_rootless_image() {
	mkdir "$WORK/tree"
	(
		cd "$WORK/tree" || exit
		mkdir d
		text d/text 0 300000 1
		fill noise 0 3M 2
		: >empty
		ln -s noise link
		for i in {1..400}; do echo "$i" >"d/$i"; done
	)
	truncate -s 128M "$GOOD_IMAGE"
	"$MKFS" -q -f -n 4096 --rootdir "$WORK/tree" "$GOOD_IMAGE" >"$WORK/mkfs.log" 2>&1
}

# field NAME: the number of bytes that the line of NAME tells.
field() { sed -n "s|^$1: .* (\([0-9]*\) bytes)\$|\1|p" "$OUT"; }

# exact NAME ARGUMENT...: the estimate is the length of the stream.
exact() {
	local name=$1 said
	shift

	remember_image
	run_ours send --estimate "$@"
	check_status $? 0
	[ -s "$ERR" ] && complain "something on standard error"
	said=$(field total)
	check_outdir
	run_ours send -f "$STREAM" "$@"
	check_status $? 0
	[ "$said" = "$(stat -c %s "$STREAM")" ] ||
		complain "estimated ${said:-nothing}, sent $(stat -c %s "$STREAM")"
	rm -f "$STREAM"
	check_image
	verdict "exact: $name"
}

usage_errors() {
	IMAGE=$GOOD_IMAGE
	fails "JSON is for the estimate only" 2 'JSON.*--estimate' --format json send -f "$STREAM" "$IMAGE" /
	fails "a progress mode that there is not" 2 "'sometimes'.*auto" send --progress=sometimes "$IMAGE" /
	fails "--progress without its value" 2 'progress' send "$IMAGE" / --progress
	fails "--all-snapshots without its folder" 2 'all-snapshots' send "$IMAGE" --all-snapshots
	fails "--all-snapshots chooses its subvolumes" 2 'too many' send --all-snapshots "$OUTDIR/x" "$IMAGE" /
	for option in "-f $STREAM" "-p /" "-c /" -e; do
		# shellcheck disable=SC2086 # two words
		fails "--all-snapshots excludes ${option%% *}" 2 "no -e, -p, -c or -f" \
			send $option --all-snapshots "$OUTDIR/x" "$IMAGE"
	done
	fails "what cannot be sent has no estimate" 1 '/: .*--writable' send --estimate "$IMAGE" /
}

rootless_estimates() {
	IMAGE=$GOOD_IMAGE
	exact "the top level" --writable "$IMAGE" /
	exact "version 2" --writable --proto 2 "$IMAGE" /
	exact "without data" --writable --no-data "$IMAGE" /
	exact "twice" --writable "$IMAGE" / id:5
	exact "twice in one stream" --writable -e "$IMAGE" / id:5
	exact "against itself" --writable -p / "$IMAGE" /
}

json() {
	perl -MJSON::PP -e 'local $/; my $d = decode_json(<STDIN>); print join " ", eval $ARGV[0]' \
		"$1" <"$OUT"
}

reports() {
	local sum

	run_ours send --writable --estimate "$IMAGE" / id:5
	is "a line for each and one for all" "/ id:5 total" "$(echo $(sed 's/: .*//' "$OUT"))"
	sum=$(field total)
	is "the total is the sum" "$sum" $(($(field /) + $(field id:5)))
	is "sizes are told for people, too" 3 "$(grep -c ': [0-9.]*[KMG]iB (' "$OUT")"
	run_ours --format json send --writable --estimate -p / "$IMAGE" / id:5
	is "JSON: version" 1 "$(json '$d->{__header}{version}')"
	is "JSON: paths, ids, parents" "/ id:5 5 5 5 5" "$(json 'map { my $k = $_; map { $_->{$k} }
		@{$d->{streams}} } qw(path id parent_id)')"
	is "JSON: the sum" 1 "$(json '$d->{streams}[0]{bytes} + $d->{streams}[1]{bytes} ==
		$d->{total_bytes}')"
	run_ours --format json send --writable --estimate "$IMAGE" /
	is "JSON: no parent, and the number of the text" "1 $((sum / 2))" \
		"$(json '!defined $d->{streams}[0]{parent_id}, $d->{total_bytes}')"
}

# -f may be there, as in the command that will follow.
untouched_outputs() {
	echo old >"$STREAM"
	run_ours send --writable --estimate -f "$STREAM" "$IMAGE" /
	check_status $? 0
	[ "$(cat "$STREAM")" = old ] || complain "the file was touched"
	rm "$STREAM"
	run_ours send --writable --estimate -f "$STREAM" "$IMAGE" /
	check_status $? 0
	check_outdir
	run_ours send --writable --estimate -f "$WORK/none/stream" "$IMAGE" /
	check_status $? 0
	verdict "an estimate leaves the file of -f alone"
	bounded 60 script -qec "'$BTRFS' send --writable --estimate '$IMAGE' / 2>'$ERR'" /dev/null \
		>"$OUT" </dev/null
	check_status $? 0
	grep -q '^total: .* bytes)' "$OUT" || complain "no total"
	verdict "an estimate may go to a terminal"
}

# --- progress ------------------------------------------------------------------------

# on_terminal ARGUMENT...: with standard error a terminal, standard output a file.
on_terminal() {
	TERM=xterm bounded 60 script -qec "stty cols 100; '$BTRFS' $* >'$STREAM'" /dev/null \
		>"$OUT" 2>&1 </dev/null
}

# What the terminal shows at the end: carriage returns and erased lines applied.
screen() {
	perl -ne 's/\r+\n$/\n/; s/.*\e\[K//s if /\e\[K/; print' "$OUT"
}

progress() {
	local size

	run_ours send --writable "$IMAGE" /
	is "no bar without a terminal" 0 "$(grep -c '%' "$ERR")"
	cp "$OUT" "$WORK/plain"
	run_ours send --writable --estimate "$IMAGE" /
	size=$(sed -n 's/^total: \(.*\) (.*/\1/p' "$OUT")
	run_ours send --writable --progress=always "$IMAGE" /
	check_status $? 0
	cmp -s "$WORK/plain" "$OUT" || complain "the stream has changed"
	grep -q "Sending    0%  \[  *\]  0.00B of $size  ETA -:--" "$ERR" || complain "no bar"
	[ "$(tail -c 4 "$ERR")" = $'\r\e[K' ] || complain "it is not taken away"
	verdict "with always, there is a bar on standard error"

	on_terminal send --writable --progress=always "$IMAGE" /
	check_status $? 0
	cmp -s "$WORK/plain" "$STREAM" || complain "the stream has changed"
	grep -q '%' "$OUT" || complain "no bar"
	screen >"$WORK/screen"
	grep -q '%' "$WORK/screen" && complain "something of it is left"
	grep -q '^At subvol /' "$WORK/screen" || complain "no line about the subvolume"
	verdict "on a terminal nothing of it is left at the end"
	on_terminal send --writable --progress=never "$IMAGE" /
	check_status $? 0
	grep -q $'%\|\e' "$OUT" && complain "a bar"
	verdict "with never, there is none"
	on_terminal send --writable -q "$IMAGE" /
	check_status $? 0
	[ -s "$OUT" ] && complain "something on the terminal"
	verdict "-q keeps the terminal empty"

	run_ours send --writable --progress=always "$IMAGE" / /none
	check_status $? 1
	verdict "what cannot be found is said before there is a bar"
	rm -f "$STREAM"
}

# -----------------------------------------------------------------------------------------

if make_rootless_image; then
	usage_errors
	rootless_estimates
	reports
	untouched_outputs
	progress
else
	diag <"$WORK/mkfs.log"
	skip_all "needs mkfs.btrfs --rootdir"
fi
done_testing
