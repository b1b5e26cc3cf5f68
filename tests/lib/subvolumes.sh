# shellcheck shell=bash
# Images full of subvolumes, for the tests that compare "subvolume list" and
# "subvolume show" with the existing tool on the same image, mounted.
#
# Every function image_NAME fills the mounted top level, standing in it.  Before
# it runs, these are as follows and may be set at its head by knobs_NAME:
#
#	DEVICES=1 SIZE=256M MKFS_OPTIONS=()   the file system
#	PLACES=()                             paths inside to look at, too
#
# after_NAME runs in the private folder once the image is unmounted.

# shellcheck source=harness.sh
. "$(dirname "${BASH_SOURCE[0]}")/harness.sh"
# shellcheck source=kernel.sh
. "$TESTS_LIB/kernel.sh"

need_kernel
need_program

SUBVOLUME_IMAGES=(
	empty flat nested snapshots received writable_received deleted default_set odd_names
	many raid1 raid0 quota quota_off qgroup_gone moved stubs big_nodes mixed xxhash sha256
	blake2 toggled
)

subvol() { peer subvolume create "$@"; }
snapshot() { peer subvolume snapshot "$@"; }

image_empty() { :; }

image_flat() {
	subvol one
	subvol two
	sync -f .
	subvol three
	: >two/file
}

knobs_nested() { PLACES=(a a/b a/b/c d d/e d/e/inner d/e/inner/deep id:257); }
image_nested() {
	subvol a
	subvol a/b
	sync -f .
	subvol a/b/c
	mkdir -p d/e a/dir/sub
	subvol d/e/inner
	mkdir d/e/inner/x
	subvol d/e/inner/x/deep
	sync -f .
	subvol a/dir/sub/last
	mkdir d/e/inner/deep
}

knobs_snapshots() { PLACES=(src rw src/below); }
image_snapshots() {
	subvol src
	echo data >src/file
	snapshot src rw
	snapshot -r src ro1
	sync -f .
	snapshot -r src ro2
	snapshot ro1 of_ro
	snapshot rw of_rw
	snapshot src src/below
	sync -f .
	snapshot -r src/below src/below/ro
	snapshot . top
}

image_received() {
	local stream=$WORK/stream

	subvol src
	fill src/f 0 100K 1
	snapshot -r src one
	fill src/f 50K 10K 2
	snapshot -r src two
	mkdir in
	peer send -f "$stream" one
	peer receive -f "$stream" in
	peer send -p one -f "$stream" two
	peer receive -f "$stream" in
	snapshot in/two in/writable
	snapshot -r in/two again
}

# The existing tool would clear the received UUID; the kernel's ioctl does not.
image_writable_received() {
	image_received
	perl -MFcntl -e 'my $SUBVOL_SETFLAGS = 0x4008941a; my $flags = "\0" x 8;
		sysopen(my $dir, $ARGV[0], O_RDONLY) or die;
		ioctl($dir, $SUBVOL_SETFLAGS, $flags) or die' in/one
	echo changed >in/one/new
}

# An open file keeps the kernel from cleaning up: the copy has what was deleted.
image_deleted() {
	local name

	for name in kept gone1 gone2 gone3; do
		subvol "$name"
		fill "$name/f" 0 64K 1
	done
	snapshot gone1 gone_snap
	exec 7<gone1/f 8<gone2/f 9<gone_snap/f
	peer subvolume delete gone1 gone2 gone_snap
	sync -f .
	cp --sparse=always "$WORK/dev1.img" "$WORK/copy.img"
	exec 7<&- 8<&- 9<&-
}
after_deleted() { mv copy.img dev1.img; }

knobs_default_set() { PLACES=(other); }
image_default_set() {
	subvol a
	subvol a/inner
	subvol other
	peer subvolume set-default a
}

# shellcheck disable=SC2034 # used by whoever sources this
knobs_odd_names() {
	LONG_NAME=$(printf 'n%.0s' {1..255})
	PLACES=("with space" $'new\nline' "$LONG_NAME" $'\xc3\xa9t\xc3\xa9' ./-dash)
}
image_odd_names() {
	mkdir $'dir with\ttab'
	subvol "with space"
	subvol $'new\nline'
	subvol $'\xc3\xa9t\xc3\xa9'
	subvol $'bad\xff\xfeutf'
	subvol 'back\slash'
	subvol ./-dash
	subvol 'percent%s%n'
	subvol "$LONG_NAME"
	subvol "$LONG_NAME/$LONG_NAME"
	subvol $'dir with\ttab/"quoted"'
	snapshot -r "with space" " leading and trailing "
}

# shellcheck disable=SC2034
knobs_many() { MKFS_OPTIONS=(-n 4096); PLACES=(s100); }
image_many() {
	local i

	for ((i = 0; i < 280; i++)); do
		"$PEER" -q subvolume create "s$i" || return 1
	done
	for ((i = 0; i < 20; i++)); do
		snapshot -r s100 "s$((i * 7))/snap$i"
	done
}

# shellcheck disable=SC2034
knobs_raid1() { DEVICES=2; MKFS_OPTIONS=(-d raid1 -m raid1); PLACES=(src); }
image_raid1() { image_snapshots; }

# shellcheck disable=SC2034
knobs_raid0() { DEVICES=3; MKFS_OPTIONS=(-d raid0 -m raid0); PLACES=(a/b); }
image_raid0() { image_nested; }

image_quota() {
	image_snapshots
	peer quota enable .
	fill src/f 0 1M 3
	sync -f .
	peer quota rescan -w .
	peer qgroup limit 1G src
	peer qgroup limit -e 16M rw
	peer qgroup limit 64M of_ro
	peer qgroup limit -e 32M of_ro
	peer qgroup limit 128M of_rw
	peer qgroup limit none of_rw
	sync -f .
}

image_quota_off() {
	image_quota
	peer quota disable .
}

image_qgroup_gone() {
	image_flat
	peer quota enable .
	peer quota rescan -w .
	peer qgroup destroy 0/256 .
	sync -f .
}

knobs_moved() { PLACES=(a b/c e/renamed); }
image_moved() {
	subvol a
	subvol b
	mkdir b/c e
	subvol a/x
	mv a/x b/c/y
	subvol z
	mv z e/renamed
	snapshot e/renamed e/renamed/snap
	mv e e2
	mv e2 e
	sync -f .
	mv b/c b/d
	mkdir b/c
}

# A snapshot has empty folders where its source has subvolumes.
knobs_stubs() { PLACES=(src src/inner snap); }
image_stubs() {
	subvol src
	subvol src/inner
	mkdir src/dir
	subvol src/dir/inner2
	snapshot src snap
	snapshot -r snap snap/dir/of_snap
}

# shellcheck disable=SC2034
knobs_big_nodes() { MKFS_OPTIONS=(-n 64k); PLACES=(a d/e/inner); }
image_big_nodes() { image_nested; }

# shellcheck disable=SC2034
knobs_mixed() { SIZE=128M; MKFS_OPTIONS=(-M); PLACES=(src); }
image_mixed() { image_snapshots; }

# shellcheck disable=SC2034
knobs_xxhash() { MKFS_OPTIONS=(--csum xxhash); }
image_xxhash() { image_flat; }

# shellcheck disable=SC2034
knobs_sha256() { MKFS_OPTIONS=(--csum sha256); }
image_sha256() { image_flat; }

# shellcheck disable=SC2034
knobs_blake2() { MKFS_OPTIONS=(--csum blake2); }
image_blake2() { image_flat; }

image_toggled() {
	image_snapshots
	peer property set ro1 ro false
	peer property set rw ro true
	subvol later
	peer subvolume delete ro2
	sync -f .
}

# --- building and comparing ---------------------------------------------------

# All peer output is taken from a read-only mount of the top level: nothing
# changes between it and ours.
# shellcheck disable=SC2034
build_image() {
	local name=$1

	DEVICES=1 SIZE=256M MKFS_OPTIONS=() PLACES=()
	if declare -F "knobs_$name" >/dev/null; then
		"knobs_$name"
	fi
	{
		make_images "$DEVICES" "$SIZE" "${MKFS_OPTIONS[@]}" &&
			mount_images subvolid=5 &&
			( set -e; cd "$MNT"; "image_$name" ) &&
			unmount_images || return 1
		if declare -F "after_$name" >/dev/null; then
			( cd "$WORK" && "after_$name" ) || return 1
		fi
		mount_images ro,subvolid=5
	} >"$WORK/build.log" 2>&1
}

# The image and, before it, the options that name its other devices.
our_devices() {
	local image

	for image in "${IMAGES[@]:1}"; do
		printf '%s\0' --device "$image"
	done
	printf '%s\0' "${IMAGES[0]}"
}

# A list of questions, each one line of shell words in $WORK/questions; the
# peer's answers go to $WORK/theirs, ours to $WORK/ours.  "@" is the mount point,
# or the image; "@PATH" a place in it.
# ask_peer SUBCOMMAND
ask_peer() {
	local -a words args
	local line word i

	while IFS= read -r line; do
		eval "words=($line)"
		args=()
		for word in "${words[@]}"; do
			case $word in
			@) args+=("$MNT") ;;
			@id:*) continue 2 ;;
			@*) args+=("$MNT/${word#@}") ;;
			*) args+=("$word") ;;
			esac
		done
		printf '== %s\n' "$line"
		"$PEER" subvolume "$1" "${args[@]}" 2>/dev/null
		printf '== exit %d\n' $?
	done <"$WORK/questions" >"$WORK/theirs"
}

ask_ours() {
	local -a words args devices
	local line word

	mapfile -d '' devices < <(our_devices)
	: >"$WORK/errors"
	while IFS= read -r line; do
		eval "words=($line)"
		args=()
		for word in "${words[@]}"; do
			case $word in
			@) args+=("${devices[@]}") ;;
			@id:*) continue 2 ;;
			@*) args+=("${devices[@]}" "${word#@}") ;;
			*) args+=("$word") ;;
			esac
		done
		printf '== %s\n' "$line"
		bounded 60 "$BTRFS" subvolume "$1" "${args[@]}" 2>>"$WORK/errors"
		printf '== exit %d\n' $?
	done <"$WORK/questions" >"$WORK/ours"
}

# compare_image NAME SUBCOMMAND QUESTIONS-FUNCTION
compare_image() {
	local name=$1 sum

	[[ $name =~ ${BTRFS_TEST_ONLY:-} ]] || return 0
	if ! build_image "$name"; then
		not_ok "$2: image $name is built"
		diag <"$WORK/build.log"
		unmount_images
		return
	fi
	"$3" >"$WORK/questions"
	ask_peer "$2"
	unmount_images
	sum=$(cat "${IMAGES[@]}" | md5sum)
	ask_ours "$2"
	if misbehaved 0 "$WORK/errors" >"$WORK/log" || ! cmp -s "$WORK/theirs" "$WORK/ours"; then
		not_ok "$2: image $name"
		{
			cat "$WORK/log"
			diff -a "$WORK/theirs" "$WORK/ours" | head -n 30
			head -n 5 "$WORK/errors"
		} | diag
		return
	fi
	is "$2: image $name, $(grep -c '' "$WORK/questions") questions" "$sum" \
		"$(cat "${IMAGES[@]}" | md5sum)"
}
