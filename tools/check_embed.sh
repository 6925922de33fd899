#!/usr/bin/env bash
# What the generator costs a program that embeds it: size of tools/embed, time and memory from its start to 100 showers.
#
#   tools/check_embed.sh [WEIGHTS]      (default: hgcal-small)        Needs python3, for the figures alone.

# shellcheck source-path=SCRIPTDIR source=setup.sh
. "$(dirname "$0")/setup.sh"

weights=${1:-tools/weights/hgcal-small.safetensors}
cp Cargo.lock tools/embed/Cargo.lock # the same versions
CARGO_TARGET_DIR=$target cargo build --release --manifest-path tools/embed/Cargo.toml
program=$target/release/embed
[ -e "$program" ] || die "no $program"
small=$(mktemp)
trap 'rm -f "$small"' EXIT
strip -o "$small" "$program"
chmod +x "$small"
"$small" "$weights"
python3 - "$program" "$small" "$weights" <<'PYTHON'
import os, resource, subprocess, sys, tempfile, time

program, small, weights = sys.argv[1:]
print(f"size: {os.path.getsize(program) / 1e6:.1f} MB, {os.path.getsize(small) / 1e6:.1f} MB without symbols")

def start(cache):
    begin = time.monotonic()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = dict(os.environ, CALOGEN_CACHE=cache, MESA_SHADER_CACHE_DIR=cache)
    subprocess.run([small, weights], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.monotonic() - begin, now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime

with tempfile.TemporaryDirectory() as cache:
    first = start(cache)
    later = sorted(start(cache) for _ in range(5))[2]
for name, (wall, processor) in [("first start", first), ("later ones", later)]:
    print(f"{name}: {wall:.2f} s to 100 showers, {processor:.2f} s of processors")
print(f"resident memory at most: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3:.0f} MB, the driver's included")
PYTHON
