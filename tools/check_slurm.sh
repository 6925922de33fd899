#!/usr/bin/env bash
# Runs tools/cluster/slurm.sh on a Slurm of its own: eight tasks on this machine, one of them killed and requeued on the way;
# the merged file must hold exactly what one run makes.
#
#   tools/check_slurm.sh CALOGEN [EVENTS]
#
# Needs root and Debian's packages slurmctld slurmd slurm-client munge. Touches no Slurm that is configured here.

set -euo pipefail
cd "$(dirname "$0")/.."
calogen=$(realpath "${1:?the program}")
export EVENTS=${2:-4003} # no multiple of eight
work=$(mktemp -d)
chmod 755 "$work"

host=$(hostname -s)
export SLURM_CONF=$work/slurm.conf
mkdir -p "$work"/{state,spool,log,munge}
cat >"$SLURM_CONF" <<CONF
ClusterName=check
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
AuthType=auth/munge
AuthInfo=socket=$work/munge/socket
CryptoType=crypto/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$work/log/slurmctld
SlurmdLogFile=$work/log/slurmd
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=requeue_delay=1
MinJobAge=600
ReturnToService=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=check Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF

stop() {
    scancel --full --quiet --user="$(id -un)" 2>/dev/null || true
    for name in slurmctld slurmd munged; do
        [ ! -s "$work/$name.pid" ] || kill "$(cat "$work/$name.pid")" 2>/dev/null || true
    done
    sleep 1
    rm -rf "$work"
}
trap stop EXIT

dd if=/dev/urandom of="$work/munge/key" bs=1 count=1024 status=none
chmod 700 "$work/munge" && chmod 400 "$work/munge/key"
chmod 755 "$work/munge"
munged --force --key-file="$work/munge/key" --socket="$work/munge/socket" --pid-file="$work/munged.pid" \
    --log-file="$work/log/munged" --seed-file="$work/munge/seed"
slurmctld -f "$SLURM_CONF"
slurmd -f "$SLURM_CONF"
for _ in $(seq 60); do
    [ "$(sinfo --noheader --format=%T 2>/dev/null || true)" != idle ] || break
    sleep 1
done
sinfo

# One core a task, so that several run at once and others wait.
export WEIGHTS=$PWD/tools/weights/hgcal-small.safetensors OUT=$work/out CALOGEN=$calogen SEED=7 LABELS="--energy 20,55,90"
job=$(sbatch --parsable --array=0-7 --cpus-per-task=1 --mem=0 --time=30 --output="$work/log/%a" tools/cluster/slurm.sh)
state() { squeue --noheader --array --job "${job}_$1" --format=%T 2>/dev/null || true; }
for _ in $(seq 600); do
    [ "$(state 0)" != RUNNING ] || break
    sleep 0.1
done
scontrol requeue "${job}_0"
echo "task 0 killed and requeued while it ran"
while squeue --noheader --job "$job" 2>/dev/null | grep -q .; do sleep 1; done
restarts=$(scontrol show job "${job}_0" | grep -o 'Restarts=[0-9]*')
echo "task 0: $restarts"
[ "$restarts" = Restarts=1 ]

"$calogen" merge "$work"/out/part-*.h5 --out "$work/merged.h5"
"$calogen" generate "$WEIGHTS" --seed "$SEED" --energy 20,55,90 --events "$EVENTS" --out "$work/whole.h5"
cmp "$work/merged.h5" "$work/whole.h5"
[ "$(find "$work/out" -type f | wc -l)" = 8 ]
echo "eight tasks, one of them requeued, made the file of one run, byte for byte: $EVENTS events"
