#!/usr/bin/env bash
# Kills a training and a generation at random moments, fills the disk, and takes away the right to write: whatever happens, the
# last good checkpoint loads and resumes, and no half file is found under a final name.
#
#   tools/check_kill.sh CALOGEN [KILLS]      (default: 100)

set -euo pipefail
cd "$(dirname "$0")/.."
calogen=$(realpath "${1:?the program}")
kills=${2:-100}
work=$(mktemp -d)
trap 'umount "$work/small" 2>/dev/null || true; chmod -R u+w "$work"; rm -rf "$work"' EXIT

training=(train hgcal-wgan --preset small --data tests/data/hgcal_sample.h5 --batch 8 --checkpoint-every 0.2 --log-every 1)
train() { "$calogen" "${training[@]}" "$@"; }
generate() { "$calogen" generate "$@"; }
fail() {
    echo "check_kill: $*" >&2
    exit 1
}

# Beside the named ones only hidden files of a writer that was killed.
only() { # FOLDER NAME...
    local found folder=$1
    shift
    found=$(find "$folder" -mindepth 1 -maxdepth 1 ! -name '.*' -printf '%f\n' | sort | tr '\n' ' ')
    for name in $found; do
        case " $* " in *" $name "*) ;; *) fail "$folder holds $name" ;; esac
    done
}

train --out "$work/run" --steps 3 >/dev/null 2>&1
resumed=0
for i in $(seq "$kills"); do
    # In the background a function is a shell of its own, whose death the program would outlive: `exec` makes them one.
    if ((i % 4)); then
        (exec "$calogen" "${training[@]}" --out "$work/run" --steps 1000000 --resume) >"$work/log" 2>&1 &
    else
        (exec "$calogen" generate "$work/run" --events 200000 --energy 50 --out "$work/showers.h5") >"$work/log" 2>&1 &
    fi
    child=$!
    # 0.2 s to 6.2 s: while it starts, compiles, computes and writes.
    sleep "$(awk -v r="$RANDOM" 'BEGIN { printf "%.3f", 0.2 + 6 * r / 32768 }')"
    kill -9 "$child" 2>/dev/null || fail "kill $i: it ended by itself: $(tail -1 "$work/log")"
    wait "$child" 2>/dev/null || true
    only "$work" run log err small
    only "$work/run" model.safetensors checkpoint.safetensors config.toml losses.csv losses.png
    # Every tenth time the checkpoint goes on and the weights generate; each time they are at least read.
    "$calogen" generate "$work/run" --events 8 --energy 50 --out "$work/check.h5" >/dev/null 2>"$work/err" ||
        fail "kill $i: the weights do not generate: $(cat "$work/err")"
    rm -f "$work/check.h5"
    if ((i % 10 == 0)); then
        last=$(tail -1 "$work/run/losses.csv" | cut -d, -f1)
        train --out "$work/run" --steps "$((last + 2))" --resume >/dev/null 2>"$work/err" ||
            fail "kill $i: the checkpoint does not resume: $(cat "$work/err")"
        resumed=$((resumed + 1))
    fi
done
# The next one that writes there sweeps up what the killed ones left.
"$calogen" generate "$work/run" --events 8 --energy 50 --out "$work/showers.h5" >/dev/null 2>"$work/err" || fail "$(cat "$work/err")"
left=$(find "$work" -maxdepth 1 -name '.*-showers.h5')
[ -z "$left" ] || fail "left behind: $left"
rm "$work/showers.h5"
echo "$kills kills, $resumed checks by resuming: no half file, no lost checkpoint"

full() { # WHAT, then a command that must fail with one message
    local what=$1 status=0
    shift
    "$@" >"$work/log" 2>"$work/err" || status=$?
    [ "$status" = 1 ] || fail "$what: status $status: $(cat "$work/err")"
    ! grep -qi 'panic\|internal error\|backtrace' "$work/err" || fail "$what: $(cat "$work/err")"
    echo "$what: $(grep '^calogen:' "$work/err" | tail -1)"
}

mkdir "$work/small"
if mount -t tmpfs -o size=256k tmpfs "$work/small" 2>/dev/null; then
    full "disk full, generate" generate tools/weights/hgcal-small.safetensors --events 2000 --energy 50 --out "$work/small/showers.h5"
    only "$work/small"
    full "disk full, train" train --out "$work/small/run" --steps 3
    [ ! -e "$work/small/run" ] || only "$work/small/run" config.toml losses.csv
    umount "$work/small"
else
    echo "disk full: not tested, mounting a small file system needs root"
fi

cp "$work/run/model.safetensors" "$work/before"
if [ "$(id -u)" = 0 ]; then
    as_user() { setpriv --reuid=65534 --clear-groups "$@"; }
    chmod 755 "$work" "$work/run"
else
    as_user() { "$@"; }
    chmod a-w "$work/run"
fi
if as_user test -x "$calogen" && as_user test -r tests/data/hgcal_sample.h5; then
    full "read-only folder, generate" as_user "$calogen" generate "$work/run/model.safetensors" --events 8 --energy 50 \
        --out "$work/run/showers.h5"
    full "read-only folder, train" as_user "$calogen" "${training[@]}" --out "$work/run" --steps 1000000 --resume
    cmp "$work/before" "$work/run/model.safetensors"
else
    echo "read-only folder: not tested, the program is not readable to others"
fi
