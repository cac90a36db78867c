#!/usr/bin/env bash
# acsweep evaluate in the world of four colours (tests/lib/make_colours.py): a model that was trained answers, interrupted and
# gone on with, in batches of any size; what is wrong is refused in one line.
. "$(dirname -- "$0")/lib.sh"
if ! acsweep-exec --probe | grep -q '"native"'; then
    echo "SKIPPED: built without libtorch"
    exit 77
fi
GOLDEN=$SOURCE/tests/golden/train
cd "$SCRATCH" || exit 1
python3 "$SOURCE/tests/lib/make_colours.py" data
TRAIN=(--llm "$GOLDEN/llm" --encoder "$GOLDEN/clip,$GOLDEN/dino" --images data --precision fp32 --dtype fp32 --batch 8
    --max-length 200 --threads 1)
expect 0 acsweep train stage1 "${TRAIN[@]}" --data data/stage1.json --out s1 --lr 0.01 --epochs 2
expect 0 acsweep train stage2 "${TRAIN[@]}" --data data/stage2.json --connector s1 --out s2 --lr 0.005 --epochs 8
expect 0 acsweep train stage2 "${TRAIN[@]}" --data data/stage2.json --connector s1 --out lora --lr 0.005 --epochs 1 --lora 4

evaluate() { # evaluate OUT OPTION...
    local out=$1
    shift
    acsweep evaluate --model s2 --encoder "$GOLDEN/clip,$GOLDEN/dino" --compute fp32 --max-tokens 6 --threads 1 \
        --benchmark data/words.jsonl --out "$out" "$@"
}
expect 0 evaluate one --json --batch 1
same "$(json "$OUT" '(d["benchmark"], d["metric"], d["run"]["answered"], d["chance"])')" "('textvqa', 'vqa', 16, 25.0)"
python3 -c 'import sys; sys.exit(float(sys.argv[1]) < 60)' "$(json "$OUT" 'd["performance"]')" || fail "it has not learned to see: $(cat "$OUT")"
WORTH=$(json "$OUT" 'd["values"]')
same "$(json one/result.json 'd["values"]')" "$WORTH"
expect 0 evaluate many --batch 16
cmp one/answers.jsonl many/answers.jsonl || fail "answers depend on the batch"
expect 0 acsweep score answers --benchmark data/words.jsonl --answers one/answers.jsonl --json
same "$(json "$OUT" 'd["values"]')" "$WORTH"

# An interrupted one: half of the answers are there, the last line is torn.
head -9 one/answers.log >half && printf '{"id":"w5' >>half
mkdir torn && cp half torn/answers.log
expect 0 evaluate torn --batch 1 --json
same "$(json "$OUT" 'd["run"]["answered"]')" 8
cmp one/answers.jsonl torn/answers.jsonl || fail "other answers after an interruption"
expect 0 evaluate torn --batch 1 --json --max-tokens 1 # other settings begin anew
same "$(json "$OUT" 'd["run"]["answered"]')" 16

# A model that was trained again is another one, in the same directory or not.
cp -r s2 again
expect 0 evaluate twice --model again --json
expect 0 evaluate twice --model again --json
same "$(json "$OUT" 'd["run"]["answered"]')" 0
touch again/config.json
expect 0 evaluate twice --model again --json
same "$(json "$OUT" 'd["run"]["answered"]')" 16

# MMMU names its pictures by number, in any order and as often as it likes.
python3 - <<'END'
import json
picture = {json.loads(line)["answers"][0]: json.loads(line)["image"] for line in open("data/words.jsonl")}
asked = (("<image 2>\nWhat colour is it?", ["red", "blue"]), ("<image 1>\nWhat colour is it?", ["red", "blue"]),
         ("<image 1> and <image 2> and <image 1>?", ["red", "blue"]))
with open("data/mmmu.jsonl", "w") as f:
    for i, (text, colours) in enumerate(asked):
        f.write(json.dumps({"benchmark": "mmmu", "id": str(i), "question": text, "answer": colours[1 - i % 2],
                            "image": [picture[c] for c in colours]}) + "\n")
END
expect 0 evaluate numbered --benchmark data/mmmu.jsonl --json
same "$(head -2 numbered/answers.jsonl)" '{"id":"0","answer":"blue"}
{"id":"1","answer":"red"}'

# How it was trained to look is in the model.
expect 0 evaluate other --layer -1 --grid 3 --batch 16
has "$ERR" "warning: the model was trained with layer -2, here it is -1; give --layer -2"
has "$ERR" "warning: the model was trained with grid 4, here it is 3; give --grid 4"

# What LoRA left goes on its decoder.
expect 0 evaluate small/and/deep --model lora --llm "$GOLDEN/llm" --json
expect 0 acsweep generate --model lora --llm "$GOLDEN/llm" --encoder "$GOLDEN/clip,$GOLDEN/dino" --image data/pictures/50.png --max-tokens 3 \
    --prompt "What colour is it?"

wrong() { # wrong CODE TEXT ARGUMENT...
    local code=$1 text=$2
    shift 2
    expect "$code" "$@"
    has "$ERR" "$text"
    [[ $(grep -vc "^Try '" "$ERR") == 1 ]] || { fail "more than one line for: $*"; cat "$ERR" >&2; }
}
wrong 2 "'$GOLDEN/none' is no directory" evaluate x --encoder "$GOLDEN/clip,$GOLDEN/none"
wrong 2 "name the decoder" acsweep generate --model lora --prompt x
wrong 3 "no metric" evaluate x --metric beauty
[[ ! -e x/answers.log ]] || fail "it answered before it looked at the metric"
wrong 3 "features" evaluate x --encoder "$GOLDEN/clip" # beside those given before: three encoders
sed 's/pictures\/50/pictures\/none/' data/words.jsonl >data/broken.jsonl
wrong 3 "none.png" evaluate x --benchmark data/broken.jsonl
sed 's/"answers"/"answer"/' data/words.jsonl >data/wrong.jsonl
wrong 3 "data/wrong.jsonl:1" evaluate x --benchmark data/wrong.jsonl
[[ ! -e x/result.json ]] || fail "a failed evaluation left numbers"
wrong 4 "x: " evaluate one/answers.jsonl/x
none_left
