#!/usr/bin/perl
# Reads send streams on stdin and writes them without what tells subvolumes apart:
# UUIDs, transids and the name of the subvolume are blanked, and with them the
# checksums.  What two subvolumes of the same contents send is then the same.
use strict;
use warnings;

my ($uuid, $ctransid, $path, $data) = (1, 2, 15, 19);
my ($clone_uuid, $clone_ctransid) = (20, 21);
my ($subvol, $snapshot, $end) = (1, 2, 21);
my %blank = map { $_ => 1 } $uuid, $ctransid, $clone_uuid, $clone_ctransid;
my $version;

binmode STDIN;
binmode STDOUT;

sub bytes {
	my ($len) = @_;
	my $bytes = "";
	my $got = $len ? read STDIN, $bytes, $len : 0;
	defined $got && $got == $len or die "the stream ends in the middle\n";
	return $bytes;
}

# The attributes of one command, each as it goes out.
sub anonymous {
	my ($cmd, $rest) = @_;
	my $out = "";

	while (length $rest) {
		my $type = unpack "S<", $rest;
		# From version 2 on data goes to the end.
		return $out . $rest if $type == $data && $version >= 2;
		my ($len) = unpack "x2 S<", $rest;
		my $value = substr $rest, 4, $len;
		$value = "\0" x $len if $blank{$type};
		$value = "" if $type == $path && ($cmd == $subvol || $cmd == $snapshot);
		$out .= pack("S<", $type) . $value;
		$rest = substr $rest, 4 + $len;
	}
	return $out;
}

# Streams follow one another, each with a header of its own.
while (!eof STDIN) {
	my $header = bytes(17);
	my ($len, $cmd);

	die "no stream\n" if $header !~ /^btrfs-stream\0/;
	$version = unpack "x13 L<", $header;
	print $header;
	do {
		($len, $cmd) = unpack "L< S<", bytes(10);
		print pack("S<", $cmd), anonymous($cmd, bytes($len));
	} while ($cmd != $end);
}
