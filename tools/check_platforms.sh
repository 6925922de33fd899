#!/usr/bin/env bash
# Runs the whole suite, unchanged, on every software driver that is found, and prints a table.
#
#   tools/check_platforms.sh [TEST...]      TEST: names of test binaries, such as ops (default: all)
#
# Drivers: the first adapter; wgpu's GL backend; SwiftShader, which Debian's package `chromium` brings (SWIFTSHADER names
# another vk_swiftshader_icd.json); and those whose Vulkan manifests DRIVERS lists, with blanks between.

# shellcheck source-path=SCRIPTDIR source=setup.sh
. "$(dirname "$0")/setup.sh"

tests=()
for name in "$@"; do tests+=(--test "$name"); done
cargo test "${tests[@]}" --no-run
cargo build
log=$(mktemp -d)
trap 'rm -rf "$log"' EXIT
status=0
table=()

run() { # NAME VARIABLE=VALUE...
    local name=$1 driver start=$SECONDS ended=0
    shift
    driver=$(env "$@" "$target/debug/calogen" devices 2>/dev/null | sed -n 's/^ *driver *//p' | head -1)
    if [ -z "$driver" ]; then
        table+=("$name|not found|")
        return
    fi
    echo "== $name: $driver"
    env "$@" cargo test "${tests[@]}" --no-fail-fast >"$log/$name" 2>&1 </dev/null || ended=$?
    grep -E '^test .* FAILED$|panicked at|aborting|SIG[A-Z]+' "$log/$name" || true
    count() { awk -v what="$1" '/^test result:/ { for (i = 2; i <= NF; i++) if ($i ~ "^" what) n += $(i - 1) } END { print n + 0 }' "$log/$name"; }
    [ $ended = 0 ] || status=1
    table+=("$name|$driver|$(count passed) passed, $(count failed) failed, $((SECONDS - start)) s$([ $ended = 0 ] || echo ", FAILED")")
}

run "first adapter" RUST_BACKTRACE=0
run "GL" WGPU_BACKEND=gl
swiftshader=${SWIFTSHADER:-/usr/lib/chromium/vk_swiftshader_icd.json}
for manifest in "$swiftshader" ${DRIVERS:-}; do
    name=$(basename "$manifest" .json)
    if [ -e "$manifest" ]; then
        run "$name" WGPU_BACKEND=vulkan VK_DRIVER_FILES="$manifest" VK_ICD_FILENAMES="$manifest"
    else
        table+=("$name|not found|")
    fi
done

printf '\n'
for row in "${table[@]}"; do
    IFS='|' read -r name driver result <<<"$row"
    printf '%-22s %-44s %s\n' "$name" "$driver" "$result"
done
exit $status
