# shellcheck shell=bash
# Images that the running kernel mounts: sparse files, loop devices, one mount
# at a time, and where things lie on the devices.
#
# Relies on harness.sh.  Whatever a test leaves mounted or attached is released
# when it ends, also when it is interrupted.

MNT=$WORK/mnt
IMAGES=()	# dev1.img dev2.img ... of the current file system
LOOPS=()	# their loop devices while attached
MKFS=$(command -v mkfs.btrfs || echo mkfs.btrfs)

# Why the kernel cannot be asked here; nothing when it can.
kernel_lacks() {
	local tool

	[ "$(id -u)" -eq 0 ] || { echo "needs root"; return; }
	[ -c /dev/loop-control ] || { echo "needs loop devices"; return; }
	grep -qw btrfs /proc/filesystems || modprobe btrfs 2>/dev/null
	grep -qw btrfs /proc/filesystems || { echo "needs btrfs in the kernel"; return; }
	for tool in "$PEER" "$MKFS" losetup setfattr setfacl setcap fallocate chattr; do
		command -v "$tool" >/dev/null || { echo "needs $tool"; return; }
	done
}

need_kernel() {
	local lack

	lack=$(kernel_lacks)
	[ -z "$lack" ] || skip_all "$lack"
}

# make_images COUNT SIZE [MKFS-OPTION...]
make_images() {
	local i count=$1 size=$2
	shift 2

	IMAGES=()
	for ((i = 1; i <= count; i++)); do
		IMAGES+=("$WORK/dev$i.img")
		rm -f "$WORK/dev$i.img"
		truncate -s "$size" "$WORK/dev$i.img" || return 1
	done
	"$MKFS" -q -f "$@" "${IMAGES[@]}" >"$WORK/mkfs.log" 2>&1
}

attach_images() {
	local image loop

	LOOPS=()
	for image in "${IMAGES[@]}"; do
		loop=$(losetup -f --show "$image") || return 1
		LOOPS+=("$loop")
	done
}

# All devices are named to the mount, so that no other scan is involved.
# mount_images [OPTIONS]
mount_images() {
	local loop options=${1:-defaults}

	attach_images || return 1
	for loop in "${LOOPS[@]:1}"; do
		options+=",device=$loop"
	done
	mkdir -p "$MNT"
	mount -t btrfs -o "$options" "${LOOPS[0]}" "$MNT"
}

unmount_images() {
	local status=0

	if mountpoint -q "$MNT"; then
		umount "$MNT" 2>/dev/null || { status=1; umount -l "$MNT"; }
	fi
	detach_images
	return "$status"
}

# Loop devices over files of the private folder, as the system knows them: an
# interrupted or failed test may not have noted all of them.
attached() {
	losetup -n -l -O NAME,BACK-FILE | awk -v work="$WORK/" 'index($2, work) == 1 { print $1 }'
}

# Somebody who scans devices may hold a loop device for a moment: the kernel
# then detaches it late, and until it has, the image counts as in use.
detach_images() {
	local loop tries

	for loop in $(attached); do
		"$PEER" device scan --forget "$loop" >/dev/null 2>&1
		losetup -d "$loop" 2>/dev/null
	done
	for ((tries = 0; tries < 50; tries++)); do
		[ -z "$(attached)" ] && break
		sleep 0.1
	done
	LOOPS=()
}

CLEANERS+=(unmount_images)

# --- where things lie ---------------------------------------------------------

# Reads a dump of the chunk tree; prints for every stripe of every chunk
#	TYPE INDEX DEVID OFFSET LENGTH
# where LENGTH is what the stripe takes on its device.
parse_stripes() {
	awk '
	$1 == "length" && $5 == "stripe_len" { len = $2; type = $8 }
	$1 == "num_stripes" {
		n = $2; sub_n = $4
		if (type ~ /RAID0/) len /= n
		if (type ~ /RAID5/) len /= n - 1
		if (type ~ /RAID6/) len /= n - 2
		if (type ~ /RAID10/) len = len * sub_n / n
	}
	$1 == "stripe" { printf "%s %d %d %.0f %.0f\n", type, $2, $4, $6, len }'
}

# Remember the stripes while all devices are attached (and unmounted or synced).
record_stripes() {
	"$PEER" inspect-internal dump-tree -t chunk "${LOOPS[0]}" 2>/dev/null |
		parse_stripes >"$WORK/stripes"
	[ -s "$WORK/stripes" ]
}

# garbage_stripes TYPE INDEX...: noise over these stripes of every TYPE chunk.
# For a mirrored profile an index is a copy, for RAID5/6 a device's share.
garbage_stripes() {
	local wanted=$1 type index devid offset len
	shift

	while read -r type index devid offset len; do
		[[ $type == *$wanted* && " $* " == *" $index "* ]] || continue
		garbage "$WORK/dev$devid.img" "$offset" "$len" || return 1
	done <"$WORK/stripes"
}

# tree_blocks IMAGE TREE: logical addresses of its blocks, the root first.
tree_blocks() {
	"$PEER" inspect-internal dump-tree -t "$2" "$1" 2>/dev/null |
		awk '$1 ~ /^(leaf|node)$/ && $3 ~ /^(items|level)$/ { print $2 }'
}

# physical IMAGE LOGICAL: "OFFSET" of every copy, of a file system on one device.
physical() {
	btrfs-map-logical -l "$2" -b 4096 "$1" 2>/dev/null |
		awk '$1 == "mirror" && $5 == "physical" { print $6 }'
}
