#!/usr/bin/env bash
# Training for people and by tasks: `acsweep train` killed and interrupted comes to the bits of an undisturbed run, two
# processes to the same losses; a sweep whose worker is killed in stage 1 and drained in stage 2 leaves the same connector.
. "$(dirname -- "$0")/lib.sh"
. "$(dirname -- "$0")/cluster.sh"

if ! acsweep-exec --probe | grep -q '"native"'; then
    echo "SKIPPED: built without libtorch"
    exit 77
fi
GOLDEN=$SOURCE/tests/golden/train
DATA=$SCRATCH/data N=0
mkdir "$DATA" "$SCRATCH/store"
cp -r "$GOLDEN"/pictures/. "$GOLDEN"/stage1.json "$GOLDEN"/stage2.json "$DATA"

# In the background it is the program itself, to be killed as such.
train() { # train STAGE OUT OPTION...
    local stage=$1 out=$2 exec=''
    shift 2
    [[ $BASHPID == "$$" ]] || exec=exec
    $exec acsweep train "$stage" --llm "$GOLDEN/llm" --encoder "$GOLDEN/clip" --encoder "$GOLDEN/dino" --data "$DATA/$stage.json" \
        --images "$DATA" --out "$SCRATCH/$out" --precision fp32 --dtype fp32 --batch 8 --lr 0.01 --max-length 160 --threads 1 "$@"
}
there() { compgen -G "$1" >/dev/null; }
digest() { sha256sum <"$SCRATCH/$1" | cut -d' ' -f1; }
losses() { # last loss of a run's lines
    tail -1 "$1" | python3 -c 'import json, sys; print(json.loads(sys.stdin.read())["loss"])'
}

# ---- by hand: killed, interrupted, gone on with ------------------------------------------------------------------------
expect 0 train stage1 calm --epochs 16 --json
same "$(wc -l <"$OUT")" 80
CALM=$(losses "$OUT")
train stage1 wild --epochs 16 --save-every 200ms >"$SCRATCH/wild.out" 2>"$SCRATCH/wild.err" &
wait_for 60 "a checkpoint" there "$SCRATCH/wild/checkpoints/step-*"
kill -9 $!
wait $! 2>/dev/null
rm "$SCRATCH/wild.out"
train stage1 wild --epochs 16 --save-every 200ms >"$SCRATCH/wild.out" 2>"$SCRATCH/wild.err" &
wait_for 60 "a step" test -s "$SCRATCH/wild.out"
kill -INT $!
wait $!
CODE=$?
if [[ $CODE == 5 ]]; then # else it was done before the signal came
    has "$SCRATCH/wild.err" "run it again to go on from"
    same "$(ls "$SCRATCH/wild")" checkpoints
fi
expect 0 train stage1 wild --epochs 16 --json
[[ ! -s $OUT ]] || same "$(losses "$OUT")" "$CALM"
has "$ERR" "going on from a checkpoint"
same "$(digest wild/mm_projector.safetensors)" "$(digest calm/mm_projector.safetensors)"
expect 3 train stage1 wild --epochs 15
has "$ERR" "other settings"
expect 0 train stage1 wild --epochs 1 --restart

# A connector that was trained again is another beginning, though its path is the same.
stage2() { train stage2 two-stages --connector "$SCRATCH/wild" --max-steps 1 --lora 2 "$@"; }
expect 0 stage2
expect 0 stage2
expect 0 train stage1 wild --epochs 1 --seed 5 --restart
expect 3 stage2
has "$ERR" "other settings or data"
expect 0 stage2 --restart

# A model where an adapter was is read as a model.
expect 0 train stage2 two-stages --connector "$SCRATCH/wild" --max-steps 1 --restart
[[ ! -e $SCRATCH/two-stages/adapter_config.json ]] || fail "the adapter is still there beside the model"
expect 0 stage2 --restart
[[ ! -e $SCRATCH/two-stages/config.json ]] || fail "the model is still there beside the adapter"

# ---- two processes: the same, but for the order of sums ----------------------------------------------------------------
expect 0 train stage1 two --epochs 16 --json --processes 2
python3 -c 'import sys; a, b = map(float, sys.argv[1:]); sys.exit(not abs(a - b) < 1e-4 * a)' "$(losses "$OUT")" "$CALM" ||
    fail "two processes come to $(losses "$OUT"), not to $CALM"
expect 3 train stage1 nine --processes 9
has "$ERR" "8 chunks"
none_left

# ---- mistakes ----------------------------------------------------------------------------------------------------------
expect 2 train stage1 no --device gpu7
expect 3 train stage2 no --connector "$GOLDEN/clip"
expect 3 train stage1 no --max-length 17
has "$ERR" "leaves no room for text"
sed 's/0\.png/none.png/' "$DATA/stage1.json" >"$DATA/broken.json"
expect 3 train stage1 no --data "$DATA/broken.json"
has "$ERR" "none.png"
expect 3 train stage1 no --data "$DATA/broken.json" --processes 2 --restart # whoever of them meets it
has "$ERR" "none.png"
none_left
[[ ! -e $SCRATCH/no/mm_projector.safetensors ]] || fail "a failed training left a connector"

# ---- by tasks ----------------------------------------------------------------------------------------------------------
cat >"$SCRATCH/sweep.cfg" <<'END'
name = "train";
checkpoints = ( { name = "clip"; role = "encoder"; }, { name = "dino"; role = "encoder"; }, { name = "lm"; role = "llm"; } );
llm = { checkpoint = "lm"; };
encoders = ( { name = "clip"; checkpoint = "clip"; resolution = 28; grid = 4; channels = 24; },
             { name = "dino"; checkpoint = "dino"; resolution = 28; grid = 4; channels = 16; } );
representations = { list = ( { name = "both"; members = ["clip", "dino"]; } ); };
image_sets = ( { name = "pretrain"; role = "stage1"; images = 10; }, { name = "mix"; role = "stage2"; },
               { name = "pairs"; role = "correspondence"; images = 10; } );
correspondence_sets = ( { name = "pairs"; image_set = "pairs"; } );
benchmarks = ( { name = "b"; maximum = 1.0; } );
scores = { a = { references = ("both"); }; };
features = { dtype = "fp32"; images_per_shard = 4; };
stage1 = { image_set = "pretrain"; samples = 40; epochs = 16.0; batch = 8; learning_rate = 0.01; max_length = 160;
           precision = "fp32"; checkpoint_every = "200ms"; };
stage2 = { image_set = "mix"; samples = 40; epochs = 16.0; batch = 8; learning_rate = 0.001; max_length = 160;
           precision = "fp32"; tune = "lora"; lora_rank = 4; lora_alpha = 8.0; };
executors = {
  extract = { use = "native"; gpus = 0; };
  score_c = { use = "fake"; fake = { metrics = { c = 0.5; }; }; };
  stage1 = { use = "native"; gpus = 0; };
  score_a = { use = "fake"; fake = { metrics = { a = 0.5; }; }; };
  stage2 = { use = "native"; gpus = 0; };
  evaluate = { use = "fake"; fake = { metrics = { performance = 0.5; }; }; };
};
policy = { budget = { fine_tunes = 1; }; };
END
start_worker() { # start_worker NAME
    acsweep-worker --coordinator "$JOIN" --state "$SCRATCH/$1" --slots 1 --path "clip=$GOLDEN/clip" --path "dino=$GOLDEN/dino" \
        --path "lm=$GOLDEN/llm" --path "pretrain=$DATA/stage1.json" --path "mix=$DATA/stage2.json" --path "pairs=$DATA" \
        </dev/null >"$SCRATCH/$1.log" 2>&1 &
    WORKER=$!
}
start_postgres
start_coordinator --listen 'tcp://127.0.0.1:*' --store "$SCRATCH/store" --lease 3s --heartbeat 500ms
expect 0 acsweep submit "$SCRATCH/sweep.cfg" --coordinator "$JOIN"
# Stage 1 reads features that extract tasks keep, stage 2 (whose pictures are not counted above) computes them: up to the last digits of f32, nobody can tell.
same "$(query "SELECT count(*) FROM tasks WHERE kind = 'extract' AND label LIKE '%pretrain%for training'")" 0 # not before content is known
start_worker w1
wait_for 60 "a checkpoint of the task" there "$SCRATCH/store/checkpoints/*/step-*"
kill -9 "$WORKER"
start_worker w2
wait_for 120 "stage 2" is running "SELECT status FROM tasks WHERE kind = 'stage2'" || cat "$SCRATCH"/w?.log >&2
sleep 1
kill -TERM "$WORKER" # drained: it leaves a checkpoint and gives the task back
wait "$WORKER"
start_worker w3
wait_for 180 "the sweep" is done "SELECT state FROM acsweep.sweep WHERE name = 'train'" || {
    cat "$SCRATCH"/w?.log >&2
    acsweep sql --database "$DATABASE" -c "SELECT kind, label, status, reason FROM tasks WHERE status NOT IN ('done')" >&2
}
# The worker that was killed had done a part; what it left is what the other went on with.
same "$(query "SELECT count(*) > 1 FROM acsweep.attempt a JOIN acsweep.task t USING (task_id) WHERE t.kind = 'stage1'")" True
same "$(query "SELECT count(*) FROM acsweep.attempt a JOIN acsweep.task t USING (task_id) WHERE t.kind = 'stage2' AND a.outcome = 'checkpointed'")" 1
# Last digits depend on how many pictures and samples are computed at once, so the run to compare with reads the same files and
# takes as many samples.
mkdir -p "$SCRATCH/kept/24" "$SCRATCH/kept/16"
for manifest in "$SCRATCH"/store/objects/*/*/manifest.json; do
    [[ $(json "$manifest" 'd["identity"]["geometry"]') == own ]] || continue
    ln -s "${manifest%/*}/features.safetensors" "$SCRATCH/kept/$(json "$manifest" 'd["channels"]')/$((++N)).safetensors"
done
expect 0 train stage1 kept --epochs 16 --device-batch 8 --features "$SCRATCH/kept/24" --features "$SCRATCH/kept/16" --json
python3 -c 'import sys; a, b = map(float, sys.argv[1:]); sys.exit(not abs(a - b) < 1e-4 * a)' "$(losses "$OUT")" "$CALM" ||
    fail "with kept features it comes to $(losses "$OUT"), not to $CALM"
same "$(sha256sum <"$(ls "$SCRATCH"/store/objects/*/*/mm_projector.safetensors | head -1)" | cut -d' ' -f1)" "$(digest kept/mm_projector.safetensors)"
same "$(query "SELECT count(*) FROM tasks WHERE kind = 'extract' AND label LIKE '%pretrain%for training' AND status = 'done'")" 6
MODEL=$(ls -d "$SCRATCH"/store/objects/*/*/model)
[[ -s $MODEL/adapter_model.safetensors && -s $MODEL/adapter_config.json && -s $MODEL/mm_projector.safetensors ]] ||
    fail "the model lacks files: $(ls "$MODEL")"
kill -TERM "$WORKER"
wait "$WORKER"
stop_cluster
none_left
