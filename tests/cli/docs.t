#!/bin/bash
# Documents tell the truth: the examples of README.md run, the manual pages
# build, an option is in a command's --help if and only if it is in its page, and
# what ARCHITECTURE.rst names is there.

# shellcheck source=../lib/harness.sh
. "$(dirname "$0")/../lib/harness.sh"

need_program

DOCS=$REPO/Documentation

# --- manual pages -------------------------------------------------------------

# Into the private folder, and with warnings of rst2man as errors.
test_pages_build() {
	command -v rst2man >/dev/null || { skip "manual pages build" "needs rst2man"; return; }
	if env -u MAKEFLAGS -u MAKELEVEL make -s -C "$REPO" BUILD="$WORK/pages" docs \
		>"$WORK/log" 2>&1; then
		ok "manual pages build"
	else
		not_ok "manual pages build"
		tail -n 20 "$WORK/log" | diag
	fi
}

# --- options ------------------------------------------------------------------

# Help: "    -b|--raw           sizes in bytes", in a command's own part (which ends
# at "Common options:") or in all of it; one option a line comes out.
help_options() {
	sed -n 's/^    \(-.*\)/\1/p' | option_words
}

# Pages: "-b, --raw" or "-r ID, --rootid ID" at the start of a line.
page_options() {
	grep '^-[-a-zA-Z]' | grep -v '^--*$' | option_words
}

# What stands left of the explanation, without arguments.
option_words() {
	sed 's/  .*//' | grep -oE '(^|[|, ])--?[a-zA-Z][-a-zA-Z]*' | tr -d '|, ' | sort -u
}

# page_section PAGE TITLE: what stands under a heading of the page; all of it
# without TITLE.
page_section() {
	awk -v title="$2" '
	title == "" { print; next }
	/^=+$/ && prev != "" { inside = (prev == title) }
	inside { print }
	{ prev = $0 }' "$DOCS/$1.rst"
}

own_help() {
	# shellcheck disable=SC2086 # words of a command
	"$BTRFS" $1 --help | sed '/^    Common options:/,$d'
}

common_help() {
	"$BTRFS" send --help | sed '1,/^    Common options:/d'
	"$BTRFS" --help | sed '1,/^Global options:/d'
}

# none_missing NAME LIST LIST: the second has every line of the first.
none_missing() {
	local missing

	missing=$(comm -23 "$2" "$3")
	if [ -z "$missing" ]; then
		ok "$1"
	else
		not_ok "$1"
		diag "missing: ${missing//$'\n'/ }"
	fi
}

# The options that all commands share, and those of every command that opens a
# file system, stand in btrfs(8) alone.
page_options <"$DOCS/btrfs.rst" >"$WORK/common"

# same_options COMMAND PAGE [SECTION]
same_options() {
	own_help "$1" | help_options >"$WORK/help"
	page_section "$2" "${3:-}" | page_options >"$WORK/page"
	sort -u "$WORK/page" "$WORK/common" >"$WORK/told"
	none_missing "every option of '$1 --help' is in $2(8)" "$WORK/help" "$WORK/told"
	none_missing "every option of $1 in $2(8) is in its --help" "$WORK/page" "$WORK/help"
}

test_common_options() {
	common_help | help_options >"$WORK/help"
	none_missing "every common option is in btrfs(8)" "$WORK/help" "$WORK/common"
	{ common_help; own_help send; own_help help; } | help_options >"$WORK/help"
	none_missing "every option in btrfs(8) is in a --help" "$WORK/common" "$WORK/help"
}

# Command, page, section of the page: a new command needs a line here.
COMMANDS="send                            btrfs-send
mkfs                            mkfs.btrfs
receive                         btrfs-receive
rescue undo                     btrfs-rescue            UNDO
subvolume list                  btrfs-subvolume         LIST
subvolume show                  btrfs-subvolume         SHOW
inspect-internal dump-super     btrfs-inspect-internal  DUMP-SUPER
inspect-internal dump-tree      btrfs-inspect-internal  DUMP-TREE
inspect-internal locks          btrfs-inspect-internal  LOCKS"

test_options() {
	local line command page section

	test_common_options
	while read -r line; do
		command=${line%%  *}
		read -r page section <<<"${line#"$command"}"
		same_options "$command" "$page" "$section"
	done <<<"$COMMANDS"
}

# Every command that --help lists has a line above; btrfs(8) tells of the other two.
test_commands_known() {
	"$BTRFS" --help | grep -oE '^    btrfs [a-z][-a-z]*( [a-z][-a-z]*)?' | sed 's/^ *btrfs //' |
		grep -vxE 'help|version' | sort >"$WORK/listed"
	sed 's/  .*//' <<<"$COMMANDS" | sort >"$WORK/told"
	none_missing "every command has a manual page" "$WORK/listed" "$WORK/told"
}

# --- README --------------------------------------------------------------------

# A folder that looks like the repository after "make demo".
make_example() {
	mkdir "$WORK/build"
	ln -s "$BTRFS" "$WORK/build/btrfs"
	BTRFS_BUILD=$WORK/build bounded 120 bash "$REPO/tests/demo/demo.sh" 1 \
		>"$WORK/log" 2>&1 </dev/null
}

# The block of shell in it: a comment that says what, then the command.
readme_examples() {
	awk '/^```/ { inside = ($0 == "```sh"); next } inside' "$REPO/README.md"
}

# run_example NAME COMMAND.  No status of a pipe but its last: "| head" is fine.
run_example() {
	if (cd "$WORK" && bounded 60 bash -c "$2") >"$OUT" 2>"$ERR" </dev/null &&
	   ! grep -q '^ERROR' "$ERR" && ! misbehaved 0 "$ERR"; then
		ok "README: $1"
	else
		not_ok "README: $1"
		diag "$2"
		head -n 10 "$ERR" | diag
	fi
}

test_examples() {
	local line name='' nr=0

	if ! make_example; then
		not_ok "the demo makes an image for the examples"
		tail -n 10 "$WORK/log" | diag
		return
	fi
	if [ ! -e "$WORK/build/demo/example.img" ]; then
		skip "README examples" "$(grep -A 1 '^Left out' "$WORK/log" | tail -n 1)"
		return
	fi
	while IFS= read -r line; do
		case $line in
		'#'*) name=${line#\# } ;;
		?*) run_example "$name" "$line"; nr=$((nr + 1)) ;;
		esac
	done < <(readme_examples)
	is "README has five examples" 5 "$nr"
}

test_links() {
	local target missing=

	while read -r target; do
		[ -e "$REPO/$target" ] || missing+=" $target"
	done < <(grep -oE '\]\([^)#]+\)' "$REPO/README.md" | tr -d '])(' | grep -v ':')
	is "README links to what is there" "" "$missing"
}

# --- ARCHITECTURE -----------------------------------------------------------------

# Files are named with their folder, functions with ().
test_architecture() {
	local name missing=

	while read -r name; do
		[ -e "$REPO/$name" ] || missing+=" $name"
	done < <(grep -oE '\b[a-z][-a-z]*/[-a-z0-9./]*\.[ch]\b' "$DOCS/ARCHITECTURE.rst" | sort -u)
	is "the files in ARCHITECTURE.rst are there" "" "$missing"
	missing=
	while read -r name; do
		grep -rqE "\\b${name%()}\\(" "$REPO"/{common,kernel-shared,cmds,mkfs} || missing+=" $name"
	done < <(grep -oE '\b[a-z][a-z0-9_]*\(\)' "$DOCS/ARCHITECTURE.rst" | sort -u)
	is "the functions in ARCHITECTURE.rst are there" "" "$missing"
}

test_pages_build
test_commands_known
test_options
test_links
test_architecture
test_examples
done_testing
