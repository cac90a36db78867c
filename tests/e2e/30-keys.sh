#!/usr/bin/env bash
# Keys: needed beyond loopback; who is not on the list stays out, with a line on both sides; who is taken off it while it works
# is cut off, and others do its tasks; workers' keys cannot command.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/cluster.sh"
cd "$SCRATCH" || exit 1
clean_up() { stop_cluster; }
start_postgres

# Without keys: refused, saying what to do.
expect 3 acsweep-coordinator --database "$DATABASE" --listen 'tcp://0.0.0.0:*'
has "$ERR" "has no keys"
has "$ERR" "acsweep keygen coordinator"

mkdir keys
for who in coordinator good other stranger boss; do
    expect 0 acsweep keygen "keys/$who"
done
allow() { expect 0 acsweep keys allow --database "$DATABASE" "$@"; }
allow keys/good.pub --name good
allow keys/boss.pub --role control
start_coordinator --listen 'tcp://0.0.0.0:*' --key keys/coordinator.key --lease 4s --heartbeat 500ms
worker() { # worker NAME [ARG...]
    acsweep-worker --coordinator "$JOIN" --key "keys/$1.key" --state "$SCRATCH/w-$1" --name "$1" --drain-grace 1s "${@:2}" \
        </dev/null >"$1.log" 2>&1 &
}
[[ $JOIN == acsweep://*key=* ]] || fail "the join string has no key: $JOIN"
# The host's name need not resolve where tests run.
[[ $JOIN =~ :([0-9]+\?key=.*)$ ]] && JOIN=acsweep://127.0.0.1:${BASH_REMATCH[1]}

# An allowed worker joins; an unknown one does not, and both sides say why.
worker good --slots 2 --credits 1
GOOD=$!
worker stranger
STRANGER=$!
joined() { is 1 "SELECT count(*) FROM workers WHERE node = '$1' AND state = 'joined'"; }
wait_for 20 "the allowed worker" joined good
wait_for 20 "the coordinator's line about the stranger" grep -q "zap.denied" coordinator.log
has coordinator.log "key not on the allow-list"
wait_for 20 "the stranger's line" grep -q "chan.refused" stranger.log
is 0 "SELECT count(*) FROM workers WHERE node = 'stranger'" || fail "the stranger is among the workers"

# Let in while the cluster runs.
allow keys/stranger.pub --name late
wait_for 30 "the stranger, allowed now" joined stranger
kill -TERM "$STRANGER"
wait "$STRANGER" || fail "a worker that was asked to leave ended with $?"

# Control needs a key of that role.
cat >sweep.cfg <<'CFG'
name = "keys";
seed = 1;
load = { tasks = 8; depth = 1; executor = "fake"; fake = { sleep_ms = 4000; sleep_max_ms = 4000; }; };
retries = { backoff = "100ms"; backoff_max = "200ms"; };
CFG
expect 4 acsweep submit sweep.cfg --coordinator "$JOIN" --key keys/good.key
has "$ERR" "keys allow FILE.pub --role control"
expect 0 acsweep submit sweep.cfg --coordinator "$JOIN" --key keys/boss.key
# On the coordinator's own machine its state directory has the address and key, and may have one's own key.
expect 4 acsweep submit sweep.cfg --state "$SCRATCH" --timeout 2s
has "$ERR" "does not allow our public key"
cp keys/boss.key control.key
expect 0 acsweep submit sweep.cfg --state "$SCRATCH"
worker boss
wait_for 20 "the boss's refusal" grep -q "keys allow FILE.pub --role worker" boss.log

# Revoked at work: cut off, and its tasks are done by another, uncharged.
wait_for 20 "tasks at work" is 2 "SELECT count(*) FROM attempts WHERE outcome = 'running' AND node = 'good'"
expect 0 acsweep keys revoke --database "$DATABASE" good
wait_for 10 "the revoked worker's end" bash -c "! kill -0 $GOOD"
wait "$GOOD" && fail "a revoked worker ended with 0"
has good.log "the key of this worker was revoked"
has coordinator.log "worker.revoked"
wait_for 10 "the lost attempts" is 2 "SELECT count(*) FROM attempts WHERE outcome = 'lost' AND NOT charged AND message = 'its key was revoked'"
is left "SELECT state FROM workers WHERE node = 'good'" || fail "the revoked worker is $(query "SELECT state FROM workers WHERE node = 'good'")"
is 1 "SELECT count(*) FROM event WHERE kind = 'worker.revoked'" || fail "no event"
rm good.log
worker good
wait_for 20 "the revoked worker's refusal" grep -q "chan.refused" good.log
kill -TERM $! && wait $!

# A coordinator that is started anew keeps it out and goes on with the tasks.
kill -TERM "$COORDINATOR_PID" && wait "$COORDINATOR_PID"
rm coordinator.json
allow keys/other.pub
start_coordinator --listen 'tcp://127.0.0.1:*' --key keys/coordinator.key --lease 4s --heartbeat 500ms
worker other --slots 8
OTHER=$!
wait_for 60 "the other worker's results" is 8 "SELECT count(*) FROM tasks WHERE status = 'done'"
is 0 "SELECT count(*) FROM tasks WHERE charged_attempts > 0" || fail "a task was charged"
kill -TERM "$OTHER" && wait "$OTHER"
stop_cluster
none_left
