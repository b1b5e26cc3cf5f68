#!/usr/bin/perl
# Makes send streams from a description on stdin, one line for each piece:
#
#	h VERSION            stream header
#	c NR ATTRIBUTE...    command, its length and checksum filled in
#	x NR ATTRIBUTE...    the same with a checksum that is wrong
#	l LEN NR             command header that claims LEN bytes
#	b HEX                bytes as they are
#	s                    a subvolume command (path "s")
#	e                    the end command
#
# An attribute is TYPE, a letter, a colon and a value:
#
#	s text (\xNN and \n are understood)    x hex       n LEN times "n"
#	q u64    d u32    b u8    t SECONDS,NANOSECONDS
#	r as s, without a length field         o as s, its length told as 1000
#	y hex, and nothing else: TYPE means nothing
use strict;
use warnings;

my @table = map {
	my $c = $_;
	$c = $c & 1 ? ($c >> 1) ^ 0x82f63b78 : $c >> 1 for 1 .. 8;
	$c;
} 0 .. 255;

sub crc {
	my ($crc, $data) = (0, @_);
	$crc = $table[($crc ^ $_) & 0xff] ^ ($crc >> 8) for unpack "C*", $data;
	return $crc;
}

sub text {
	my ($s) = @_;
	$s =~ s/\\x([0-9a-f]{2})/chr hex $1/ge;
	$s =~ s/\\n/\n/g;
	$s =~ s/\\_/ /g;
	return $s;
}

sub attribute {
	my ($type, $letter, $value) = $_[0] =~ /^(\d+)([a-z]):(.*)$/s or die "attribute $_[0]";
	my %data = (
		s => sub { text($value) },
		r => sub { text($value) },
		o => sub { text($value) },
		x => sub { pack "H*", $value },
		y => sub { pack "H*", $value },
		n => sub { "n" x $value },
		q => sub { pack $value =~ /^-/ ? "q<" : "Q<", $value },
		d => sub { pack "L<", $value },
		b => sub { pack "C", $value },
		t => sub { my ($s, $n) = split /,/, $value; pack $s =~ /^-/ ? "q<L<" : "Q<L<", $s, $n // 0 },
	);
	my $data = $data{$letter}->();
	return $data if $letter eq "y";
	return pack("S<", $type) . $data if $letter eq "r";
	return pack("S<S<", $type, $letter eq "o" ? 1000 : length $data) . $data;
}

sub command {
	my ($nr, $wrong, @attributes) = @_;
	my $payload = join "", map { attribute($_) } @attributes;
	my $crc = crc(pack("L<S<L<", length $payload, $nr, 0) . $payload) ^ $wrong;
	return pack("L<S<L<", length $payload, $nr, $crc) . $payload;
}

binmode STDOUT;
while (<STDIN>) {
	chomp;
	my ($what, @words) = split / /;
	next unless defined $what;
	if ($what eq "h") { print "btrfs-stream\0", pack("L<", $words[0]) }
	elsif ($what eq "c") { my $nr = shift @words; print command($nr, 0, @words) }
	elsif ($what eq "x") { my $nr = shift @words; print command($nr, 1, @words) }
	elsif ($what eq "l") { print pack "L<S<L<", @words, 0 }
	elsif ($what eq "b") { print pack "H*", $words[0] // "" }
	elsif ($what eq "s") { print command(1, 0, "15s:s", "1x:" . "12" x 16, "2q:9") }
	elsif ($what eq "e") { print command(21, 0) }
	else { die "line $_" }
}
