#!/usr/bin/env bash
# The sprite world by hand: made, kept, refused; its benchmarks scored; needs the fonts (skipped, loudly, without them).
. "$(dirname "$0")/lib.sh"
cd "$SCRATCH" || exit 1
if [[ ! -e /usr/share/fonts/truetype/noto/NotoColorEmoji.ttf || ! -e /usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf ]]; then
    echo "SKIPPED: install fonts-noto-color-emoji and fonts-dejavu-core" >&2
    exit 77
fi

small=(--pretrain 60 --stage1 30 --stage2 80 --questions 240 --pairs 50)
expect 0 acsweep world --out w "${small[@]}" --contact-sheet sheet.png --json
pictures=$(json "$OUT" 'd["pictures"]')
same "$pictures" "$(find w -name '*.png' | wc -l)"
[[ $(head -c 4 sheet.png | tail -c 3) == PNG ]] || fail "the contact sheet is no PNG"
expect 0 acsweep world --out w "${small[@]}"
has "$OUT" "w is there already: $pictures pictures"

# The same scenes by other artists: the questions are the same, the pictures differ, and with the emoji's own font as the other
# one they do not.
held=w/held-out
cmp $held/emoji/questions.jsonl $held/clipart/questions.jsonl || fail "the artists' questions differ"
for artist in emoji clipart; do
    same "$(wc -l <$held/$artist/questions.jsonl) $(find $held/$artist/images -name '*.png' | wc -l)" "240 240"
done
for picture in $held/emoji/images/*; do
    cmp -s "$picture" "$held/clipart/images/${picture##*/}"
    same "$picture $?" "$picture 1" # 2: it is not there
done
[[ ! -e $held/font ]] || fail "there is a held-out font that nobody gave"
expect 0 acsweep world --out other "${small[@]}" --held-out-font /usr/share/fonts/truetype/noto/NotoColorEmoji.ttf
diff -r other/held-out/emoji other/held-out/font || fail "the same font draws something else"
expect 2 acsweep world --out w "${small[@]}" --held-out-font /usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf
has "$ERR" "another sprite world"
expect 0 acsweep world --out lines --pretrain 0 --stage1 1 --stage2 1 --questions 85 --pairs 1 \
    --held-out-font /usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf
n=$(wc -l <lines/held-out/font/questions.jsonl) # what the font has of them
[[ $n -ge 1 && $n -lt 85 && $n == "$(find lines/held-out/font -name '*.png' | wc -l)" ]] || fail "$n drawings of DejaVu"
echo "not a font" >broken.ttf
expect 3 acsweep world --out x "${small[@]}" --held-out-font broken.ttf
has "$ERR" "broken.ttf: FreeType cannot read it"

expect 2 acsweep world --out w "${small[@]}" --seed 2
has "$ERR" "another sprite world"
mkdir mine && touch mine/letter
expect 2 acsweep world --out mine "${small[@]}" --force
has "$ERR" "mine exists and is no sprite world"
same "$(ls mine)" letter
expect 4 acsweep world --out x --fonts mine
has "$ERR" "apt-get install fonts-noto-color-emoji"
expect 2 acsweep world
has "$ERR" "give --out DIR"
[[ ! -e x ]] || fail "something is left of a world that could not be made"

# One and the same answer to everything is worth what 'score answers' says of it, which is little and no more than chance; the
# right ones all. A coin is better than one answer where two must be right.
cat >answer.py <<'PY'
import json, sys
path, constant = sys.argv[1:]
for line in open(path):
    q = json.loads(line)
    right = q.get("answer") or q["answers"][0]
    print(json.dumps({"id": q["id"], "answer": constant or right}))
PY
while read -r name constant worth chance full; do
    questions=w/benchmarks/$name/questions.jsonl
    python3 answer.py "$questions" "$constant" >constant.jsonl
    python3 answer.py "$questions" "" >right.jsonl
    expect 0 acsweep score answers --benchmark "$questions" --answers constant.jsonl --json
    same "$name $(json "$OUT" 'tuple(round(d[k], 6) for k in ("performance", "constant_performance", "chance"))')" "$name ($worth, $worth, $chance)"
    expect 0 acsweep score answers --benchmark "$questions" --answers right.jsonl --json
    same "$name $(json "$OUT" 'd["performance"], d["unparsed"]')" "$name ($full, 0)"
done <<'EOT'
mmbench A 0.0 0.390625 100.0
mme Yes 300.0 450.0 1200.0
mmmu C 25.0 25.0 100.0
vizwiz unanswerable 20.0 20.0 100.0
scienceqa D 25.0 25.0 100.0
seed B 25.0 25.0 100.0
EOT
for name in okvqa textvqa; do
    python3 answer.py w/benchmarks/$name/questions.jsonl "" >right.jsonl
    expect 0 acsweep score answers --benchmark w/benchmarks/$name/questions.jsonl --answers right.jsonl --json
    same "$name $(json "$OUT" 'd["performance"], d["chance"] < 8')" "$name (100.0, True)"
done
exit 0
