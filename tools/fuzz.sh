#!/usr/bin/env bash
# Reads broken files for as long as one likes: what tests/fuzz does for half a second in each run of the tests.
#
#   tools/fuzz.sh MINUTES [TARGET]      MINUTES for each target; targets are listed in tests/fuzz/targets.rs
#
# A file that ends a reader is kept in tests/fuzz/corpus/TARGET. Each start has new seeds; CALOGEN_FUZZ_SEED=N repeats one.

# shellcheck source-path=SCRIPTDIR source=setup.sh
. "$(dirname "$0")/setup.sh"

export CALOGEN_FUZZ_MINUTES=${1:?minutes for each target} CALOGEN_FUZZ_TARGET=${2:-}
export CALOGEN_FUZZ_SEED=${CALOGEN_FUZZ_SEED:-$(date +%s)}
echo "seed $CALOGEN_FUZZ_SEED"
cargo test --test fuzz -- --exact --nocapture readers_survive_broken_files
