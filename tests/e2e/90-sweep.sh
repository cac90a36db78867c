#!/usr/bin/env bash
# A whole sweep by the native executors alone, in the world of four colours (tests/lib/make_colours.py): features, connectors,
# A and C, fine-tunes, answers, rounds of the policy, ranking and report; the first layer of an encoder is the floor. On one machine, undisturbed; and on a cluster whose
# worker is killed in the middle of stage 2: the same numbers, the same ranking.
. "$(dirname -- "$0")/lib.sh"
. "$(dirname -- "$0")/cluster.sh"

if ! acsweep-exec --probe | grep -q '"native"'; then
    echo "SKIPPED: built without libtorch"
    exit 77
fi
GOLDEN=$SOURCE/tests/golden/train
DATA=$SCRATCH/data
python3 "$SOURCE/tests/lib/make_colours.py" "$DATA"
python3 "$SOURCE/tests/lib/make_spair.py" "$SCRATCH/pairs" 3
mkdir "$SCRATCH/store"
chmod -R a+rX "$DATA" "$SCRATCH/pairs"

cat >"$SCRATCH/sweep.cfg" <<'END'
name = "colours";
checkpoints = ( { name = "clip"; role = "encoder"; }, { name = "dino"; role = "encoder"; }, { name = "lm"; role = "llm"; } );
llm = { checkpoint = "lm"; };
encoders = ( { name = "clip"; checkpoint = "clip"; resolution = 28; grid = 4; channels = 24; },
             { name = "dino"; checkpoint = "dino"; resolution = 28; grid = 4; channels = 16; },
             { name = "first"; checkpoint = "clip"; resolution = 28; grid = 4; channels = 24; options = { layer = 1; }; } );
representations = { generate = { max_size = 2; }; floors = ( { members = ("first"); } ); };
image_sets = ( { name = "pretrain"; role = "stage1"; images = 48; }, { name = "mix"; role = "stage2"; images = 48; },
               { name = "pairs"; role = "correspondence"; images = 6; },
               { name = "words"; role = "benchmark"; images = 16; }, { name = "letters"; role = "benchmark"; images = 16; } );
correspondence_sets = ( { name = "pairs"; image_set = "pairs"; } );
benchmarks = ( { name = "words"; image_set = "words"; metric = "vqa"; questions = 16; maximum = 100.0; },
               { name = "letters"; image_set = "letters"; metric = "accuracy"; questions = 16; maximum = 100.0; } );
scores = { a = { references = ("clip"); sample_size = 8; }; };
features = { dtype = "fp32"; images_per_shard = 20; };
stage1 = { image_set = "pretrain"; samples = 48; epochs = 4.0; batch = 8; learning_rate = 0.01; max_length = 200; precision = "fp32"; };
stage2 = { image_set = "mix"; samples = 96; epochs = 6.0; batch = 8; learning_rate = 0.005; max_length = 200; precision = "fp32";
           checkpoint_every = "300ms"; };
evaluate = { max_new_tokens = 8; precision = "fp32"; };
executors = { extract = { gpus = 0; }; stage1 = { gpus = 0; }; score_a = { gpus = 0; }; score_c = { gpus = 0; };
              stage2 = { gpus = 0; }; evaluate = { gpus = 0; }; };
policy = { budget = { fine_tunes = 2; }; };
END
PATHS=(--path "clip=$GOLDEN/clip" --path "dino=$GOLDEN/dino" --path "lm=$GOLDEN/llm" --path "pretrain=$DATA/stage1.json"
    --path "mix=$DATA/stage2.json" --path "pairs=$SCRATCH/pairs" --path "words=$DATA/words.jsonl"
    --path "letters=$DATA/letters.jsonl")

# Everything that was found out, to the last digit: scores, performances, and who was chosen in which round.
NUMBERS="SELECT concat_ws(' ', 'score', representation, benchmark, score, metric, value) AS line FROM scores WHERE sweep = 'colours'
         UNION ALL SELECT concat_ws(' ', 'performance', representation, benchmark, value) FROM performances WHERE sweep = 'colours'
         UNION ALL SELECT concat_ws(' ', 'floor', floor, benchmark, score, metric, value) FROM floors WHERE sweep = 'colours'
         UNION ALL SELECT concat_ws(' ', 'rank', benchmark, rank, representation, measured, predicted) FROM ranking WHERE sweep = 'colours'
         ORDER BY 1"

# ---- undisturbed, on one machine ---------------------------------------------------------------------------------------
expect 0 acsweep run "$SCRATCH/sweep.cfg" --state "$SCRATCH/alone" "${PATHS[@]}"
expect 0 acsweep sql --state "$SCRATCH/alone" --json -c "$NUMBERS"
json "$OUT" '"\n".join(x["line"] for x in d)' >"$SCRATCH/alone.txt"
grep -qE '^score clip words a a (1|0\.999999)' "$SCRATCH/alone.txt" || fail "clip is not aligned with itself"
same "$(grep -c ^performance "$SCRATCH/alone.txt")" 4
same "$(grep -c ' target ' "$SCRATCH/alone.txt")" 3
same "$(grep -cE '^floor first (words|letters) a a ' "$SCRATCH/alone.txt")" 2
same "$(grep -cE '^floor (first|position) c c ' "$SCRATCH/alone.txt")" 2
same "$(grep -cE '^(score|performance|rank) .*first' "$SCRATCH/alone.txt")" 0
expect 0 acsweep rank --state "$SCRATCH/alone"
grep -qE '^position ' "$OUT" || fail "no floors below the ranking: $(cat "$OUT")"
# They have learned to see: a constant answer is right once in four.
python3 - "$SCRATCH/alone.txt" <<'END' || fail "no model names colours: $(grep ^performance "$SCRATCH/alone.txt")"
import sys
lines = [line.split() for line in open(sys.argv[1]) if line.startswith("performance")]
sys.exit(max(float(x[3]) for x in lines if x[2] == "words") < 60)
END
has "$SCRATCH/alone/report/index.html" "letters"
has "$SCRATCH/alone/report/index.html" "Correspondence"
has "$SCRATCH/alone/report/index.html" "Above chance"
expect 0 acsweep sql --state "$SCRATCH/alone" --json -c \
    "SELECT count(*) FILTER (WHERE ci_low <= value AND value <= ci_high AND chance >= 25) AS whole, bool_or(above_chance) AS any FROM performances"
same "$(json "$OUT" '(d[0]["whole"], d[0]["any"])')" "(4, True)"
has "$SCRATCH/alone/report/index.html" "the position alone"
none_left

# ---- the answers are kept, and worth what was reported -------------------------------------------------------------------
ANSWERS=$(find "$SCRATCH/alone" -name answers.jsonl | head -1)
benchmark=letters
grep -q '"id":"w' "$ANSWERS" && benchmark=words
expect 0 acsweep score answers --benchmark "$DATA/$benchmark.jsonl" --answers "$ANSWERS" --json
grep -qE "^performance .* $benchmark $(json "$OUT" '"%g" % d["performance"]')" "$SCRATCH/alone.txt" ||
    fail "answers are worth $(json "$OUT" 'd["performance"]'), which was not reported: $(grep ^performance "$SCRATCH/alone.txt")"

# ---- on a cluster, killed in the middle of stage 2 -----------------------------------------------------------------------
start_worker() { # start_worker NAME
    acsweep-worker --coordinator "$JOIN" --state "$SCRATCH/$1" --slots 1 "${PATHS[@]}" </dev/null >"$SCRATCH/$1.log" 2>&1 &
    WORKER=$!
}
there() { compgen -G "$1" >/dev/null; }
start_postgres
start_coordinator --listen 'tcp://127.0.0.1:*' --store "$SCRATCH/store" --lease 3s --heartbeat 500ms
expect 0 acsweep submit "$SCRATCH/sweep.cfg" --coordinator "$JOIN"
start_worker w1
wait_for 120 "stage 2" is running "SELECT status FROM tasks WHERE kind = 'stage2' ORDER BY status = 'running' DESC" ||
    cat "$SCRATCH/w1.log" >&2
wait_for 30 "a checkpoint" there "$SCRATCH/store/checkpoints/*/step-*"
kill -9 "$WORKER"
start_worker w2
OTHER=$WORKER
start_worker w3
wait_for 240 "the sweep" is done "SELECT state FROM acsweep.sweep WHERE name = 'colours'" || {
    cat "$SCRATCH"/w?.log >&2
    acsweep sql --database "$DATABASE" -c "SELECT kind, label, status, reason FROM tasks WHERE status <> 'done'" >&2
}
same "$(query "SELECT count(*) > 0 FROM acsweep.attempt a JOIN acsweep.task t USING (task_id) WHERE t.kind = 'stage2' AND a.attempt > 1")" True
expect 0 acsweep sql --database "$DATABASE" --json -c "$NUMBERS"
json "$OUT" '"\n".join(x["line"] for x in d)' >"$SCRATCH/killed.txt"
diff "$SCRATCH/alone.txt" "$SCRATCH/killed.txt" >&2 || fail "the killed sweep came to other numbers"
kill -TERM "$WORKER" "$OTHER"
wait "$WORKER" "$OTHER"
stop_cluster
none_left
