#!/usr/bin/env bash
# The whole replay with real programs: once, again from the cache, interrupted and gone on, killed and gone on. Same ranking
# every time, digit for digit, and no process left.
. "$(dirname "$0")/lib.sh"
cd "$SCRATCH" || exit 1

ranking() { # ranking STATE FILE: all but the number of the round, which counts resubmissions too
    expect 0 acsweep rank --state "$1" --json
    json "$OUT" 'json.dumps([{k: v for k, v in row.items() if k != "round"} for row in d], indent=1)' >"$2"
}

# Fresh.
expect 0 acsweep replay --state "$SCRATCH/a"
has "$OUT" "Ranking"
has "$OUT" "$SCRATCH/a/report/index.html"
none_left
[[ -s $SCRATCH/a/report/index.html ]] || fail "no report"
[[ -d $SCRATCH/a/postgres ]] || fail "the database is not in the state directory, though its user can enter it"
ranking "$SCRATCH/a" first.json
same "$(json first.json 'len(d)')" 13
same "$(json first.json 'sum(row["is_measured"] for row in d)')" 6
none_left

# Again: everything is in the cache, nothing is tried again.
attempts() {
    expect 0 acsweep sql --state "$SCRATCH/a" --json -c "SELECT count(*) AS n FROM attempts"
    json "$OUT" 'd[0]["n"]'
}
before=$(attempts)
expect 0 acsweep replay --state "$SCRATCH/a"
none_left
same "$(attempts)" "$before"
ranking "$SCRATCH/a" again.json
cmp first.json again.json || fail "the ranking changed in the second run"

# Reading commands on a cluster that is down.
expect 0 acsweep status --state "$SCRATCH/a" --json
expect 0 acsweep workers --state "$SCRATCH/a" --json
same "$(json "$OUT" 'len(d) >= 4')" True
expect 0 acsweep report --state "$SCRATCH/a" --output "$SCRATCH/again"
[[ -s $SCRATCH/again/index.html ]] || fail "no report from acsweep report"
none_left

# The truth from an exhaustive sweep, as one command prints it, tells what six fine-tunes lost; the note is shown with it.
cp "$SOURCE/examples/paper/law.csv" .
edit() { sed "s/^name = \"paper\";/name = \"$1\"; note = \"Of the paper's numbers.\";/; s/mode = \"default\";/mode = \"$2\"; batch = $3;/" \
    "$SOURCE/examples/paper/sweep.cfg" >"$1.cfg"; }
edit all exhaustive 13
edit six default 1
expect 0 acsweep run all.cfg --state "$SCRATCH/a"
expect 0 acsweep sql --state "$SCRATCH/a" --csv -c "SELECT representation, benchmark, value FROM performances WHERE sweep = 'all'"
cp "$OUT" truth.csv
same "$(wc -l <truth.csv)" 105
expect 0 acsweep run six.cfg --state "$SCRATCH/a" --truth truth.csv
has "$OUT" "Of the paper's numbers."
has "$OUT" "Truth: C+D@224 is number 1 of 13 for the target, the best"
has "$OUT" "Law on all 13: mean R² 0.905, leave-one-out 0.692"
same "$(json "$SCRATCH/a/report/report.json" 'd["note"], d["truth"]["target"]["policy"]["rank"], len(d["truth"]["benchmarks"])')" \
    "(\"Of the paper's numbers.\", 1.0, 8)"
expect 0 acsweep sql --state "$SCRATCH/a" --csv -c "SELECT note FROM sweeps WHERE sweep = 'six'"
has "$OUT" "Of the paper's numbers."
sed '5s/^[^,]*,/CLIP@337,/' truth.csv >bad.csv
expect 3 acsweep run six.cfg --state "$SCRATCH/none" --truth bad.csv
has "$ERR" "bad.csv: line 5, column 1: there is no representation 'CLIP@337'; did you mean 'CLIP@336'?"
[[ ! -e $SCRATCH/none ]] || fail "a bad truth was seen only after the start"
expect 2 acsweep sql --state "$SCRATCH/a" --csv
none_left

# Two at once. The first is stopped, so that it cannot end meanwhile.
acsweep replay --state "$SCRATCH/two" >"$OUT.first" 2>&1 </dev/null &
pid=$!
until [[ -s $SCRATCH/two/lock ]]; do sleep 0.02; done
kill -STOP "$pid"
expect 4 acsweep replay --state "$SCRATCH/two"
has "$ERR" "is at work in"
kill -CONT "$pid"
wait "$pid" || fail "the first of two ended with $?: $(tail -1 "$OUT.first")"
none_left

# Interrupted at some moments (while the database is made, while tasks run), to the whole process group as a terminal does,
# then gone on.
set -m # each job in a process group of its own
for signal in INT TERM KILL; do
    state=$SCRATCH/$signal
    for delay in 0.2 0.6 1.0 1.6; do
        acsweep replay --state "$state" >"$OUT" 2>"$ERR" </dev/null &
        pid=$!
        until [[ $(cat "$state/lock" 2>/dev/null) == "$pid" ]] || ! kill -0 "$pid" 2>/dev/null; do sleep 0.02; done # it minds signals now
        sleep "$delay"
        kill -"$signal" -- -"$pid" 2>/dev/null
        wait "$pid"
        code=$?
        case $signal:$code in INT:5 | TERM:5 | KILL:137 | *:0) ;; *) fail "SIG$signal after $delay s: exit code $code"; cat "$ERR" >&2 ;; esac
        none_left 30
    done
    expect 0 acsweep replay --state "$state"
    none_left
    ranking "$state" after.json
    cmp first.json after.json || fail "the ranking differs after SIG$signal"
done
set +m

# A state directory that only root can enter: the cluster, which cannot run as root, is elsewhere.
if [[ $(id -u) == 0 ]]; then
    mkdir -m 700 "$SCRATCH/private"
    expect 0 acsweep replay --state "$SCRATCH/private/state"
    ranking "$SCRATCH/private/state" private.json
    cmp first.json private.json || fail "the ranking differs in a private directory"
    [[ -s $SCRATCH/private/state/report/index.html ]] || fail "the report is not in the state directory"
    has "$SCRATCH/private/state/postgres.path" /var/lib/acsweep/
    none_left
    elsewhere=$(printf %s "$SCRATCH/private/state" | sha256sum | cut -c1-16)
    rm -rf /var/lib/acsweep/"$elsewhere"*
fi

# A state directory whose path is too long for sockets.
long=$SCRATCH/$(printf 'x%.0s' {1..120})
expect 0 acsweep replay --state "$long"
ranking "$long" long.json
cmp first.json long.json || fail "the ranking differs under a long path"
none_left
