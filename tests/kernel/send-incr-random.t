#!/bin/bash
# Incremental send after random operations; a seed makes them repeatable.  For a
# long run see tests/stress/send-random.sh.

# shellcheck source=../lib/send.sh
. "$(dirname "$0")/../lib/send.sh"

randops() { "$TESTS_LIB/randops.py" "$@"; }

# Scenarios run later: what they need is noted after "scenario" has run the last.
random_step() {
	local first=$1 count=$2 kind=$3
	shift 3

	scenario "seed $first, $count operations, profile $kind${*:+, $*}" "$@"
	seed=$first nops=$count profile=$kind
	populate() { randops "$seed" "$nops" --profile "$profile"; }
	mutate() {
		randops $((seed + 1)) "$nops" --profile "$profile"
		sync -f .
		randops $((seed + 2)) "$nops" --profile "$profile"
	}
}

random_step 100 30 names
random_step 200 100 names mkfs="-n 4096"
random_step 300 250 names
random_step 400 500 names mkfs="-n 4096" clones=one
random_step 500 40 data
random_step 600 120 data mkfs="-n 4096 -O ^no-holes"
random_step 700 250 data mount=compress-force=zstd
random_step 800 250 data mkfs="-n 4096" clones=one
random_step 900 60 all
random_step 1000 200 all mkfs="-O ^no-holes"
random_step 1100 400 all mkfs="-n 4096" mount=compress=lzo
random_step 1200 400 all mkfs="-n 65536" proto=2
random_step 1300 200 all proto=2 flags=--compressed-data mount=compress-force=zlib
random_step 1400 200 data proto=2 flags=--compressed-data mount=compress-force=lzo clones=one

# Three steps, each sent against the one before.
random_chain() {
	local first=$1 count=$2 kind=$3
	shift 3

	scenario "seed $first, a chain of three, $count operations, profile $kind${*:+, $*}" \
		send="two three four" clones=one flags=-e "$@"
	seed=$first nops=$count profile=$kind
	populate() {
		randops "$seed" "$nops" --profile "$profile"
		snap one
		randops $((seed + 1)) "$nops" --profile "$profile"
		snap two
		randops $((seed + 2)) "$nops" --profile "$profile"
		snap three
		randops $((seed + 3)) "$nops" --profile "$profile"
		snap four
	}
}

random_chain 2000 150 names
random_chain 2100 150 data mkfs="-n 4096"
random_chain 2200 200 all
random_chain 2300 100 all proto=2 mount=compress=zstd

# Backwards, and against a subvolume that has nothing in common but numbers.
random_strange() {
	local first=$1 count=$2 kind=$3
	shift 3

	scenario "seed $first, against another subvolume, $count operations, profile $kind" \
		send=two parent=one "$@"
	seed=$first nops=$count profile=$kind
	populate() {
		randops "$seed" "$nops" --profile "$profile"
		snap one
		peer subvolume create "$MNT/new"
		cd "$MNT/new"
		randops $((seed + 1)) "$nops" --profile "$profile"
		peer subvolume snapshot -r . "$MNT/two"
	}
}

random_strange 3000 50 names
random_strange 3100 200 names mkfs="-n 4096"
random_strange 3200 200 all

done_testing
