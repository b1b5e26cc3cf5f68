#!/usr/bin/perl
# Damage that no checksum tells: change leaves of an image with crc32c checksums
# and make their checksum right again.
#
#	patch-leaf.pl inline IMAGE NODESIZE INODE LEAF...
#		noise over the data of the inode's inline extents
#	patch-leaf.pl csum IMAGE NODESIZE LOGICAL PHYSICAL LEAF...
#		the sector at LOGICAL, as it stands at PHYSICAL, gets a checksum that fits
#	patch-leaf.pl root-uuid IMAGE NODESIZE ID LEAF...
#		the subvolume has no UUID any more
#
# LEAF...: where leaves of the tree in question stand in the image (nodes among
# them are skipped).  Fails when nothing was changed.
use strict;
use warnings;

my @table = map {
	my $c = $_;
	$c = $c & 1 ? ($c >> 1) ^ 0x82f63b78 : $c >> 1 for 1 .. 8;
	$c;
} 0 .. 255;

sub stored_crc {
	my ($crc, $data) = (0xffffffff, @_);
	$crc = $table[($crc ^ $_) & 0xff] ^ ($crc >> 8) for unpack "C*", $data;
	return pack "V", $crc ^ 0xffffffff;
}

my ($mode, $image, $nodesize) = splice @ARGV, 0, 3;
my $wanted = shift;
my $physical = $mode eq "csum" ? shift : 0;
my $changed = 0;
my ($extent_data, $extent_csum, $root_item, $sectorsize) = (108, 128, 132, 4096);

open my $file, "+<", $image or die "$image: $!\n";

sub bytes {
	my ($at, $len) = @_;
	sysseek $file, $at, 0;
	sysread($file, my $bytes, $len) == $len or die "$image: cannot read at $at\n";
	return $bytes;
}

# Called for each item: the leaf (changed in place), key and place of its data.
sub patch_item {
	my ($leaf, $objectid, $type, $offset, $at, $size) = @_;

	if ($mode eq "inline") {
		my $head = 21;	# the data stands where other extents have an address
		return if $objectid != $wanted || $type != $extent_data ||
			ord(substr $$leaf, $at + $head - 1, 1) != 0;
		substr($$leaf, $at + $head, $size - $head) = "\xff" x ($size - $head);
	} elsif ($mode eq "root-uuid") {
		return if $objectid != $wanted || $type != $root_item;
		substr($$leaf, $at + 247, 16) = "\0" x 16;
	} else {
		my $skip = ($wanted - $offset) / $sectorsize * 4;
		return if $type != $extent_csum || $offset > $wanted || $skip >= $size;
		substr($$leaf, $at + $skip, 4) = stored_crc(bytes($physical, $sectorsize));
	}
	$changed++;
}

for my $where (@ARGV) {
	my $leaf = bytes($where, $nodesize);
	my $before = $changed;
	my ($nr, $level) = unpack "VC", substr $leaf, 96, 5;

	next if $level;
	for my $i (0 .. $nr - 1) {
		my ($objectid, $type, $offset, $at, $size) =
			unpack "Q<CQ<VV", substr $leaf, 101 + 25 * $i, 25;
		patch_item(\$leaf, $objectid, $type, $offset, 101 + $at, $size);
	}
	next if $changed == $before;
	substr($leaf, 0, 4) = stored_crc(substr $leaf, 32);
	sysseek $file, $where, 0;
	syswrite($file, $leaf) == $nodesize or die "$image: cannot write at $where\n";
}
die "no such item\n" if !$changed;
