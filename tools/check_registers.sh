#!/usr/bin/env bash
# What a GPU's compiler makes of the kernels, without the GPU: registers, spills, memory of a lane.
#
#   tools/check_registers.sh WRAPPER FAMILY "GENERATOR [FLAG ..]" ..
#   tools/check_registers.sh "sh SCRIPT" navi31 "hgcal-wgan --batch 64" "wgan --batch 8 --tier half"
#
# Plans each generator with the kernels and tiles of GPUs (CALOGEN_GPU_KERNELS) on a software Vulkan that writes down the
# kernels it is given (MESA_SPIRV_DUMP_PATH: Mesa's newest; WRAPPER runs a program on it), and compiles those, and the
# kernels of cooperative matrices, with Mesa's driver for AMD as Debian 12 and 13 have it, for a family of AMD's GPUs (navi21,
# navi31, vega20, ..). Another Mesa than the system's is run by $RADV_WRAPPER, its driver named by $RADV_ICD. Status 1 if a
# kernel needs memory besides its registers, but for those of matrices: the GPUs they are for hold one in half as many.
# Wants libvulkan-dev and calogen's release build.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -ge 3 ] || { sed -n '2,13s/^# \{0,1\}//p' "$0" >&2; exit 2; }
wrapper=$1 family=$2
shift 2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cc -O1 tools/registers.c -o "$work/registers" -lvulkan
mkdir "$work/kernels"
for generator in "$@"; do
    # shellcheck disable=SC2086 # a command and its flags
    CALOGEN_GPU_KERNELS=1 MESA_SPIRV_DUMP_PATH=$work/kernels $wrapper "${CARGO_TARGET_DIR:-target}/release/calogen" \
        bench generate $generator --no-ceilings --no-cold-start --seconds 0.1 >/dev/null
done
CALOGEN_SPIRV=$work/kernels cargo test --release --test shaders -- --ignored >"$work/said" 2>&1 || { cat "$work/said" >&2; exit 1; }

for icd in ${RADV_ICD:-/usr/share/vulkan/icd.d/radeon_icd*.json}; do
    export VK_ICD_FILENAMES=$icd VK_DRIVER_FILES=$icd
done
export RADV_FORCE_FAMILY=$family RADV_DEBUG=nocache
for kernel in "$work"/kernels/*; do
    ${RADV_WRAPPER:-} "$work/registers" "$kernel" 2>"$work/said" || { cat "$work/said" >&2; exit 1; }
done >"$work/table"
sort "$work/table" | awk -F '\t' '
    BEGIN { print "kernel                  as many  registers    waves  spilled  bytes of memory" }
    function row() { if (name) printf "%-22s %8d %5d..%-4d %8d %8d %16d\n", name, n, low, high, waves, spilled, memory }
    $1 != name { row(); name = $1; n = spilled = memory = high = 0; low = waves = 9999 }
    { n++; spilled += $3; memory += $4; if (name !~ /matrix/) bad += $4
      if ($2 < low) low = $2; if ($2 > high) high = $2; if ($5 < waves) waves = $5 }
    END { row(); exit bad > 0 }'
