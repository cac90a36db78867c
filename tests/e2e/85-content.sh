#!/usr/bin/env bash
# Content of checkpoints and image sets: it is what results are named by, it is read once on a node, other content under the same
# name is computed anew, and a node that has other content than the sweep is about says so instead of computing.
. "$(dirname -- "$0")/lib.sh"
. "$(dirname -- "$0")/cluster.sh"

if ! acsweep-exec --probe | grep -q '"native"'; then
    echo "SKIPPED: built without libtorch"
    exit 77
fi
SET=$SCRATCH/set
python3 "$SOURCE/tests/lib/make_spair.py" "$SET" 4
cp -r "$SOURCE/tests/golden/vit/clip224" "$SCRATCH/clip"
cat >"$SCRATCH/clip/preprocessor_config.json" <<'END'
{"image_processor_type": "CLIPImageProcessor", "do_resize": true, "size": {"shortest_edge": 56}, "resample": 3,
 "do_center_crop": true, "crop_size": {"height": 56, "width": 56}, "do_rescale": true, "rescale_factor": 0.00392156862745098,
 "do_normalize": true, "image_mean": [0.48, 0.46, 0.41], "image_std": [0.27, 0.26, 0.28]}
END
# Another checkpoint of the same shape: a blank more in its config.
cp -r "$SCRATCH/clip" "$SCRATCH/other"
echo " " >>"$SCRATCH/other/config.json"
find "$SCRATCH/clip" "$SCRATCH/other" "$SET" -exec touch -d 2024-01-01 {} +
chmod -R a+rX "$SET"

config() { # config NAME DTYPE DIGEST
    cat <<END
name = "$1";
checkpoints = ( { name = "clip"; $3 } );
encoders = ( { name = "CLIP"; checkpoint = "clip"; resolution = 56; } );
representations = { generate = { max_size = 1; }; };
image_sets = ( { name = "pairs"; role = "correspondence"; images = 8; } );
correspondence_sets = ( { name = "pairs"; image_set = "pairs"; } );
benchmarks = ( { name = "b"; maximum = 1.0; } );
scores = { a = { references = ("CLIP"); }; };
features = { dtype = "$2"; images_per_shard = 1; };
executors = {
  extract = { gpus = 0; };
  score_c = { gpus = 0; };
  stage1 = { use = "fake"; };
  score_a = { use = "fake"; fake = { metrics = { a = 0.5; }; }; };
  stage2 = { use = "fake"; };
  evaluate = { use = "fake"; fake = { metrics = { performance = 0.5; }; }; };
};
policy = { budget = { fine_tunes = 1; }; };
END
}
# What the documented command says of a directory.
by_hand() {
    (cd "$1" && find -L . -name '.?*' -prune -o -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1)
}
start_worker() { # start_worker NAME CHECKPOINT
    acsweep-worker --coordinator "$JOIN" --state "$SCRATCH/$1" --slots 1 --path "pairs=$SET" --path "clip=$2" \
        </dev/null >"$SCRATCH/$1.log" 2>&1 &
    WORKER=$!
}
run_sweep() { # run_sweep FILE NAME: to its end
    expect 0 acsweep submit "$1" --coordinator "$JOIN"
    wait_for 60 "sweep $2" is done "SELECT state FROM acsweep.sweep WHERE name = '$2'" || cat "$SCRATCH"/w?.log >&2
}
read_bytes() { # of the sweep's newest look
    query "SELECT sum(value)::bigint FROM acsweep.metric JOIN acsweep.sweep_task USING (task_id) JOIN acsweep.sweep USING (sweep_id)
           WHERE metric.name = 'bytes_read' AND sweep.name = '$1'"
}
extracts() { # extracts SWEEP CONDITION
    query "SELECT count(*) FROM tasks WHERE sweep = '$1' AND kind = 'extract' AND $2"
}

mkdir "$SCRATCH/store"
start_postgres
start_coordinator --listen 'tcp://127.0.0.1:*' --store "$SCRATCH/store" --lease 3s --heartbeat 500ms

# ---- digests are found, and are those of sha256sum ----------------------------------------------------------------------
config one fp32 "" >"$SCRATCH/one.cfg"
expect 0 acsweep submit "$SCRATCH/one.cfg" --coordinator "$JOIN"
has "$OUT" "looks at the content of 2 checkpoints and image sets first"
start_worker w1 "$SCRATCH/clip"
FIRST=$WORKER
run_sweep "$SCRATCH/one.cfg" one
same "$(query "SELECT digest FROM acsweep.checkpoint WHERE name = 'clip'")" "$(by_hand "$SCRATCH/clip")"
same "$(query "SELECT digest FROM acsweep.image_set WHERE name = 'pairs'")" "$(by_hand "$SET")"
[[ $(read_bytes one) -gt 1000 ]] || fail "the content was not read"
same "$(extracts one "status = 'done'")" 8

# ---- again: nothing is read, and all is found ---------------------------------------------------------------------------
run_sweep "$SCRATCH/one.cfg" one
same "$(read_bytes one)" 0
same "$(query "SELECT count(*) FROM acsweep.task WHERE kind = 'extract'")" 8
same "$(query "SELECT count(*) FROM acsweep.policy_round WHERE state = 'final'")" 1

# ---- a stated digest is the same, and needs no look ---------------------------------------------------------------------
config stated fp32 "digest = \"sha256:$(by_hand "$SCRATCH/clip")\";" >"$SCRATCH/stated.cfg"
run_sweep "$SCRATCH/stated.cfg" stated
same "$(extracts stated cached)" 8
same "$(query "SELECT count(*) FROM tasks WHERE sweep = 'stated' AND kind = 'identify'")" 1

# ---- features for training are those of the direct command, through the checkpoint's own processor --------------------------
{
    config files fp32 "digest = \"$(by_hand "$SCRATCH/clip")\";" | sed 's/resolution = 56;/resolution = 56; grid = 4; channels = 32;/
        s/stage1 = { use = "fake"; };/stage1 = { gpus = 0; };/'
    echo 'stage1 = { image_set = "pairs"; epochs = 2.0; };'
} >"$SCRATCH/files.cfg"
expect 0 acsweep submit "$SCRATCH/files.cfg" --coordinator "$JOIN"
wait_for 60 "features for training" is 8 "SELECT count(*) FROM tasks WHERE sweep = 'files' AND label LIKE 'extract%for training' AND status = 'done'"
same "$(query "SELECT count(*) FROM acsweep.task_input JOIN acsweep.task USING (task_id) WHERE kind = 'stage1' AND name LIKE 'cache:%'")" 8
acsweep sql --database "$DATABASE" --json -c "SELECT l.path FROM acsweep.artifact JOIN acsweep.artifact_location l USING (artifact_id)
    JOIN tasks t USING (task_id) WHERE artifact.name = 'features' AND t.label LIKE 'extract%for training'" >"$SCRATCH/paths.json"
expect 0 acsweep extract --encoder "$SCRATCH/clip" --resolution 56 --spair "$SET" --geometry own --out "$SCRATCH/direct"
python3 - "$SCRATCH" <<'PY' || fail "features for training differ from the direct command's"
import glob, json, struct, sys
def tensors(path):
    raw = open(path, "rb").read()
    n = struct.unpack("<Q", raw[:8])[0]
    head = json.loads(raw[8:8 + n])
    return {k: raw[8 + n + v["data_offsets"][0]:8 + n + v["data_offsets"][1]] for k, v in head.items() if k != "__metadata__"}
root = sys.argv[1]
shards = {}
for row in json.load(open(root + "/paths.json")):
    found = glob.glob(root + "/store/**/" + row["path"], recursive=True)
    assert len(found) == 1, (row, found)
    shards.update(tensors(found[0]))
direct = {}
for path in glob.glob(root + "/direct/**/*.safetensors", recursive=True):
    name = path[len(root + "/direct/"):-len(".safetensors")]
    direct["JPEGImages/" + name + ".png"] = list(tensors(path).values())[0]
assert len(shards) == 8 and shards == direct, (sorted(shards), sorted(direct))
PY
acsweep cancel files --coordinator "$JOIN" >"$OUT" 2>&1

# ---- a wrong one fails, with both -----------------------------------------------------------------------------------------
WRONG=$(printf 'b%.0s' {1..64})
config wrong fp32 "digest = \"$WRONG\";" >"$SCRATCH/wrong.cfg"
expect 0 acsweep submit "$SCRATCH/wrong.cfg" --coordinator "$JOIN"
wait_for 60 "the mismatch" is True "SELECT count(*) >= 1 FROM attempts WHERE sweep = 'wrong' AND failure = 'data' AND message LIKE
    'on node $(hostname), ''clip'' has the content digest $(by_hand "$SCRATCH/clip"), but this sweep is about $WRONG:%'" ||
    acsweep sql --database "$DATABASE" -c "SELECT label, failure, message FROM attempts WHERE sweep = 'wrong'" >&2
same "$(extracts wrong "status = 'done'")" 0

# ---- other content under the same name: computed anew, and explain says what changed --------------------------------------
kill "$FIRST"
wait "$FIRST"
start_worker w1 "$SCRATCH/other"
FIRST=$WORKER
run_sweep "$SCRATCH/one.cfg" one
same "$(query "SELECT count(*) FROM tasks WHERE sweep = 'one' AND kind = 'extract' AND NOT cached")" 8
same "$(query "SELECT digest FROM acsweep.checkpoint WHERE name = 'clip'")" "$(by_hand "$SCRATCH/other")"
expect 0 acsweep explain "extract CLIP pairs 0" --database "$DATABASE"
tr -s ' ' <"$OUT" >"$SCRATCH/explained"
has "$SCRATCH/explained" "encoder.checkpoint.digest"
has "$SCRATCH/explained" "$(by_hand "$SCRATCH/other")"

# ---- two nodes that differ: the sweep is about one content, the other node refuses -----------------------------------------
start_worker w2 "$SCRATCH/clip"
SECOND=$WORKER
wait_for 20 "both workers" is 2 "SELECT count(*) FROM acsweep.worker WHERE state = 'joined'"
config mixed bf16 "digest = \"$(by_hand "$SCRATCH/clip")\";" >"$SCRATCH/mixed.cfg"
expect 0 acsweep submit "$SCRATCH/mixed.cfg" --coordinator "$JOIN"
wait_for 60 "the refusal" is True "SELECT count(*) >= 1 FROM attempts WHERE sweep = 'mixed' AND failure = 'data' AND message LIKE
    '%''clip'' has the content digest $(by_hand "$SCRATCH/other"), but this sweep is about $(by_hand "$SCRATCH/clip"):%'"
# What did come out is of the one content.
same "$(query "SELECT count(*) FROM attempts a JOIN acsweep.worker w USING (worker_id) WHERE a.sweep = 'mixed' AND a.kind = 'extract'
    AND a.outcome = 'succeeded' AND EXISTS (SELECT 1 FROM attempts f WHERE f.failure = 'data' AND f.sweep = 'mixed' AND f.worker_id = a.worker_id)")" 0

# ---- what cannot be identified ends the sweep, clearly ---------------------------------------------------------------------
kill "$SECOND"
wait "$SECOND"
ln -s nowhere "$SCRATCH/other/broken"
config broken fp16 "" >"$SCRATCH/broken.cfg"
expect 0 acsweep submit "$SCRATCH/broken.cfg" --coordinator "$JOIN"
wait_for 60 "the end" is failed "SELECT state FROM acsweep.sweep WHERE name = 'broken'"
same "$(query "SELECT count(*) FROM attempts WHERE sweep = 'broken' AND failure = 'data' AND message LIKE '%other/broken: a link to a file that is not there%'")" 1
same "$(query "SELECT reason FROM acsweep.sweep WHERE name = 'broken'")" "the content of some checkpoints or image sets could not be identified"

kill "$FIRST"
wait "$FIRST"
stop_cluster
none_left
