#!/usr/bin/env bash
# All tests, with all features; the generator alone; the embedding example; the C interface.

# shellcheck source-path=SCRIPTDIR source=setup.sh
. "$(dirname "$0")/setup.sh"

start=$SECONDS
log=$(mktemp)
trap 'rm -f "$log"' EXIT

echo "== the generator alone builds"
cargo build --release --no-default-features --lib

echo "== tests"
status=0
cargo test --release --all-features --no-fail-fast 2>&1 | tee "$log" || status=$?

echo "== the kernels that GPUs take, where no GPU is"
CALOGEN_GPU_KERNELS=1 cargo test --release --all-features --test ops 2>&1 | tee -a "$log" || status=$?
# and with the tiles of GPUs that have half the registers
CALOGEN_GPU_KERNELS=128 cargo test --release --all-features --test ops conv 2>&1 | tee -a "$log" || status=$?
CALOGEN_GPU_KERNELS=128 cargo test --release --all-features --test systems -- \
    generate transfer several embed events_are_equal 2>&1 | tee -a "$log" || status=$?

echo "== the embedding example"
cp Cargo.lock tools/embed/Cargo.lock # the same versions
CARGO_TARGET_DIR=$target cargo run --release --manifest-path tools/embed/Cargo.toml -- \
    tools/weights/hgcal-small.safetensors || status=$?

echo "== the C interface, from C, C++ and Python"
tools/check_capi.sh release || status=$?

echo "== results after $((SECONDS - start)) s"
grep -E '^ *(Running|Doc-tests) |^test result:|^test .* FAILED$' "$log" | sed -E 's/ \([^ ]*\)$//' || true
[ $status = 0 ] || die "FAILED"
