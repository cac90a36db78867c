#!/usr/bin/env bash
# A real coordinator and a worker with two GPUs that obey this test: one fails in the middle of a task. The task is done on the
# other one, the coordinator knows of it, and of its return; energy is on record for what ran on a GPU.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/cluster.sh"
cd "$SCRATCH" || exit 1
clean_up() {
    [[ -n ${WORKER:-} ]] && kill "$WORKER" 2>/dev/null
    stop_cluster
}

: >cuda
cat >extract.sh <<SH
#!/bin/sh
# What runs first on the second GPU finds it broken.
case \$CUDA_VISIBLE_DEVICES in
*01) if mkdir "$SCRATCH/broken" 2>/dev/null; then
         echo sick 1 >"$SCRATCH/cuda"
         echo "CUDA error: uncorrectable ECC error encountered"
         exit 1
     fi ;;
esac
test "\$1" = /models/one || exit 3
sleep 0.2
echo '{}' >"\$ACSWEEP_RESULT"
SH
chmod +x extract.sh
cat >sweep.cfg <<CFG
name = "gpus"; seed = 1;
executors = {
  extract  = { use = "command"; command = ["$SCRATCH/extract.sh", "{path_of:checkpoint}"]; gpus = 1; gpu_memory = "1GiB"; };
  stage1   = { use = "fake"; gpus = 0; };
  score_a  = { use = "fake"; gpus = 0; fake = { metrics = { a = 0.5; }; }; };
  score_c  = { use = "fake"; gpus = 0; fake = { metrics = { c = 0.5; }; }; };
  stage2   = { use = "fake"; gpus = 0; };
  evaluate = { use = "fake"; gpus = 0; fake = { metrics = { performance = 50.0; }; }; };
};
retries = { infrastructure = 3; backoff = "100ms"; };
policy = { mode = "default"; budget = { fine_tunes = 1; }; };
checkpoints = ( { name = "m@1"; source = "made/up"; }, { name = "lm"; source = "made/up-lm"; role = "llm"; } );
llm = { checkpoint = "lm"; };
encoders = ( { name = "one"; checkpoint = "m@1"; resolution = 224; grid = 16; channels = 8; } );
representations = { list = ( { members = ["one"]; } ); };
image_sets = ( { name = "pretrain"; role = "stage1"; images = 10; }, { name = "mix"; role = "stage2"; },
               { name = "pairs"; role = "correspondence"; images = 20; } );
features = { images_per_shard = 1; };
correspondence_sets = ( { name = "pairs"; image_set = "pairs"; split = "test"; pairs = 4; } );
benchmarks = ( { name = "B1"; metric = "accuracy"; questions = 10; maximum = 100; } );
scores = { a = { references = ["one"]; }; };
stage1 = { image_set = "pretrain"; };
stage2 = { image_set = "mix"; };
CFG
cat >worker.cfg <<CFG
path = ["m@1=/models/one"];
gpu_check = "200ms";
gpu_retry = "200ms";
CFG

start_postgres
start_coordinator --listen 'tcp://127.0.0.1:*' --store "$SCRATCH/store" --heartbeat 300ms
LIBRARIES=${ACSWEEP_BIN%/bin}/tests
ACSWEEP_CUDART=$LIBRARIES/libfake_cudart.so ACSWEEP_NVML=$LIBRARIES/libfake_nvml.so FAKE_NVML_STEP_MJ=4000 \
    FAKE_CUDA_DEVICES=2 FAKE_CUDA_TAG=$$ FAKE_CUDA_FILE=$SCRATCH/cuda acsweep-worker --config worker.cfg \
    --coordinator "$JOIN" --state worker --name node >worker.log 2>&1 &
WORKER=$!
gpus() { # gpus SLOTS STATES: as the database knows them
    is "$1 $2" "SELECT w.slots || ' ' || string_agg(d.state, ' ' ORDER BY d.uuid) FROM worker w JOIN device d USING (worker_id) WHERE node = 'node' GROUP BY w.slots"
}
wait_for 20 "two GPUs" gpus 2 "ok ok" || cat worker.log >&2
expect 0 acsweep submit sweep.cfg --coordinator "$JOIN"
wait_for 60 "one GPU" gpus 1 "ok sick" || cat worker.log >&2
wait_for 120 "the end of the sweep" is done "SELECT state FROM sweep"
# One that was on its way to the broken GPU comes back as preempted, uncharged; only the one that broke it has failed.
FAILED="outcome = 'failed' AND failure <> 'preempted'"
is 1 "SELECT count(*) FROM attempts WHERE $FAILED" || fail "more than the one attempt failed"
is infrastructure "SELECT failure FROM attempts WHERE $FAILED" || fail "the broken GPU was blamed on the program"
is 0 "SELECT count(*) FROM attempts WHERE charged AND outcome <> 'succeeded' AND NOT ($FAILED)" || fail "another attempt was charged"
is 21 "SELECT count(*) FROM attempts WHERE kind = 'extract' AND energy_joules = 4 AND cardinality(devices) = 1" || fail "not the energy of every extract"
is 0 "SELECT count(*) FROM attempts WHERE kind <> 'extract' AND energy_joules IS NOT NULL" || fail "energy where there was no GPU"
is 0 "SELECT count(*) FROM attempts WHERE outcome = 'succeeded' AND devices[1] LIKE '%01' AND started_at > (SELECT finished_at FROM attempts WHERE $FAILED)" ||
    fail "something ran on the broken GPU"
: >cuda
wait_for 30 "the GPU's return" gpus 2 "ok ok" || cat worker.log >&2
kill -TERM "$WORKER"
wait "$WORKER" || fail "the worker ended with code $?"
WORKER=''
stop_cluster
none_left 20
