#!/usr/bin/env bash
# Does any kernel reach outside its buffers? The Khronos validation layer watches every access of the op tests.
#
#   tools/check_bounds.sh [WRAPPER [FILTER ..]]     WRAPPER runs a program on a driver; FILTER: parts of tests' names
#
# Devices are opened without the driver's bounds checks (src/gpu/unbounded.rs), so this is what shows where none are needed.
# Wants the layer of version 1.4 or newer, as older ones do not know WGSL as a source (Debian 13: vulkan-validationlayers;
# VK_LAYER_PATH names the folder of another). Convolutions take minutes a test, the others a second or so: give filters. Mesa 26's
# software Vulkan crashes on what the layer makes of the kernels; Debian 12's runs them.
set -euo pipefail
cd "$(dirname "$0")/.."
wrapper=${1:-}
[ $# -eq 0 ] || shift

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/vk_layer_settings.txt" <<END
khronos_validation.gpuav_enable = true
khronos_validation.gpuav_buffers_validation = false
khronos_validation.enable_message_limit = false
khronos_validation.debug_action = VK_DBG_LAYER_ACTION_LOG_MSG
khronos_validation.report_flags = error
khronos_validation.log_filename = $work/log
END
cargo test --test ops --no-run --message-format=json >"$work/built"
ops=$(sed -n 's/.*"executable":"\([^"]*\/ops-[^"]*\)".*/\1/p' "$work/built" | tail -1)

watched() { # ARGUMENTS of the test program; its output goes to $work/said, what the layer saw to $work/seen
    rm -f "$work/log"
    # shellcheck disable=SC2086 # a command and its arguments
    CARGO_MANIFEST_DIR=$PWD VK_INSTANCE_LAYERS=VK_LAYER_KHRONOS_validation VK_LAYER_SETTINGS_PATH=$work \
        $wrapper "$ops" "$@" >"$work/said" 2>&1 || { tail -20 "$work/said" >&2; exit 1; }
    # Of uniforms wgpu itself demands that a binding holds them; there the layer also names lanes that have left a loop.
    grep -a -s -A 7 'storageBuffers-06936 \]' "$work/log" >"$work/seen" || true
}

watched --ignored an_access_outside_is_seen
[ -s "$work/seen" ] || { echo "check_bounds: the layer did not see an access outside a buffer; nothing is checked" >&2; exit 1; }
watched "$@"
if grep -q '^running 0 tests' "$work/said"; then
    echo "check_bounds: no test has such a name" >&2
    exit 1
fi
grep '^test result' "$work/said"
if [ -s "$work/seen" ]; then
    cat "$work/seen"
    exit 1
fi
echo "no access outside a buffer"
