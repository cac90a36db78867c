#!/usr/bin/env bash
# The commands that talk to a running coordinator. The sweep is held in the middle by stopping its only worker.
. "$(dirname "$0")/lib.sh"
cd "$SCRATCH" || exit 1
state=$SCRATCH/s
export ACSWEEP_STATE=$state

acsweep replay --workers 1 >run.out 2>run.err </dev/null &
run=$!
for ((i = 0; i < 3000; i++)); do # until the worker has joined
    grep -q 'to=ready' "$state/logs/worker-1.log" 2>/dev/null && break
    sleep 0.02
done
worker=$(pgrep -P "$run" -f acsweep-worker)
[[ -n $worker ]] || fail "no worker"
kill -STOP "$worker"

expect 0 acsweep workers --json
name=$(json "$OUT" '[w["worker"] for w in d if w["state"] == "joined"][0]')
for ((i = 0; i < 600; i++)); do # until the submission is in the database
    acsweep status --json 2>/dev/null | grep -q score_a && break
    sleep 0.1
done
expect 0 acsweep status --json
same "$(json "$OUT" 'd["sweeps"][0]["state"]')" running
expect 0 acsweep explain "score_a CLIP@336 MMBench" --json
same "$(json "$OUT" 'd["task"][0]["state"]')" pending
expect 3 acsweep explain "no such task"
has "$ERR" "no task with the number or label 'no such task'"
expect 3 acsweep watch papper
has "$ERR" "no sweep named papper is running"
acsweep watch paper --json >watch.out 2>"$ERR" </dev/null &
watch=$!
for ((i = 0; i < 600; i++)); do # until it has said something
    [[ -s watch.out ]] && break
    sleep 0.1
done
kill "$watch"
wait "$watch"
same "$(head -1 watch.out | python3 -c 'import json, sys; print(json.loads(sys.stdin.readline())["sweep"])')" paper
expect 3 acsweep drain nobody
expect 3 acsweep retry no-such-sweep
expect 3 acsweep cancel no-such-sweep
expect 0 acsweep submit "$SOURCE/examples/paper/sweep.cfg" --json
same "$(json "$OUT" 'd["representations"]')" 13
expect 0 acsweep drain "$name"
has "$OUT" "1 worker draining"
expect 0 acsweep cancel paper
wait "$run"
same $? 1
has run.err "The sweep is cancelled"
none_left 30

# It goes on from there.
expect 0 acsweep replay
none_left
