#!/usr/bin/env bash
# How much of its rate a generator keeps when its showers go to a file: generation to nowhere and to files of every kind in turn,
# the steady state alone (the difference of a long run and a short one), the median of several rounds. On a busy machine whose
# adapter is the processor itself, the seconds of all processors say more than the clock.
#
#   tools/check_rate.sh CALOGEN [WEIGHTS [EVENTS [ROUNDS]]]      (default: hgcal-small 40000 3)
#
# CALOGEN may be several words, such as a script that sets a driver, and the program. Files go to $TMPDIR, else /tmp.

set -euo pipefail
read -ra calogen <<<"${1:?the program}"
weights=${2:-hgcal-small} events=${3:-40000} rounds=${4:-3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Seconds of generation by the clock, and of all processors.
seconds() { # EVENTS OPTION...
    local n=$1 TIMEFORMAT='%U %S'
    shift
    { time "${calogen[@]}" generate "$weights" --events "$n" --seed 1 --json "$@" >"$work/json" 2>/dev/null; } 2>"$work/time"
    echo "$(sed -n 's/.*"seconds": \([0-9.e-]*\).*/\1/p' "$work/json") $(tail -1 "$work/time")"
}

declare -A options=(
    ["nowhere"]="--discard"
    ["dense"]="--out $work/f.h5"
    ["dense, uncompressed"]="--out $work/f.h5 --compression 0"
    ["nowhere, sparse"]="--discard --sparse"
    ["sparse"]="--out $work/f.h5 --sparse"
    ["sparse, uncompressed"]="--out $work/f.h5 --sparse --compression 0"
    ["sparse, half"]="--out $work/f.h5 --sparse --half"
)
kinds=("nowhere" "dense" "dense, uncompressed" "nowhere, sparse" "sparse" "sparse, uncompressed" "sparse, half")
short=$((events / 8))
seconds 64 --discard >/dev/null # pipelines into the cache
for ((i = 0; i < rounds; i++)); do
    for kind in "${kinds[@]}"; do
        # shellcheck disable=SC2086
        few=$(seconds $short ${options[$kind]}) all=$(seconds "$events" ${options[$kind]})
        size=$(stat -c %s "$work/f.h5" 2>/dev/null || echo 0)
        rm -f "$work/f.h5"
        echo "$kind|$few $all" | awk -F'|' -v n=$((events - short)) -v s=$((size / events)) \
            '{ split($2, t, " "); print $1 "|" (t[4] - t[1]) / n "|" (t[5] + t[6] - t[2] - t[3]) / n "|" s }'
    done
done >"$work/rates"
median() { grep "^$1|" "$work/rates" | cut -d'|' -f"$2" | sort -g | sed -n "$(((rounds + 1) / 2))p"; }
printf '%-22s %10s %8s %16s %8s %14s\n' "$weights" "showers/s" "share" "processors, ms" "share" "bytes a shower"
for kind in "${kinds[@]}"; do
    awk -v k="$kind" -v t="$(median "$kind" 2)" -v t0="$(median nowhere 2)" -v c="$(median "$kind" 3)" -v c0="$(median nowhere 3)" \
        -v s="$(median "$kind" 4)" \
        'BEGIN { printf "%-22s %10.0f %7.0f%% %16.4f %7.0f%% %14d\n", k, 1 / t, 100 * t0 / t, 1e3 * c, 100 * c0 / c, s }'
done
