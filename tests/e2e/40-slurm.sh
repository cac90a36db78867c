#!/usr/bin/env bash
# deploy/slurm's script on a real Slurm of two nodes on this machine: workers join and take tasks; one job is cancelled, one
# node is taken down while its worker is frozen and lives on. Nothing is charged, the stale result is refused and recorded.
command -v slurmctld slurmd munged srun sbatch setpriv >/dev/null && [[ $(id -u) == 0 ]] || {
    echo "SKIPPED: needs root and the packages slurm-wlm and munge" >&2
    exit 77
}
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/cluster.sh"
cd "$SCRATCH" || exit 1
S=$SCRATCH/slurm
stop_slurm() {
    local file
    scancel --full -u root 2>/dev/null
    for file in "$S"/slurmd-*.pid "$S/ctld.pid" "$S/munge/munged.pid"; do
        [[ -s $file ]] && kill "$(<"$file")" 2>/dev/null
    done
    pgrep -f "^slurmstepd: \[" | while read -r step; do # only those of our own Slurm
        grep -qz "^SLURM_CONF=$S/" "/proc/$step/environ" 2>/dev/null && kill -9 "$step"
    done
    sleep 1
}
clean_up() { stop_slurm; stop_cluster; }

start_munge() {
    mkdir -p "$S/munge" && chmod 755 "$S" "$S/munge"
    dd if=/dev/urandom of="$S/munge/key" bs=128 count=1 status=none
    chmod 400 "$S/munge/key"
    chown -R munge "$S/munge"
    setpriv --reuid=munge --regid=munge --clear-groups munged --key-file="$S/munge/key" --socket="$S/munge/sock" \
        --pid-file="$S/munge/munged.pid" --log-file="$S/munge/log" --seed-file="$S/munge/seed" --force || exit 1
}
slurm_conf() { # slurm_conf PORT: the controller's, and the nodes' above it
    local host
    host=$(hostname -s)
    cat <<CONF
ClusterName=e2e
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$S/munge/sock
CredType=cred/munge
SlurmctldPort=$1
SlurmctldPidFile=$S/ctld.pid
SlurmdPidFile=$S/slurmd-%n.pid
SlurmdSpoolDir=$S/spool/%n
StateSaveLocation=$S/state
SlurmctldLogFile=$S/ctld.log
SlurmdLogFile=$S/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SwitchType=switch/none
KillWait=10
SchedulerParameters=batch_sched_delay=0,sched_interval=5,bf_interval=5,sched_min_interval=0
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=$(($1 + 1)) CPUs=4 RealMemory=500 State=UNKNOWN
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=$(($1 + 2)) CPUs=4 RealMemory=500 State=UNKNOWN
PartitionName=main Nodes=n[1-2] Default=YES MaxTime=INFINITE State=UP OverSubscribe=YES
CONF
}
idle_nodes() { [[ $(sinfo -h -N -t idle -o %N | sort -u | wc -l) == 2 ]]; }
start_slurm() {
    mkdir -p "$S/state" "$S/spool/n1" "$S/spool/n2"
    slurm_conf $((20000 + $$ % 10000)) >"$S/slurm.conf"
    export SLURM_CONF=$S/slurm.conf
    slurmctld -f "$SLURM_CONF" -i >"$S/out" 2>&1 && slurmd -f "$SLURM_CONF" -N n1 >>"$S/out" 2>&1 &&
        slurmd -f "$SLURM_CONF" -N n2 >>"$S/out" 2>&1 || { cat "$S/out" >&2; exit 1; }
    wait_for 30 "two idle nodes" idle_nodes || { tail -5 "$S"/*.log >&2; exit 1; }
}

start_postgres
start_munge
start_slurm
start_coordinator --listen 'tcp://127.0.0.1:*' --lease 4s --heartbeat 500ms --disconnect-grace 1h
JOIN=${JOIN/localhost/127.0.0.1}
export ACSWEEP_COORDINATOR=$JOIN ACSWEEP_WORKER=$ACSWEEP_BIN/acsweep-worker ACSWEEP_SCRATCH=$SCRATCH ACSWEEP_DRAIN_GRACE=3s
cat >sweep.cfg <<'CFG'
name = "slurm";
seed = 4;
load = { tasks = 60; depth = 2; executor = "fake"; fake = { sleep_ms = 2000; sleep_max_ms = 3000; }; };
retries = { backoff = "100ms"; backoff_max = "200ms"; };
CFG
expect 0 acsweep submit sweep.cfg

# One job over both nodes, and one of its own on n1; each worker is a node with a name of its own.
submit() { sbatch --parsable --output="$SCRATCH/job-%j.log" "${@}" "$SOURCE/deploy/slurm/acsweep-worker.sbatch" --slots 2 --credits 1; }
BOTH=$(submit --nodes=2 --time=60)
wait_for 30 "workers on both nodes" is 2 "SELECT count(DISTINCT node) FROM workers WHERE state = 'joined' AND node IN ('n1-$BOTH', 'n2-$BOTH')"
ONE=$(submit --nodes=1 --nodelist=n1 --time=60)
running() { [[ $(query "SELECT count(*) FROM attempts WHERE outcome = 'running' AND node = '$1'") -ge 1 ]]; }
wait_for 30 "tasks on the job of one node" running "n1-$ONE"
wait_for 30 "tasks on n2" running "n2-$BOTH"

# scancel: asked for checkpoints, returned, gone.
expect 0 scancel "$ONE"
wait_for 20 "the cancelled job's worker to leave" is left "SELECT state FROM workers WHERE node = 'n1-$ONE'"
wait_for 10 "its tasks back" is 0 "SELECT count(*) FROM attempts WHERE outcome = 'running' AND node = 'n1-$ONE'"

# n2 goes down with its worker frozen. The slurmd is killed, so nobody ends the worker.
worker_on() { # its pid
    pgrep -x acsweep-worker | while read -r pid; do
        tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | grep -qx "SLURMD_NODENAME=$1" &&
            tr '\0' '\n' <"/proc/$pid/environ" | grep -qx "ACSWEEP_E2E_MARK=$SCRATCH" && echo "$pid"
    done
}
wait_for 20 "tasks on n2" running "n2-$BOTH"
OLD=$(worker_on n2)
[[ $OLD =~ ^[0-9]+$ ]] || fail "not one worker on n2: '$OLD'"
kill -STOP "$OLD"
kill -KILL "$(<"$S/slurmd-n2.pid")"
expect 0 scontrol update nodename=n2 state=down reason=test
wait_for 20 "its leases to run out" is silent "SELECT state FROM workers WHERE node = 'n2-$BOTH'"
LOST=$(query "SELECT count(*) FROM attempts WHERE outcome = 'lost' AND node = 'n2-$BOTH'")
((LOST >= 1)) || fail "no attempt was lost on n2"
kill -0 "$OLD" || fail "the old worker did not outlive its node"

# Other nodes do its tasks; then it wakes up, with results that nobody waits for.
submit --nodes=1 --nodelist=n1 --time=60 >"$OUT" 2>"$ERR" || fail "the third job: $(cat "$ERR")"
wait_for 30 "its tasks on another node" is "$LOST" "SELECT count(DISTINCT task_id) FROM attempts a WHERE node = 'n2-$BOTH' AND outcome = 'lost' AND EXISTS (SELECT 1 FROM attempts b WHERE b.task_id = a.task_id AND b.attempt > a.attempt AND b.node <> a.node)"
kill -CONT "$OLD"
fenced() { (($(query "SELECT count(*) FROM event WHERE kind = 'result.fenced' AND worker_id IN (SELECT worker_id FROM worker WHERE node = 'n2-$BOTH')") >= 1)); }
wait_for 20 "the refused result as an event" fenced

wait_for 120 "the end of the sweep" is 60 "SELECT count(*) FROM tasks WHERE status = 'done'"
is 0 "SELECT count(*) FROM attempts WHERE charged AND outcome <> 'succeeded'" || fail "an attempt was charged"
is 60 "SELECT count(*) FROM attempts WHERE outcome = 'succeeded'" || fail "a task was done twice"
kill -TERM "$OLD" 2>/dev/null
scancel --full -u root
wait_for 30 "the workers' end" bash -c '! pgrep -x acsweep-worker | while read -r p; do tr "\0" "\n" <"/proc/$p/environ"; done | grep -qx "ACSWEEP_E2E_MARK='"$SCRATCH"'"'
stop_slurm
stop_cluster
none_left 20
