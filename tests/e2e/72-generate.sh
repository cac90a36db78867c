#!/usr/bin/env bash
# acsweep generate: answers, token for token, of a model as LLaVA keeps it, with pictures through two encoders, and without
# (tests/golden/llama, see make.py there).
. "$(dirname "$0")/lib.sh"
cd "$SCRATCH" || exit 1
GOLDEN=$SOURCE/tests/golden PICTURES=$SOURCE/tests/golden/images/pictures
export OPENBLAS_CORETYPE= # any kernels will do, and a program that looks for better ones starts twice

for name in clip224 dinov2_registers; do
    cp -r "$GOLDEN/vit/$name" "$name" && cp "$GOLDEN/extract/$name/preprocessor_config.json" "$name/"
done
cp -r "$GOLDEN/llama/llava" model

acsweep generate --model model --prompt x --max-tokens 1 --threads 1 >"$OUT" 2>"$ERR"
if grep -q "built without libtorch" "$ERR"; then
    echo "SKIPPED: $(cat "$ERR")"
    exit 77
fi

wrong() { # wrong CODE TEXT ARGUMENT...
    local code=$1 text=$2
    shift 2
    expect "$code" acsweep "$@"
    has "$ERR" "$text"
    [[ $(grep -vc "^Try '" "$ERR") == 1 ]] || { fail "more than one line for: $*"; cat "$ERR" >&2; }
}

expect 0 acsweep inspect model
has "$OUT" "connector    from 64 channels to 32"

# Every golden question; what is printed as it comes is what JSON says at the end.
questions() {
    python3 - "$GOLDEN/llama/expected/answers.json" "$PICTURES" <<'PY'
import json, shlex, sys
for n, a in enumerate(json.load(open(sys.argv[1]))):
    words = ["--prompt", a["question"], "--template", a["template"]]
    if a["pictures"]:
        words += ["--encoder", "clip224", "--encoder", "dinov2_registers"]
    for p in a["pictures"]:
        words += ["--image", sys.argv[2] + "/" + p]
    print(n, shlex.join(words))
PY
}
while read -r n words; do
    eval "set -- $words"
    expect 0 acsweep generate --model model --max-tokens 14 --compute fp32 --threads 1 "$@" --json
    cp "$OUT" "$n.json"
    expect 0 acsweep generate --model model --max-tokens 14 --compute fp32 --threads 1 "$@"
    python3 - "$GOLDEN/llama/expected/answers.json" "$n" "$OUT" <<'PY' || fail "golden question $n"
import json, sys
want = json.load(open(sys.argv[1]))[int(sys.argv[2])]
got = json.load(open(sys.argv[2] + ".json"))
assert got["tokens"] == want["tokens"], (got["tokens"], want["tokens"])
assert got["text"] == want["text"] and got["prompt_tokens"] == want["prompt_tokens"], (got, want)
assert not got["stopped"] and 0 < got["first_token_seconds"] <= got["seconds"]
assert open(sys.argv[3]).read() == got["text"] + "\n"
PY
done < <(questions)

# A connector of its own, in LLaVA's file, is found beside any decoder.
cp "$GOLDEN/llama/connector/mm_projector.bin" .
ASK=(--model model --encoder clip224 --image "$PICTURES/rgb.png" --max-tokens 2 --threads 1)

# One clear line for each mistake.
wrong 2 "--model DIR is missing" generate --prompt x
wrong 2 "nothing to ask" generate --model model
wrong 2 "--image needs --encoder" generate --model model --image "$PICTURES/rgb.png"
wrong 2 "--encoder is for pictures" generate --model model --encoder clip224 --prompt x
wrong 2 "the prompt has 2 times <image>, but there are 1 pictures" generate "${ASK[@]}" --prompt '<image> and <image>'
wrong 3 "the connector takes features (pictures,tokens,64), not" generate "${ASK[@]}"
wrong 3 "the connector takes features (pictures,tokens,24), not" generate "${ASK[@]}" --connector mm_projector.bin
wrong 3 "clip224: neither tokenizer.model nor tokenizer.json is there" generate --model clip224 --prompt x
cp "$GOLDEN"/text/slow_legacy/* clip224/
wrong 3 "which is no decoder known here" generate --model clip224 --prompt x
mkdir bare && cp -r "$GOLDEN"/llama/grouped/* "$GOLDEN"/text/slow_legacy/* bare/
wrong 3 "is this its tokenizer?" generate --model bare --prompt 'Hello there'
wrong 3 "it holds no connector of two layers" generate "${ASK[@]}" --model bare
printf 'GIF89a, or what?' >odd.png
wrong 3 "odd.png" generate --model model --encoder clip224 --image odd.png
none_left
