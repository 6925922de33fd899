#!/usr/bin/env bash
# One large sample from many tasks: each makes its own range of events, and `calogen merge` joins them. A task that is killed
# and requeued makes its file again: files appear whole or not at all, and event i of a seed is always the same.
#
#   export WEIGHTS=hgcal-small EVENTS=1000000 OUT=/path/showers    # and what else the variables below name
#   job=$(sbatch --parsable --array=0-7 tools/cluster/slurm.sh)
#   sbatch --dependency=afterok:"$job" --wrap "calogen merge $OUT/part-*.h5 --out $OUT/showers.h5"
#
#SBATCH --job-name=calogen
#SBATCH --requeue
#SBATCH --cpus-per-task=2
#SBATCH --mem=4G
#SBATCH --time=12:00:00
## For GPUs: #SBATCH --gres=gpu:1

set -euo pipefail

: "${WEIGHTS:?name or file of the weights}" "${EVENTS:?number of events of all tasks together}" "${OUT:?folder for the parts}"
CALOGEN=${CALOGEN:-calogen}
SEED=${SEED:-0}
LABELS=${LABELS:-}                # such as "--energy-range 20:90"
OPTIONS=${OPTIONS:-}              # such as "--batch 1024 --device NVIDIA"
tasks=${SLURM_ARRAY_TASK_COUNT:?to be started by sbatch --array=0-N}
task=$((SLURM_ARRAY_TASK_ID - SLURM_ARRAY_TASK_MIN))

# Task k makes the events from EVENTS k / tasks on, up to where task k + 1 begins.
first=$((EVENTS * task / tasks))
count=$((EVENTS * (task + 1) / tasks - first))
part=$(printf '%s/part-%05d.h5' "$OUT" "$task")
mkdir -p "$OUT"
if [ -e "$part" ]; then
    echo "$part is there already"
    exit 0
fi
# shellcheck disable=SC2086 # lists of words
exec "$CALOGEN" generate "$WEIGHTS" --seed "$SEED" --first-event "$first" --events "$count" $LABELS $OPTIONS --out "$part"
