#!/usr/bin/env bash
# Time and memory of long generations: both grow with the number of showers, or they do not.
#
#   tools/check_memory.sh CALOGEN [WEIGHTS [EVENTS...]]      (default: hgcal-small 10000 100000 1000000)
#
# CALOGEN may be several words, such as a script that sets a driver, and the program. Files go to $TMPDIR, else /tmp, and are
# deleted; a million showers of hgcal-small take 0.7 GB.

set -euo pipefail
read -ra calogen <<<"${1:?the program}"
weights=${2:-hgcal-small}
shift $(($# < 2 ? $# : 2))
[ $# -gt 0 ] || set -- 10000 100000 1000000
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

printf '%-12s %10s %10s %12s %16s %14s\n' "$weights" showers seconds showers/s "memory, MB" "file, MB"
for option in --sparse ""; do
    for events in "$@"; do
        # shellcheck disable=SC2086
        "${calogen[@]}" generate "$weights" --events "$events" --seed 1 --out "$work/f.h5" --json $option 2>/dev/null >"$work/json"
        value() { sed -n "s/.*\"$1\": \([0-9.e-]*\).*/\1/p" "$work/json"; }
        awk -v k="${option:-dense}" -v n="$events" -v s="$(value seconds)" -v m="$(value peak_memory_bytes)" \
            -v f="$(stat -c %s "$work/f.h5")" \
            'BEGIN { printf "%-12s %10d %10.1f %12.0f %16.0f %14.1f\n", k, n, s, n / s, m / 1e6, f / 1e6 }'
        rm "$work/f.h5"
    done
done
