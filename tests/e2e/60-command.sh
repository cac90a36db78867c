#!/usr/bin/env bash
# A whole sweep through the executor `command`: every stage is a program of the user's. Artifacts travel from stage to stage,
# one stage saves its state and asks to go on, one fails at first; the ranking is what the programs' numbers say.
. "$(dirname "$0")/lib.sh"
cd "$SCRATCH" || exit 1

cat >stage.py <<'PY'
"""One program for all stages: small made-up numbers, and proof that the inputs are where they should be."""
import json, os, sys

task = json.load(open(os.environ["ACSWEEP_PARAMS"]))
out, kind, label = task["out"], task["kind"], task["label"]
quality = {"one": 0.2, "two": 0.9, "three": 0.5, "one+two": 1.0}
name = next((n for n in sorted(quality, key=len, reverse=True) if label.split()[1] == n), None)

def read(name):
    artifacts = task["inputs"][name]["artifacts"]
    return [open(path).read() for path in artifacts.values()]

answer = {"metrics": {}, "artifacts": []}
def keep(name, text):
    with open(os.path.join(out, name), "w") as f:
        f.write(text)
    answer["artifacts"].append({"name": name, "path": name})

if kind == "extract":
    keep("features", "features of " + label)
elif kind == "stage1":
    # Saves its state once and asks to be continued; the second time it finds the state again.
    state = os.path.join(os.environ["ACSWEEP_CHECKPOINT_DIR"], "state")
    if not os.path.exists(state):
        open(state, "w").write("half way")
        sys.exit(85)
    assert open(state).read() == "half way"
    keep("connector", "connector of " + name)
elif kind == "score_a":
    texts = [t for n in task["inputs"] for t in read(n)]
    assert any(t == "connector of " + name for t in texts), texts
    answer["metrics"]["a"] = quality[name]
elif kind == "score_c":
    texts = [t for n in task["inputs"] for t in read(n)]
    assert texts and all(t.startswith("features of ") for t in texts), texts
    answer["metrics"]["c"] = quality[name] * 30
elif kind == "stage2":
    assert any(t == "connector of " + name for n in task["inputs"] for t in read(n))
    if task["attempt"] == 1 and name == "two":
        print("this goes into the log")
        sys.exit(3)
    keep("model", "model of " + name)
elif kind == "evaluate":
    assert any(t == "model of " + name for n in task["inputs"] for t in read(n))
    answer["metrics"]["performance"] = 50 + 10 * quality[name]
json.dump(answer, open(os.environ["ACSWEEP_RESULT"], "w"))
PY
{
    echo 'name = "mine"; seed = 1;'
    echo 'executors = {'
    for kind in extract stage1 score_a score_c stage2 evaluate; do
        echo "  $kind = { use = \"command\"; command = [\"/usr/bin/python3\", \"$SCRATCH/stage.py\"]; gpus = 0; };"
    done
    cat <<'CFG'
};
artifacts = { store = "STORE"; };
retries = { code = 2; backoff = "100ms"; };
policy = { mode = "default"; budget = { fine_tunes = 2; }; };
checkpoints = ( { name = "m1"; source = "made/up-1"; }, { name = "m2"; source = "made/up-2"; }, { name = "m3"; source = "made/up-3"; },
                { name = "lm"; source = "made/up-lm"; role = "llm"; } );
llm = { checkpoint = "lm"; };
encoders = (
  { name = "one";   checkpoint = "m1"; resolution = 224; grid = 16; channels = 8; },
  { name = "two";   checkpoint = "m2"; resolution = 224; grid = 16; channels = 8; },
  { name = "three"; checkpoint = "m3"; resolution = 224; grid = 16; channels = 8; }
);
representations = { list = ( { members = ["one"]; }, { members = ["two"]; }, { members = ["three"]; },
                             { name = "one+two"; members = ["one", "two"]; } ); };
image_sets = ( { name = "pretrain"; role = "stage1"; images = 10; }, { name = "mix"; role = "stage2"; },
               { name = "pairs"; role = "correspondence"; images = 8; } );
correspondence_sets = ( { name = "pairs"; image_set = "pairs"; split = "test"; pairs = 4; } );
benchmarks = ( { name = "B1"; metric = "accuracy"; questions = 10; maximum = 100; },
               { name = "B2"; metric = "accuracy"; questions = 10; maximum = 100; } );
scores = { a = { references = ["one"]; }; };
stage1 = { image_set = "pretrain"; };
stage2 = { image_set = "mix"; };
CFG
} | sed "s|STORE|$SCRATCH/store|" >mine.cfg

expect 0 acsweep run --state s mine.cfg
none_left
expect 0 acsweep rank --state s --json
same "$(json "$OUT" 'd[0]["representation"]')" one+two
same "$(json "$OUT" '[r["representation"] for r in d if r["is_measured"]]')" "['one+two', 'two']"
expect 0 acsweep sql --state s --json -c "SELECT kind, outcome, count(*)::int AS n FROM attempts GROUP BY 1, 2"
same "$(json "$OUT" 'sorted((r["n"]) for r in d if r["kind"] == "stage1")')" "[4, 4]"
same "$(json "$OUT" 'sorted((r["outcome"], r["n"]) for r in d if r["kind"] == "stage2")')" "[('failed', 1), ('succeeded', 2)]"
[[ $(find store/objects -name connector -type f | wc -l) == 4 ]] || fail "not four connectors in the store"

# Another encoder: only its work is new.
sed -i 's|{ members = \["three"\]; },|{ members = ["three"]; }, { name = "two+three"; members = ["two", "three"]; },|' mine.cfg
sed -i 's|"one+two": 1.0}|"one+two": 1.0, "two+three": 0.95}|' stage.py
expect 0 acsweep run --state s mine.cfg
expect 0 acsweep sql --state s --json -c "SELECT count(*)::int AS n FROM attempts WHERE kind = 'stage1'"
same "$(json "$OUT" 'd[0]["n"]')" 10
none_left
