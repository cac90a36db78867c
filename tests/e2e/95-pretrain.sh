#!/usr/bin/env bash
# acsweep-pretrain on a small world: it learns, twice the same bytes, and what it writes is read by the product and, where they are
# installed, by transformers. ACSWEEP_PYTHON names a Python that has them.
. "$(dirname "$0")/lib.sh"
cd "$SCRATCH" || exit 1
export OPENBLAS_CORETYPE= # any kernels will do, and a program that looks for better ones starts twice
python3 "$SOURCE/tests/lib/make_shapes.py" world || exit 1
SMALL=(--resolution 32 --width 32 --layers 2 --steps 20 --report 5 --lr 0.003)
encoder() { # encoder OBJECTIVE OUT [OPTION...]
    acsweep-pretrain encoder --objective "$1" --data world/pretrain.jsonl --images world --out "$2" "${SMALL[@]}" "${@:3}"
}
llm() { # llm OUT [OPTION...]
    acsweep-pretrain llm --data world/talk.json --data world/pretrain.jsonl --vocab 400 --width 32 --layers 2 --batch 8 \
        --steps 20 --report 5 --out "$@"
}

if ! encoder clip probe-of-torch --steps 1 >/dev/null 2>"$ERR" && grep -q "without libtorch" "$ERR"; then
    echo "SKIPPED: $(cat "$ERR")"
    exit 77
fi

# ---- encoders ----------------------------------------------------------------------------------------------------------

learned() { # learned DIR: the last reported loss is well below the first
    json "$1/training.json" 'd["losses"][-1][1] < 0.97 * d["losses"][0][1] and d["losses"][-1][0] == 20'
}
for objective in clip siglip dense; do
    expect 0 encoder $objective $objective --batch 32
    has "$ERR" "step 20 of 20: loss"
    same "$(learned $objective)" True
    same "$(find $objective -type f | sort | xargs -n1 basename | tr '\n' ' ')" \
        "config.json model.safetensors preprocessor_config.json training.json "
    expect 0 encoder $objective again --batch 32
    diff -r $objective again || fail "$objective: another run, other bytes"
    expect 0 encoder $objective other --batch 32 --seed 2
    cmp -s $objective/model.safetensors other/model.safetensors && fail "$objective: another seed, the same weights"
    rm -r again other
    expect 0 acsweep inspect --json $objective
    same "$(json "$OUT" 'd["layers"], d["readable"]')" "(2, True)"
    expect 0 acsweep extract --encoder $objective --image world/pictures/0.png world/pictures/1.png --out $objective.safetensors
done
same "$(json <(acsweep inspect --json clip) 'd["kind"]') $(json <(acsweep inspect --json dense) 'd["kind"]')" "clip dinov2"

expect 0 encoder clip named --validation world/validation.jsonl --dtype bf16 --patch 16
has "$ERR" "zero-shot: the right one of 12 names"
same "$(json named/training.json 'd["zero_shot"]["n"], 0 <= d["zero_shot"]["top1"] <= d["zero_shot"]["top5"] <= 1')" "(48, True)"
expect 0 acsweep-pretrain probe --encoder dense --data world/pretrain.jsonl --validation world/validation.jsonl --images world --json
same "$(json "$OUT" 'd["classes"], d["test"], d["trained"]["top5"] > d["constant"]')" "(12, 48, True)"

# ---- the language model ------------------------------------------------------------------------------------------------

expect 0 llm llm --validation world/validation.jsonl --plain world/talk.json
grep -q "warning" "$ERR" && fail "label masks do not fit: $(cat "$ERR")"
same "$(learned llm)" True
same "$(json llm/training.json 'd["vocab"] <= 400, d["texts"], d["validation_loss"] > 0')" "(True, 288, True)"
expect 0 llm again --validation world/validation.jsonl --plain world/talk.json
diff -r llm again || fail "llm: another run, other bytes"
# Trained on: the tokenizer stays, the weights do not, and the loss goes on where it was.
expect 0 acsweep-pretrain llm --from llm --data world/talk.json --data world/validation.jsonl --batch 8 --steps 8 --report 4 --out more
cmp llm/tokenizer.json more/tokenizer.json || fail "another tokenizer"
cmp -s llm/model.safetensors more/model.safetensors && fail "nothing was learned"
(($(json more/training.json "d['losses'][0][1] < $(json llm/training.json 'd["losses"][0][1]')" | grep -c True))) ||
    fail "it began anew"
expect 2 acsweep-pretrain llm --from llm --layers 3 --data world/talk.json --steps 1 --out none
has "$ERR" "--from keeps that model's shape"
# Words that only the tokenizer learns; keys begin as queries do.
for _ in {1..200}; do echo '{"text":"zebra zebra zebra zebra zebra zebra"}'; done >zebra.jsonl
expect 0 llm words --words zebra.jsonl --steps 1 --lr 0 --rope-theta 50
same "$(json words/training.json 'd["texts"]') $(json words/config.json 'd["rope_theta"]')" "192 50.0"
grep -q "zebra" words/tokenizer.json || fail "the tokenizer did not learn the word"
grep -q "zebra" llm/tokenizer.json && fail "there was no such word"
same "$(python3 - words/model.safetensors <<'PY'
import json, struct, sys
raw = open(sys.argv[1], "rb").read()
n = struct.unpack("<Q", raw[:8])[0]
at = {k: v["data_offsets"] for k, v in json.loads(raw[8:8 + n]).items() if k != "__metadata__"}
data = lambda name: raw[8 + n + at[name][0]:8 + n + at[name][1]]
print([data(f"model.layers.{i}.self_attn.q_proj.weight") == data(f"model.layers.{i}.self_attn.k_proj.weight") for i in (0, 1)],
      data("model.layers.0.self_attn.k_proj.weight") == data("model.layers.1.self_attn.k_proj.weight"))
PY
)" "[True, True] False"
expect 2 acsweep-pretrain llm --from llm --words zebra.jsonl --data world/talk.json --steps 1 --out none
# Lines whose given words are softened: what is learned is the text behind them.
for k in {0..63}; do echo "{\"given\": \"zebra boat zebra boat\", \"text\": \"a zebra and boat $((k % 2))\"}"; done >soft.jsonl
expect 0 llm soft --soft soft.jsonl --loss both
same "$(learned soft) $(json soft/training.json 'd["texts"], len(d["soft_sha256"])')" "True (256, 1)"
expect 0 llm soft-again --soft soft.jsonl --loss both
diff -r soft soft-again || fail "softened: another run, other bytes"
# Conversations in which something is seen: the same, and other numbers than heard clearly.
for k in {0..63}; do echo "{\"seen\": \"zebra boat\", \"conversations\": [{\"from\": \"human\", \"value\": \"<image>\\nWhat?\"}, {\"from\": \"gpt\", \"value\": \"zebra $((k % 2))\"}]}"; done >seen.jsonl
expect 0 llm seen --soft seen.jsonl --loss answers
expect 0 llm clear --data seen.jsonl --loss answers
same "$(learned seen) $(learned clear)" "True True"
! cmp -s seen/model.safetensors clear/model.safetensors || fail "softened or not: the same bytes"
expect 3 llm none --soft world/talk.json
has "$ERR" "in none of the conversations anything is \"seen\""
for loss in answers both; do
    expect 0 llm "$loss" --loss "$loss"
    same "$(json "$loss/training.json" 'd["losses"][-1][1] < d["losses"][0][1]')" True
done
(($(json both/training.json "d['losses'][-1][1] > $(json llm/training.json 'd["losses"][-1][1]')" | grep -c True))) ||
    fail "both losses are no more than one"
cat >recipe.sh <<'SH'
acsweep train stage1 --encoder clip --layer -1 --llm llm --data world/talk1.json --images world --batch 8 --samples 16 --out stage1
SH
python3 - <<'PY'
import json
talk = json.load(open("world/talk.json"))
for t in talk:
    t["conversations"] = t["conversations"][:2]
json.dump(talk, open("world/talk1.json", "w"))
PY
expect 0 bash recipe.sh # stage 1 takes both
has "$OUT" "step 2 of 2: loss"

# ---- what is refused, and what is left behind ---------------------------------------------------------------------------

expect 2 encoder clip clip
has "$ERR" "--out: clip is there already"
expect 2 acsweep-pretrain encoder --objective clip --data world/pretrain.jsonl --images world --out none
has "$ERR" "either --steps or --seconds"
expect 2 encoder clip none --patch 5 --batch 4
has "$ERR" "--resolution must be a multiple of --patch"
expect 3 encoder clip none --data world/talk1.json
has "$ERR" "world/talk1.json:1"
expect 3 encoder clip none --images nowhere
has "$ERR" "nowhere/pictures/0.png"
python3 -c 'import json; print(json.dumps({"caption": "".join(map(chr, range(0x4e00, 0x4e80)))}))' >signs.jsonl
expect 3 llm none --vocab 300 --data signs.jsonl
has "$ERR" "raise --vocab"
expect 2 acsweep-pretrain llm --steps 1 --out none
endless() { # endless COMMAND...: it is ended by a signal after its first steps
    : >"$ERR" # what the one before said is no sign of this one
    "$@" --steps 1000000 --report 1 --out none 2>"$ERR" &
    while kill -0 $! 2>/dev/null && ! grep -q "step 2 of" "$ERR"; do sleep 0.1; done
    kill -TERM $! && wait $!
    same $? 5
    [[ -z $(ls -d none* 2>/dev/null) ]] || fail "left behind by $2: $(ls -d none*)"
}
endless acsweep-pretrain encoder --objective clip --data world/pretrain.jsonl --images world --resolution 32 --width 32 --layers 1
endless acsweep-pretrain llm --data world/talk.json --vocab 400 --width 32 --layers 1 --batch 2

# ---- transformers -------------------------------------------------------------------------------------------------------

peer=${ACSWEEP_PYTHON:-python3}
if "$peer" -c 'import torch, transformers, safetensors, PIL' 2>/dev/null; then
    expect 0 "$peer" "$SOURCE/tests/e2e/pretrain_peer.py" clip siglip dense llm
    cat "$OUT"
else
    echo "without transformers: their reading of the files is not checked"
fi
