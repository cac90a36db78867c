#!/usr/bin/env bash
# Native A scores against references of unequal resolution: all of them, and the nearest one alone.
. "$(dirname -- "$0")/lib.sh"
if ! acsweep-exec --probe | grep -q '"native"'; then
    echo "SKIPPED: built without libtorch"
    exit 77
fi
GOLDEN=$SOURCE/tests/golden/train
cd "$SCRATCH" || exit 1
python3 "$SOURCE/tests/lib/make_colours.py" data
sweep() { # sweep NAME REFERENCES SETTING: its numbers, a line each
    sed "s/NAME/$1/; s/REFERENCES/$2/; s/SETTING/$3/" >"$1.cfg" <<'END'
name = "NAME";
checkpoints = ( { name = "clip"; role = "encoder"; }, { name = "dino"; role = "encoder"; }, { name = "lm"; role = "llm"; } );
llm = { checkpoint = "lm"; };
encoders = ( { name = "small"; checkpoint = "clip"; resolution = 28; grid = 4; channels = 24; },
             { name = "large"; checkpoint = "clip"; resolution = 42; grid = 6; channels = 24; },
             { name = "dino"; checkpoint = "dino"; resolution = 28; grid = 4; channels = 16; } );
representations = { list = ( { members = ["small"]; }, { members = ["large"]; }, { members = ["dino"]; } ); };
image_sets = ( { name = "pretrain"; role = "stage1"; images = 48; }, { name = "words"; role = "benchmark"; images = 16; },
               { name = "pairs"; role = "correspondence"; images = 6; } );
correspondence_sets = ( { name = "pairs"; image_set = "pairs"; } );
benchmarks = ( { name = "words"; image_set = "words"; metric = "vqa"; maximum = 100.0; } );
scores = { a = { references = (REFERENCES); sample_size = 8; SETTING }; };
features = { dtype = "fp32"; };
stage1 = { image_set = "pretrain"; samples = 16; batch = 8; max_length = 200; precision = "fp32"; };
executors = { extract = { use = "fake"; }; stage1 = { gpus = 0; }; score_a = { gpus = 0; };
              score_c = { use = "fake"; fake = { metrics = { c = 0.5; }; }; }; stage2 = { use = "fake"; };
              evaluate = { use = "fake"; fake = { metrics = { performance = 50.0; }; }; }; };
policy = { budget = { fine_tunes = 1; }; };
END
    expect 0 acsweep run "$1.cfg" --state state --path "clip=$GOLDEN/clip" --path "dino=$GOLDEN/dino" --path "lm=$GOLDEN/llm" \
        --path "pretrain=$PWD/data/stage1.json" --path "words=$PWD/data/words.jsonl" --path "pairs=$PWD/data"
    expect 0 acsweep sql --state state --json -c "SELECT concat_ws(' ', representation, metric, round(value::numeric, 4)) AS line
        FROM scores WHERE sweep = '$1' AND score = 'a' ORDER BY 1"
    json "$OUT" '"\n".join(x["line"] for x in d)' >"$1.txt"
}
value() { grep "^$2 a " "$1.txt" | cut -d' ' -f3; }
sweep all '"small", "large"' ""
sweep near '"small", "large"' "nearest = true"
sweep one '"small"' ""
same "$(wc -l <near.txt)" 3
for name in small large; do # each is nearest to itself
    same "$(value near $name)" 1.0000
    [[ $(value all $name) != 1.0000 ]] || fail "$name: the other reference does not count"
done
same "$(value near dino)" "$(value one dino)"
none_left
