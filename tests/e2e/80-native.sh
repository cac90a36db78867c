#!/usr/bin/env bash
# Real extraction and C scoring by tasks: two workers on a coordinator, one of them killed in the middle, give the scores of the
# direct commands; another encoder in the config extracts only what is new.
. "$(dirname -- "$0")/lib.sh"
. "$(dirname -- "$0")/cluster.sh"

if ! acsweep-exec --probe | grep -q '"native"'; then
    echo "SKIPPED: built without libtorch"
    exit 77
fi
SET=$SCRATCH/set
python3 "$SOURCE/tests/lib/make_spair.py" "$SET" 4
chmod -R a+rX "$SET"
# name, fixture checkpoint, resolution: grids of 4, 5 and 4
encoder() {
    cp -r "$SOURCE/tests/golden/vit/$2" "$SCRATCH/$1"
    cat >"$SCRATCH/$1/preprocessor_config.json" <<END
{"image_processor_type": "CLIPImageProcessor", "do_resize": true, "size": {"shortest_edge": $3}, "resample": 3,
 "do_center_crop": true, "crop_size": {"height": $3, "width": $3}, "do_rescale": true, "rescale_factor": 0.00392156862745098,
 "do_normalize": true, "image_mean": [0.48, 0.46, 0.41], "image_std": [0.27, 0.26, 0.28]}
END
}
encoder clip clip224 56
encoder dino dinov2 35
encoder open openclip 56

config() { # config FILE NAME ENCODER...
    local file=$1 name=$2 encoder comma='' resolution
    shift 2
    {
        echo "name = \"$name\";"
        echo "checkpoints = ("
        for encoder; do printf '%s { name = "%s"; role = "encoder"; }' "$comma" "$encoder"; comma=,; done
        echo "); encoders = ("
        comma=''
        for encoder; do
            resolution=56
            [[ $encoder == dino ]] && resolution=35
            printf '%s { name = "%s"; checkpoint = "%s"; resolution = %s; }' "$comma" "$encoder" "$encoder" "$resolution"
            comma=,
        done
        cat <<'END'
);
representations = { generate = { max_size = 2; }; };
image_sets = ( { name = "pairs"; role = "correspondence"; images = 8; } );
correspondence_sets = ( { name = "pairs"; image_set = "pairs"; } );
benchmarks = ( { name = "b"; maximum = 1.0; } );
scores = { a = { references = ("clip"); }; };
features = { dtype = "fp32"; images_per_shard = 3; };
executors = {
  extract = { use = "native"; gpus = 0; };
  score_c = { use = "native"; gpus = 0; };
  stage1 = { use = "fake"; };
  score_a = { use = "fake"; fake = { metrics = { a = 0.5; }; }; };
  stage2 = { use = "fake"; };
  evaluate = { use = "fake"; fake = { metrics = { performance = 0.5; }; }; };
};
policy = { budget = { fine_tunes = 1; }; };
END
    } >"$file"
}
start_worker() { # start_worker NAME
    acsweep-worker --coordinator "$JOIN" --state "$SCRATCH/$1" --slots 1 --path "pairs=$SET" --path "clip=$SCRATCH/clip" \
        --path "dino=$SCRATCH/dino" --path "open=$SCRATCH/open" </dev/null >"$SCRATCH/$1.log" 2>&1 &
    WORKER=$!
}
# The scores of the direct commands: "members c pck_0.05" a line, sorted.
direct() {
    local encoder args=()
    for encoder; do
        expect 0 acsweep extract --encoder "$SCRATCH/$encoder" --resolution "$([[ $encoder == dino ]] && echo 35 || echo 56)" \
            --spair "$SET" --geometry letterbox --out "$SCRATCH/features/$encoder"
        args+=(--features "$SCRATCH/features/$encoder")
    done
    expect 0 acsweep score c "${args[@]}" --pairs "$SET" --geometry letterbox --subsets all --json
    json "$OUT" '"\n".join(sorted("%s %.9f %.9f" % ("+".join(m.rsplit("/", 1)[-1] for m in x["members"]), x["pck"]["0.10"], x["pck"]["0.05"]) for x in d if len(x["members"]) < 3))'
}
by_tasks() { # by_tasks SWEEP
    acsweep sql --database "$DATABASE" --json -c "SELECT representation AS r, max(value) FILTER (WHERE metric = 'c') AS c,
        max(value) FILTER (WHERE metric = 'pck_0.05') AS p FROM scores WHERE sweep = '$1' AND score = 'c' GROUP BY 1" >"$SCRATCH/scores.json"
    json "$SCRATCH/scores.json" '"\n".join(sorted("%s %.9f %.9f" % (x["r"], float(x["c"]), float(x["p"])) for x in d))'
}

mkdir "$SCRATCH/store" "$SCRATCH/features"
start_postgres
start_coordinator --listen 'tcp://127.0.0.1:*' --store "$SCRATCH/store" --lease 3s --heartbeat 500ms

# ---- two encoders; the first worker is killed while it extracts --------------------------------------------------------
config "$SCRATCH/two.cfg" two clip dino
expect 0 acsweep submit "$SCRATCH/two.cfg" --coordinator "$JOIN"
# The first worker has the reference BLAS where there is one: it works, and its log says what is wrong with that.
SLOW_BLAS=/usr/lib/$(uname -m)-linux-gnu/blas
LD_LIBRARY_PATH=$SLOW_BLAS${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} start_worker w1
FIRST=$WORKER
wait_for 60 "a first result" is True "SELECT count(*) >= 1 FROM tasks WHERE sweep = 'two' AND kind = 'extract' AND status = 'done'"
kill -9 "$FIRST"
[[ ! -e $SLOW_BLAS/libblas.so.3 ]] || has "$SCRATCH/w1.log" "is no fast BLAS"
start_worker w2
SECOND=$WORKER
start_worker w3
THIRD=$WORKER
wait_for 120 "the sweep" is done "SELECT state FROM acsweep.sweep WHERE name = 'two'" || { cat "$SCRATCH"/w?.log >&2; acsweep sql --database "$DATABASE" -c "SELECT kind, label, status, reason FROM tasks WHERE status NOT IN ('done')" >&2; }
WANT=$(direct clip dino)
same "$(by_tasks two)" "$WANT"
same "$(wc -l <<<"$WANT")" 3
# Not all scores alike, else nothing was compared.
[[ $(cut -d' ' -f2 <<<"$WANT" | sort -u | wc -l) -gt 1 ]] || fail "all representations score the same: $WANT"
same "$(query "SELECT count(*) FROM tasks WHERE sweep = 'two' AND kind = 'extract'")" 6

# ---- pictures: the report has those that the direct command draws ------------------------------------------------------
found() { grep -o 'finds [0-9]* of [0-9]* points' "$1" | sort; }
same "$(query "SELECT string_agg(DISTINCT a.name || ' ' || l.store, ', ') FROM acsweep.artifact a JOIN acsweep.artifact_location l USING (artifact_id)
    JOIN acsweep.task t USING (task_id) WHERE t.kind = 'score_c'")" "pictures inline, thumbnails inline"
expect 0 acsweep report two --database "$DATABASE" -o "$SCRATCH/report"
expect 0 acsweep score c --features "$SCRATCH/features/clip" --features "$SCRATCH/features/dino" --pairs "$SET" --subsets all --pictures "$SCRATCH/pictures.html"
same "$(found "$SCRATCH/report/index.html")" "$(found "$SCRATCH/pictures.html")"
same "$(found "$SCRATCH/report/index.html" | wc -l)" 12 # four pairs, three representations
has "$SCRATCH/report/index.html" '<h2 id="correspondence">'
same "$(grep -c 'data:image/jpeg;base64,' "$SCRATCH/report/index.html")" "$(grep -c 'data:image/jpeg;base64,' "$SCRATCH/pictures.html")"
expect 2 acsweep score c --features "$SCRATCH/features/clip" --pairs "$SET" --pictures "$SCRATCH/pictures.json"
expect 3 acsweep score c --features "$SCRATCH/features/clip" --pairs "$SET" --pictures "$SCRATCH/none.html" --picture nobody
has "$ERR" "there is no pair 'nobody'"
same "$(find "$SCRATCH" -maxdepth 1 -name 'none.html*')" "" # nor anything half written

# ---- a third encoder: only the new one is extracted, old scores are found ----------------------------------------------
config "$SCRATCH/three.cfg" three clip dino open
expect 0 acsweep submit "$SCRATCH/three.cfg" --coordinator "$JOIN"
wait_for 120 "the second sweep" is done "SELECT state FROM acsweep.sweep WHERE name = 'three'"
same "$(query "SELECT count(*) FROM tasks WHERE sweep = 'three' AND kind = 'extract' AND cached")" 6
same "$(query "SELECT count(*) FROM tasks WHERE sweep = 'three' AND kind = 'extract' AND NOT cached AND encoder = 'open'")" 3
same "$(query "SELECT count(*) FROM tasks WHERE sweep = 'three' AND kind = 'score_c' AND cached")" 3
same "$(by_tasks three)" "$(direct clip dino open)"

# ---- the same on one machine, with nothing but the command --------------------------------------------------------------
expect 0 acsweep run "$SCRATCH/two.cfg" --state "$SCRATCH/alone" -n 2 --path "pairs=$SET" --path "clip=$SCRATCH/clip" --path "dino=$SCRATCH/dino"
expect 0 acsweep sql --state "$SCRATCH/alone" --json -c "SELECT representation AS r, value AS c FROM scores WHERE metric = 'c'"
same "$(json "$OUT" '"\n".join(sorted("%s %.9f" % (x["r"], float(x["c"])) for x in d))')" "$(cut -d' ' -f1,2 <<<"$WANT")"
expect 3 acsweep run "$SCRATCH/two.cfg" --state "$SCRATCH/alone" --path "pairs=$SCRATCH/nowhere"
has "$ERR" "nowhere: No such file or directory"

# ---- what is wrong on one node, and what is wrong with the data --------------------------------------------------------
truncate -s 100 "$SET/JPEGImages/cat/cat0.png"
sed 's/name = "three"/name = "broken"/; s/resolution = 35/resolution = 49/' "$SCRATCH/three.cfg" >"$SCRATCH/broken.cfg"
expect 0 acsweep submit "$SCRATCH/broken.cfg" --coordinator "$JOIN"
wait_for 60 "the failure" is True "SELECT count(*) >= 1 FROM attempts WHERE sweep = 'broken' AND failure = 'data' AND message LIKE '%cat0.png%'"

kill "$SECOND" "$THIRD"
wait "$SECOND" "$THIRD"
stop_cluster
none_left
