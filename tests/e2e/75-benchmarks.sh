#!/usr/bin/env bash
# Benchmarks without any coordinator: convert, score answers, score a; published Parquet files where pyarrow is installed.
. "$(dirname "$0")/lib.sh"
cd "$SCRATCH" || exit 1
GOLDEN=$SOURCE/tests/golden
PNG=iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==

wrong() { # wrong CODE TEXT ARGUMENT...
    local code=$1 text=$2
    shift 2
    expect "$code" acsweep "$@"
    has "$ERR" "$text"
    [[ $(grep -vc "^Try '" "$ERR") == 1 ]] || { fail "more than one line for: $*"; cat "$ERR" >&2; }
}

# ---- convert ---------------------------------------------------------------------------------------------------------

printf 'index\tquestion\tA\tB\tanswer\timage\n%s\n%s\n' \
    "7"$'\t'"\"which"$'\n'"one?\""$'\t'up$'\t'down$'\t'B$'\t'$PNG "1000007"$'\t'"which one?"$'\t'down$'\t'up$'\t'A$'\t'7 >table.tsv
mkdir made
expect 0 acsweep convert mmbench --from table.tsv --out made/q.jsonl --images pictures/small
has "$OUT" "2 questions of MMBench, 0 left out, 1 pictures written"
same "$(python3 -c 'import json; print([json.loads(l)["image"] for l in open("made/q.jsonl")])')" \
    "['pictures/small/7.png', 'pictures/small/7.png']"
base64 -d <<<"$PNG" | cmp -s - made/pictures/small/7.png || fail "the picture is another one"
expect 0 acsweep convert mmbench --from table.tsv --out made/again.jsonl --images pictures/small --json
same "$(json "$OUT" 'd["questions"], d["pictures"]')" "(2, 1)"
cmp -s made/q.jsonl made/again.jsonl || fail "two conversions differ"

sed 's/\t7$/\t..\/..\/x.png/' table.tsv >up.tsv
wrong 3 "up.tsv:4: field 'image': the picture's path '../../x.png' leads up" convert mmbench --from up.tsv --out made/bad.jsonl
wrong 2 "'gqa' is no benchmark that can be converted" convert gqa --from table.tsv --out made/bad.jsonl
wrong 2 "only OKVQA" convert mme --from table.tsv --annotations table.tsv --out made/bad.jsonl
wrong 4 "nowhere/bad.jsonl: cannot write" convert mmbench --from table.tsv --out nowhere/bad.jsonl
wrong 3 "--images" convert mmbench --from table.tsv --out made/bad.jsonl --images /etc
ls made/*bad* made/*.tmp* >/dev/null 2>&1 && fail "something is left of a conversion that failed"

# ---- score answers ---------------------------------------------------------------------------------------------------

cat >compare.py <<'PY'
"""compare.py NAME KEY < output: the golden totals, digit for digit."""
import json, sys
want = json.load(open(sys.argv[1]))["benchmarks"][sys.argv[2]][sys.argv[3]]
got = json.load(sys.stdin)["values"]
assert got.keys() == want.keys(), (got, want)
assert all(abs(got[k] - want[k]) < 1e-9 for k in want), (got, want)
PY
B=$GOLDEN/benchmarks
for name in mmbench mme mmmu okvqa textvqa vizwiz scienceqa seed; do
    for how in wrong:totals random:random; do
        expect 0 acsweep score answers --benchmark "$B/$name.jsonl" --answers "$B/$name.answers.jsonl" --unparsed ${how%:*} --json
        python3 compare.py "$B/expected.json" $name ${how#*:} <"$OUT" || fail "$name, unparsed ${how%:*}"
    done
done
expect 0 acsweep score answers --benchmark "$B/mme.jsonl" --answers "$B/mme.answers.jsonl" --metric cognition
has "$OUT" "cognition $(json "$B/expected.json" '"%.2f" % d["benchmarks"]["mme"]["totals"]["cognition"]') points, 95 % interval"
has "$OUT" "interval $(json "$B/expected.json" '"%.2f to %.2f" % tuple(d["benchmarks"]["mme"]["intervals"]["cognition"][:2])'), over"
has "$OUT" "chance 300.00 points (by lot; the best constant answer, 'Yes': 200.00): not told apart from chance"
wrong 3 "SEED-Bench has no metric 'vqa'" score answers --benchmark "$B/seed.jsonl" --answers "$B/seed.answers.jsonl" --metric vqa
wrong 3 "is no question of" score answers --benchmark "$B/seed.jsonl" --answers "$B/mme.answers.jsonl"
head -3 "$B/seed.answers.jsonl" >some.jsonl
wrong 3 "17 of 20 questions have no answer, the first is '3'" score answers --benchmark "$B/seed.jsonl" --answers some.jsonl

# ---- score a ---------------------------------------------------------------------------------------------------------

A=$GOLDEN/a_score
for arith in fp32 bf16; do
    expect 0 acsweep score a --target "$A/target.safetensors" -r "$A/CLIP@336.safetensors" -r "$A/CLIP@224.safetensors" \
        --arith $arith --json
    same "$(json "$OUT" "abs(d['a'] - json.load(open('$A/expected.json'))['$arith']['a']) < 1e-6, d['n'], sorted(d['references'])")" \
        "(True, 4, ['CLIP@224', 'CLIP@336'])"
done
expect 0 acsweep score a --target "$A/CLIP@336.safetensors" -r "$A/CLIP@336.safetensors"
has "$OUT" "mean       1.0000"
cp "$A/CLIP@336.safetensors" $'n\xff.safetensors'
expect 0 acsweep score a --target "$A/target.safetensors" -r $'n\xff.safetensors' --json
same "$(json "$OUT" 'list(d["references"])')" "['n?']"
expect 0 acsweep score a --target "$A/target.safetensors" --reference "$A/CLIP@336.safetensors" "$A/CLIP@224.safetensors" --json
same "$(json "$OUT" 'list(d["references"])')" "['CLIP@336', 'CLIP@224']"
wrong 3 "no reference is left" score a --target "$A/CLIP@336.safetensors" -r "$A/CLIP@336.safetensors" --exclude-self
wrong 4 "nowhere: cannot open" score a --target nowhere -r "$A/CLIP@336.safetensors"

# ---- Parquet ---------------------------------------------------------------------------------------------------------

printf "PAR1....PAR1" >fake.parquet
wrong 3 "tools/parquet_to_jsonl.py makes a JSONL file of it" convert mme --from fake.parquet --out made/bad.jsonl
if ! python3 -c 'import pyarrow.parquet' 2>/dev/null; then
    echo "skipped: no pyarrow here, so tools/parquet_to_jsonl.py was not tested"
    exit 0
fi
python3 - "$PNG" <<'PY'
import base64, sys
import pyarrow, pyarrow.parquet
image = {"bytes": base64.b64decode(sys.argv[1]), "path": "x.png"}
rows = [{"question_id": "OCR/1.png", "image": image, "question": "q", "answer": a, "category": "OCR"} for a in ("Yes", "No")]
pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), "mme.parquet")
rows = [{"data_id": "1", "data_type": "video", "question_id": "1", "question": "q", "answer": "A", "choice_a": "x",
         "choice_b": "y", "choice_c": "z", "choice_d": "w", "question_type_id": 1, "image": [image, image]}]
pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), "seed.parquet")
PY
for name in mme seed; do
    mkdir -p $name
    expect 0 python3 "$SOURCE/tools/parquet_to_jsonl.py" --out $name/rows.jsonl --images $name/images $name.parquet
    has "$OUT" "1 pictures written"
    expect 0 acsweep convert $name --from $name/rows.jsonl --out $name/q.jsonl
    python3 - $name <<'PY' || fail "a picture of $name is missing"
import json, os, sys
for line in open(sys.argv[1] + "/q.jsonl"):
    images = json.loads(line)["image"]
    assert all(os.path.isfile(os.path.join(sys.argv[1], i)) for i in ([images] if isinstance(images, str) else images))
PY
done
expect 1 python3 "$SOURCE/tools/parquet_to_jsonl.py" --out bad.jsonl --images none fake.parquet
[[ -e bad.jsonl ]] && fail "something is left of a Parquet file that is none"
exit 0
