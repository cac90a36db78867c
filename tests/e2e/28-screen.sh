#!/usr/bin/env bash
# policy.screen = small_first: only the singles are scored at once, each round asks for the scores of a few combinations, and an
# interrupted sweep asks for the same ones. Connectors for screening are other ones than those that stage 2 begins with.
. "$(dirname "$0")/lib.sh"
cd "$SCRATCH" || exit 1

# A recorded space of all 31 combinations of five encoders.
python3 - <<'PYTHON'
import itertools
encoders = "ABCDE"
base = {"A": (0.2, 0.5), "B": (0.9, 0.6), "C": (0.4, 0.1), "D": (0.7, 0.9), "E": (0.1, 0.3)}
with open("table.csv", "w") as table:
    table.write("representation,c,a:X,perf:X\n")
    for size in range(1, 6):
        for members in itertools.combinations(encoders, size):
            a = sum(base[m][0] for m in members) / size
            c = sum(base[m][1] for m in members) / size + 0.2 * (1 - 1 / size)
            table.write("%s,%g,%g,%g\n" % ("+".join(members), c, a, 50 + 10 * (a + c)))
each = lambda form: ", ".join(form % {"e": e} for e in encoders)
replays = " ".join('%s = { use = "replay"; };' % kind for kind in "extract stage1 score_a score_c stage2 evaluate".split())
with open("sweep.cfg", "w") as config:
    config.write('name = "screen"; checkpoints = ( %s );\nencoders = ( %s );\n' % (each('{ name = "m%(e)s"; }'),
                 each('{ name = "%(e)s"; checkpoint = "m%(e)s"; resolution = 224; }')))
    config.write("""representations = { generate = { max_size = 5; }; };
image_sets = ( { name = "i"; } ); correspondence_sets = ( { name = "s"; image_set = "i"; } );
benchmarks = ( { name = "X"; } ); scores = { a = { references = ["A"]; }; };
stage1 = { samples = 1000; screening_samples = 100; };
replay = { table = "table.csv"; }; executors = { %s };
policy = { screen = "small_first"; screen_members = 1; screen_batch = 4; budget = { fine_tunes = 4; }; };
""" % replays)
PYTHON

expect 0 acsweep plan sweep.cfg --json
same "$(json "$OUT" '[(k["tasks"], k["on_demand"], k["deferred"]) for k in d["kinds"] if k["kind"] == "stage1"]')" "[(62, 26, 31)]"
same "$(json "$OUT" '[s["later"] for s in d["screens"] if s["chosen"]]')" "[12]"

ranking() { # as in 20-replay
    expect 0 acsweep rank --state "$1" --json
    json "$OUT" 'json.dumps([{k: v for k, v in row.items() if k != "round"} for row in d], indent=1)' >"$2"
}
expect 0 acsweep run sweep.cfg --state "$SCRATCH/a" -n 2
ranking "$SCRATCH/a" first.json
same "$(json first.json 'd[0]["representation"]')" B+D
same "$(json first.json 'sum(row["is_measured"] for row in d)')" 4
expect 0 acsweep status --state "$SCRATCH/a" --json
# 5 singles at once, 3 rounds that ask for 4 each (the last one asks for none), a connector of its own for each fine-tune.
same "$(json "$OUT" '{p["kind"]: p["tasks"] for p in d["progress"]}["score_c"]')" 17
same "$(json "$OUT" '{p["kind"]: p["tasks"] for p in d["progress"]}["stage1"]')" 21
expect 0 acsweep sql --state "$SCRATCH/a" --json -c "SELECT note FROM policy_rounds ORDER BY round"
same "$(json "$OUT" '[("asks for the scores of 4 more" in row["note"]) for row in d]')" "[True, True, True, False, False]"
none_left

# Another setting makes other results, and explain names the field. The newest task of the name is meant.
sed 's/screening_samples = 100/screening_samples = 200/' sweep.cfg >more.cfg
expect 0 acsweep run more.cfg --state "$SCRATCH/a" -n 2
expect 0 acsweep explain "stage1 A for screening" --state "$SCRATCH/a" --json
same "$(json "$OUT" 'd["differs_from"]["changes"]')" "[{'field': 'training.samples', 'was': 100, 'is': 200}]"
expect 0 acsweep explain "score_a B X" --state "$SCRATCH/a"
has "$OUT" "which has the same name"
grep -qE "^input connector +task [0-9]+ +task [0-9]+$" "$OUT" || fail "explain does not name the input that changed"
expect 0 acsweep explain "stage1 B" --state "$SCRATCH/a" # found in the cache: only one of that name
grep -q "same name" "$OUT" && fail "explain sees a difference where there is none"
none_left

# Killed at some moments and gone on.
set -m
for delay in 0.5 0.7 0.9; do
    acsweep run sweep.cfg --state "$SCRATCH/b" -n 2 >"$OUT" 2>"$ERR" </dev/null &
    pid=$!
    sleep "$delay"
    kill -KILL -- -"$pid" 2>/dev/null
    wait "$pid"
    none_left 30
done
expect 0 acsweep run sweep.cfg --state "$SCRATCH/b" -n 2
ranking "$SCRATCH/b" second.json
cmp first.json second.json || fail "the ranking differs after kill -9"
none_left
