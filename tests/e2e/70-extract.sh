#!/usr/bin/env bash
# The commands without any coordinator: inspect, extract, score c. Features are compared with what transformers computes from
# the same pictures (tests/golden/extract), scores with an independent implementation (tests/golden/score_c).
. "$(dirname "$0")/lib.sh"
cd "$SCRATCH" || exit 1
GOLDEN=$SOURCE/tests/golden
export OPENBLAS_CORETYPE= # any kernels will do, and a program that looks for better ones starts twice

encoder() { # encoder NAME: a whole checkpoint, put together in ./NAME
    cp -r "$GOLDEN/vit/$1" "$1" && cp "$GOLDEN/extract/$1/preprocessor_config.json" "$1/"
}
for name in clip224 clip336 siglip dinov2_registers; do encoder $name; done

ldd "$ACSWEEP_BIN/acsweep" | grep -q libtorch && fail "acsweep links libtorch: every command would start half a second later"

# ---- inspect ---------------------------------------------------------------------------------------------------------

expect 0 acsweep inspect clip336
has "$OUT" "kind         clip"
has "$OUT" "grid of 6 x 6"
expect 0 acsweep inspect --json dinov2_registers
same "$(json "$OUT" 'd["kind"], d["layers"], d["tokens"]["registers"], d["readable"]')" "('dinov2_with_registers', 3, 3, True)"
cp -r clip224 broken && truncate -s -8 broken/model.safetensors
expect 3 acsweep inspect broken
has "$OUT" "readable     no"
has "$OUT" "problem      broken/model.safetensors"
expect 3 acsweep inspect --json broken
same "$(json "$OUT" 'd["readable"], len(d["problems"])')" "(False, 1)"
cp -r clip224 unprepared && rm unprepared/preprocessor_config.json
expect 3 acsweep inspect unprepared
has "$OUT" "readable     no"
has "$OUT" "problem      unprepared/preprocessor_config.json: cannot open: No such file or directory; fetch it"
expect 3 acsweep inspect "$SCRATCH/nothing"
has "$ERR" "name a directory with config.json"

# ---- score c ---------------------------------------------------------------------------------------------------------

cat >compare_scores.py <<'PY'
"""compare_scores.py CASE < output: the case of the golden file, digit for digit."""
import json, sys
case = json.load(open("expected.json"))[int(sys.argv[1])]
got = json.load(sys.stdin)
assert len(got) == len(case["list"]), (len(got), len(case["list"]))
worst = 0
def near(a, b):
    global worst
    if isinstance(b, dict):
        assert a.keys() == b.keys(), (a, b)
        for k in b:
            near(a[k], b[k])
    elif isinstance(b, float):
        worst = max(worst, abs(a - b))
    else:
        assert a == b, (a, b)
for a, b in zip(got, case["list"]):
    near(a, b)
assert worst < 1e-12, worst
PY
cases() { # one line for each golden case: the arguments of the command
    python3 - <<'PY'
import json
for n, c in enumerate(json.load(open("expected.json"))):
    words = ["--features features/" + f for f in c["features"]] + (["--subsets all"] if c["all"] else [])
    s = dict(c["setting"])
    words += ["--alpha %r" % a for a in s.pop("alphas", [])]
    words += ["--%s %s" % (k, s.pop(k)) for k in ("geometry", "arith", "grid") if k in s]
    if not s:
        print(n, *words)
PY
}
cd "$GOLDEN/score_c" || exit 1
scored=0
while read -r number words; do
    # shellcheck disable=SC2086
    expect 0 acsweep score c --pairs set $words --json
    python3 "$SCRATCH/compare_scores.py" "$number" <"$OUT" || fail "golden case $number: $words"
    scored=$((scored + 1))
done < <(cases)
((scored >= 6)) || fail "only $scored golden cases"
expect 0 acsweep score c --pairs set --features features/flat16 --threads 1 --memory 1MiB --json
cp "$OUT" one
expect 0 acsweep score c --pairs set --features features/flat16 --threads 2 --json
cmp -s "$OUT" one || fail "threads or memory change a score"
expect 0 acsweep score c --pairs set --features features/flat16 --features features/fine24
has "$OUT" "features/flat16 + features/fine24"
has "$OUT" "30.46"
expect 0 acsweep score c --pairs set --features features/flat16 --pictures "$SCRATCH/pictures.json" --picture 000002-c0-c1:cat
same "$(json "$SCRATCH/pictures.json" 'd[0]["pair"], len(d[0]["points"][0]["map"])')" "('000002-c0-c1:cat', 256)"
rm one
cd "$SCRATCH" || exit 1

wrong() { # wrong CODE TEXT ARGUMENT...
    local code=$1 text=$2
    shift 2
    expect "$code" acsweep "$@"
    has "$ERR" "$text"
    [[ $(grep -vc "^Try '" "$ERR") == 1 ]] || { fail "more than one line for: $*"; cat "$ERR" >&2; }
}
C="$GOLDEN/score_c"
wrong 2 "--features DIR is missing" score c --pairs "$C/set"
wrong 2 "or say max" score c --pairs "$C/set" --features "$C/features/flat16" --grid many
wrong 2 "--picture PAIR" score c --pairs "$C/set" --features "$C/features/flat16" --pictures p.json
wrong 3 "nowhere" score c --pairs "$C/set" --features nowhere
wrong 3 "no-set" score c --pairs no-set --features "$C/features/flat16"
wrong 3 "given twice" score c --pairs "$C/set" --features "$C/features/flat16" --features "$C/features/flat16"

# ---- extract: from here on libtorch is needed ------------------------------------------------------------------------

PICTURES=$GOLDEN/images/pictures
acsweep extract --encoder clip224 --image "$PICTURES/rgb.png" --out try.safetensors --threads 1 >"$OUT" 2>"$ERR" </dev/null
code=$?
if grep -q "built without libtorch" "$ERR"; then
    same $code 4
    [[ -e try.safetensors ]] && fail "something was written without libtorch"
    echo "skipped: this build has no libtorch, so only inspect and score c were tested"
    exit 0
fi
same $code 0

cat >tensors.py <<'PY'
"""Reading safetensors with nothing but Python itself."""
import array, json, struct

def load(path):
    raw = open(path, "rb").read()
    (n,) = struct.unpack("<Q", raw[:8])
    head = json.loads(raw[8:8 + n])
    meta = head.pop("__metadata__", {})
    out = {}
    for name, t in head.items():
        begin, end = t["data_offsets"]
        data = raw[8 + n + begin:8 + n + end]
        out[name] = (t["dtype"], t["shape"], array.array("f", data) if t["dtype"] == "F32" else data)
    return out, meta

def worst(a, b):
    assert len(a) == len(b), (len(a), len(b))
    return max(abs(x - y) for x, y in zip(a, b))
PY

# The reference BLAS is 15 to 60 times slower: whoever has it is told at once.
SLOW_BLAS=/usr/lib/$(uname -m)-linux-gnu/blas
if [[ -e $SLOW_BLAS/libblas.so.3 ]]; then
    LD_LIBRARY_PATH=$SLOW_BLAS expect 0 acsweep extract --encoder clip224 --image "$PICTURES/rgb.png" --out slow.safetensors --threads 1
    has "$ERR" "acsweep extract: warning: $SLOW_BLAS/libblas.so.3 is no fast BLAS"
    has "$ERR" "apt-get install libopenblas0-openmp"
fi

# Every golden case: the tensors of the command are those of the reference.
golden_cases() {
    python3 - "$GOLDEN/extract/cases.json" <<'PY'
import json, sys
for c in json.load(open(sys.argv[1])):
    options = ["--" + k if v is True else "--%s %s" % (k, v) for k, v in c["options"].items()]
    print(c["case"], c["encoder"], ",".join(c["pictures"]), *options)
PY
}
while read -r name which pictures options; do
    IFS=, read -ra files <<<"$pictures"
    # shellcheck disable=SC2086
    expect 0 acsweep extract --encoder "$which" --image "${files[@]/#/$PICTURES/}" $options --threads 1 --out "$name.safetensors" --json
    same "$(json "$OUT" 'd["images"]')" ${#files[@]}
    python3 - "$name" "$PICTURES" "$GOLDEN/extract/expected.safetensors" "${files[@]}" <<'PY' || fail "golden case $name"
import sys, tensors
name, root, golden, *files = sys.argv[1:]
got, want = tensors.load(name + ".safetensors")[0], tensors.load(golden)[0]
assert sorted(got) == sorted(root + "/" + f for f in files), list(got)
for f in files:
    (kind, shape, a), (_, expected, b) = got[root + "/" + f], want[name + "/" + f]
    assert kind == "F32" and shape == expected, (kind, shape, expected)
    assert tensors.worst(a, b) <= 2e-5, (f, tensors.worst(a, b))
PY
done < <(golden_cases)

# Batches and threads change no more than the order of sums does; half the bytes are the same numbers, rounded.
TWO=("$PICTURES/rgb.png" "$PICTURES/61x40.png")
# LeakSanitizer cannot look at what OpenMP's threads leave when libtorch was loaded late; with one thread it looks at the same.
expect 0 env ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0" acsweep extract --encoder clip224 --image "${TWO[0]}" "${TWO[1]}" \
    --batch 1 --threads 2 --out single.safetensors
expect 0 acsweep extract --encoder clip224 --image "${TWO[0]}" --image "${TWO[1]}" --threads 1 --out batch.safetensors
expect 0 acsweep extract --encoder clip224 "${TWO[@]}" --threads 1 --dtype bf16 --out half.safetensors
python3 - <<'PY' || fail "batches, threads or bf16"
import array, tensors as t
single, batch, half = (t.load(n + ".safetensors")[0] for n in ("single", "batch", "half"))
assert single.keys() == batch.keys() == half.keys() and len(half) == 2
for name, (kind, shape, bits) in half.items():
    a, b = single[name][2], batch[name][2]
    assert t.worst(a, b) <= 2e-5 and kind == "BF16" and shape == batch[name][1]
    values = array.array("f", b"".join(b"\0\0" + bits[i:i + 2] for i in range(0, len(bits), 2)))
    assert all(abs(x - y) <= abs(x) / 256 for x, y in zip(b, values))
PY

# A set in SPair-71k's layout, of real pictures.
python3 - "$PICTURES" <<'PY'
import json, os, shutil, sys
pictures = {"cat": {"a.jpg": ("rgb.jpg", 45, 33), "b.png": ("61x40.png", 61, 40), "c.png": ("rgb.png", 31, 17)},
            "dog": {"d.webp": ("lossless.webp", 29, 22), "e.png": ("rgba.png", 23, 19)}}
def put(path, value):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    json.dump(value, open(path, "w"))
n = 0
for category, files in pictures.items():
    for name, (source, w, h) in files.items():
        os.makedirs("set/JPEGImages/" + category, exist_ok=True)
        shutil.copy(os.path.join(sys.argv[1], source), "set/JPEGImages/%s/%s" % (category, name))
        points = {str(i): [(7 * i + 3) % w, (5 * i + 2) % h] for i in range(9)}
        put("set/ImageAnnotation/%s/%s.json" % (category, name.split(".")[0]), {"kps": points})
    for a in files:
        for b in files:
            if a == b:
                continue
            n += 1
            pair = {"category": category, "src_imname": a, "trg_imname": b}
            for side, name in (("src", a), ("trg", b)):
                _, w, h = files[name]
                pair[side + "_imsize"], pair[side + "_bndbox"] = [w, h, 3], [1, 1, w - 1, h - 1]
            put("set/PairAnnotation/test/%06d-%s-%s:%s.json" % (n, a.split(".")[0], b.split(".")[0], category), pair)
PY
spair() { # spair NAME ENCODER OPTION...
    local name=$1 which=$2
    shift 2
    expect 0 acsweep extract --encoder "$which" --spair set --threads 1 --out "features/$name" --json "$@"
}
spair clip clip336 --batch 2
same "$(json "$OUT" 'd["images"], d["computed"], d["tokens"], d["channels"], d["grid"]')" "(5, 5, 36, 32, 6)"
same "$(cd features/clip && find . -type f | sort | tr '\n' ' ')" "./cat/a.safetensors ./cat/b.safetensors ./cat/c.safetensors ./dog/d.safetensors ./dog/e.safetensors "
# The same picture, the same letter-box: what the golden case has.
python3 - "$GOLDEN/extract/expected.safetensors" <<'PY' || fail "--spair differs from the golden letter-box"
import sys, tensors as t
want = t.load(sys.argv[1])[0]
for file, picture in (("cat/b", "61x40.png"), ("cat/c", "rgb.png")):
    kind, shape, a = t.load("features/clip/%s.safetensors" % file)[0]["features"]
    assert shape == [36, 32] and t.worst(a, want["letterbox/" + picture][2]) <= 2e-5
PY
spair dino dinov2_registers --layer -1 --final-norm
same "$(json "$OUT" 'd["grid"]')" 5

# Alone, or among all subsets: the same scores. The finest grid is the target's.
score() { acsweep score c --pairs set --json "$@"; }
score --features features/clip >clip.json || fail "score c of clip"
score --features features/dino >dino.json || fail "score c of dino"
score --features features/clip --features features/dino >both.json || fail "score c of both"
score --features features/clip --features features/dino --subsets all >all.json || fail "score c of all subsets"
python3 - <<'PY' || fail "subsets differ when they are scored alone"
import json
clip, dino, both, every = (json.load(open(n + ".json")) for n in ("clip", "dino", "both", "all"))
assert every == clip + dino + both, every
assert [r["members"] for r in every] == [["features/clip"], ["features/dino"], ["features/clip", "features/dino"]]
assert [r["grid"] for r in every] == [6, 5, 6] and all(r["pairs"] == 8 for r in every)
assert all(0 < r["pck"]["0.10"] < 1 for r in every), every
assert {c: v["pairs"] for c, v in both[0]["categories"].items()} == {"cat": 6, "dog": 2}
PY

# Run again: nothing is computed. Another setting, --force, or a damaged file: it is.
sums() { (cd "features/$1" && find . -type f -exec sha256sum {} + | sort -k2); }
sums clip >before
spair clip clip336 --batch 2
same "$(json "$OUT" 'd["computed"], d["kept"], d["images"]')" "(0, 5, 5)"
truncate -s -100 features/clip/cat/b.safetensors
rm features/clip/dog/d.safetensors
spair clip clip336 --batch 2
same "$(json "$OUT" 'd["computed"], d["kept"]')" "(4, 1)" # whole batches: a and b, c and d
spair clip clip336 --batch 2 --force
same "$(json "$OUT" 'd["computed"]')" 5
sums clip | cmp -s before - || fail "features computed again differ"
spair clip clip336 --layer 1
same "$(json "$OUT" 'd["computed"]')" 5
sums clip | cmp -s before - && fail "another layer has the same features"
spair clip dinov2_registers --layer 1
same "$(json "$OUT" 'd["computed"]')" 5

# Stopped in the middle, by a picture that cannot be read: what lies before it is kept, and the next run goes on from there.
mv set/JPEGImages/cat/c.png c.png
head -c 300 c.png >set/JPEGImages/cat/c.png
expect 3 acsweep extract --encoder clip336 --spair set --out features/slow --batch 2 --threads 1
has "$ERR" "set/JPEGImages/cat/c.png"
same "$(cd features/slow && find . -type f | sort | tr '\n' ' ')" "./cat/a.safetensors ./cat/b.safetensors "
mv c.png set/JPEGImages/cat/c.png
spair slow clip336 --batch 2
same "$(json "$OUT" 'd["computed"], d["kept"]')" "(3, 2)"
sums slow | cmp -s before - || fail "an extraction in two parts differs from an undisturbed one"

# A signal: exit code 5, whole files only.
mkdir -p many/PairAnnotation/test many/JPEGImages/cat many/ImageAnnotation/cat
for ((i = 0; i < 150; i++)); do
    ln -s "$PICTURES/61x40.png" "many/JPEGImages/cat/$i.png"
    ln -s "$SCRATCH/set/ImageAnnotation/cat/b.json" "many/ImageAnnotation/cat/$i.json"
    echo '{"category": "cat", "src_imname": "0.png", "trg_imname": "'$i'.png", "src_imsize": [61, 40, 3],' \
        '"trg_imsize": [61, 40, 3], "src_bndbox": [1, 1, 60, 39], "trg_bndbox": [1, 1, 60, 39]}' \
        >"many/PairAnnotation/test/$i-0-$i:cat.json"
done
acsweep extract --encoder clip336 --spair many --out features/many --resolution 210 --batch 1 --threads 1 >"$OUT" 2>"$ERR" </dev/null &
pid=$!
until compgen -G 'features/many/cat/*.safetensors' >/dev/null || ! kill -0 $pid 2>/dev/null; do :; done
kill -TERM $pid
wait $pid
same $? 5
has "$ERR" "of 150 pictures are done, the same command goes on from there: interrupted by SIGTERM"
find features/many -name '*.tmp*' | grep -q . && fail "an interrupted run left half a file"
whole=$(find features/many -type f | wc -l)
expect 0 acsweep extract --encoder clip336 --spair many --out features/many --resolution 210 --batch 1 --threads 1 --json
same "$(json "$OUT" 'd["kept"], d["computed"]')" "($whole, $((150 - whole)))"

# One clear line for each mistake, and nothing half-written.
IMG=(--image "$PICTURES/rgb.png")
wrong 2 "--encoder DIR is missing" extract "${IMG[@]}" --out x
wrong 2 "--out PATH is missing" extract "${IMG[@]}" --encoder clip224
wrong 2 "no picture" extract --encoder clip224 --out x
wrong 2 "either it or --image" extract --encoder clip224 --spair set "${IMG[@]}" --out x
wrong 2 "--all-tokens is for --image" extract --encoder clip224 --spair set --all-tokens --out x
wrong 2 "'square' is not one of" extract --encoder clip224 "${IMG[@]}" --geometry square --out x
wrong 2 "--device" extract --encoder clip224 "${IMG[@]}" --device tpu --out x
wrong 3 "there is no hidden state 9" extract --encoder clip224 "${IMG[@]}" --layer 9 --out x
wrong 3 "nowhere: No such file or directory; name a directory with config.json" extract --encoder nowhere "${IMG[@]}" --out x
wrong 3 "broken/model.safetensors" extract --encoder broken "${IMG[@]}" --out x
wrong 3 "2 of 3 pictures are not there, or no files: no.jpg, $SCRATCH" extract --encoder clip224 "${IMG[@]}" no.jpg "$SCRATCH" --out x
cp "$PICTURES/rgb.png" __metadata__
cp "$PICTURES/rgb.png" $'byte\xff.png'
wrong 3 "rename it" extract --encoder clip224 --image __metadata__ --out x
wrong 3 "not UTF-8; rename it" extract --encoder clip224 --image $'byte\xff.png' --out x
mkdir place
wrong 3 "place: it is there, and not made by acsweep extract" extract --encoder clip224 "${IMG[@]}" --out place
rmdir place
cp "$PICTURES/rgb.png" mine.png
wrong 3 "mine.png: it is there, and not made by acsweep extract" extract --encoder clip224 --image mine.png --out mine.png
cmp -s mine.png "$PICTURES/rgb.png" || fail "a picture was overwritten"
wrong 3 "clip224/model.safetensors: it is there" extract --encoder clip224 "${IMG[@]}" --out clip224/model.safetensors
wrong 3 "/dev/null: it is there" extract --encoder clip224 "${IMG[@]}" --out /dev/null
: >again.safetensors
for _ in 1 2; do
    expect 0 acsweep extract --encoder clip224 "${IMG[@]}" --threads 1 --out again.safetensors
done
printf 'GIF89a, or what?' >odd.png
wrong 3 "odd.png" extract --encoder clip224 "${IMG[@]}" odd.png --out x
wrong 3 "no-set" extract --encoder clip224 --spair no-set --out x
wrong 4 "missing/dir" extract --encoder clip224 "${IMG[@]}" --out missing/dir/x
rm clip224/preprocessor_config.json
wrong 3 "clip224/preprocessor_config.json" extract --encoder clip224 "${IMG[@]}" --out x
compgen -G 'x*' >/dev/null && fail "something was left behind: $(ls -d x*)"
if [[ -e /dev/full ]]; then
    # One thread: LeakSanitizer breaks on the threads of an OpenMP that was loaded later.
    acsweep extract --encoder siglip "${IMG[@]}" --threads 1 --out y >/dev/full 2>"$ERR"
    same $? 4
fi

none_left
