#!/usr/bin/env bash
# acsweep plan: which features are kept in files, by budget; how much content is looked at first.
. "$(dirname -- "$0")/lib.sh"

REFERENCE=$SOURCE/examples/reference/sweep.cfg
plan() { # plan BUDGET [OPTION]: of the reference sweep
    sed "s/cache_bytes = \"64GiB\"/cache_bytes = \"$1\"/" "$REFERENCE" >"$SCRATCH/sweep.cfg"
    shift
    expect 0 acsweep plan "$SCRATCH/sweep.cfg" "$@"
}
grep -q 'cache_bytes = "64GiB"' "$REFERENCE" || fail "the reference has another budget"

# The default fills no laptop: only what the C score needs.
plan 64GiB
tr -s ' ' <"$OUT" >"$SCRATCH/text"
has "$SCRATCH/text" "ENCODER IMAGE SET PICTURES BYTES READERS ONCE BY EACH FEATURES WHY"
has "$SCRATCH/text" "CLIP@336 SPair-71k 1800 2.0 GiB 2.0 0.005 0.010 in files score_c reads files"
has "$SCRATCH/text" "DINOv2 llava-pretrain-558k 558128 272.5 GiB 3.0 1.6 4.7 on the fly more than the budget has left"
has "$SCRATCH/text" "CLIP@336 llava-mix-665k ? ? 2.0 ? ? on the fly grid, channels or images not stated"
has "$SCRATCH/text" "In files: 5.7 GiB; features.cache_bytes is 64.0 GiB; saves 0.000 GPU-hours, of 6.2 with 1.1 TiB; sets of unknown size not counted"
has "$SCRATCH/text" "Content to identify first: 9 of the checkpoints and image sets"
same "$(grep -c '^extract 3 3 0 0' "$SCRATCH/text")" 1

# A cluster's: the best for its bytes first, as far as it goes.
plan 300GiB
tr -s ' ' <"$OUT" >"$SCRATCH/text"
has "$SCRATCH/text" "DINOv2 llava-pretrain-558k 558128 272.5 GiB 3.0 1.6 4.7 in files saves most for its size"
has "$SCRATCH/text" "CLIP@224 llava-pretrain-558k 558128 272.5 GiB 2.0 1.6 3.1 on the fly more than the budget has left"
same "$(grep -c '^extract 140 140 0 0' "$SCRATCH/text")" 1 # 3 and 137 shards

plan 2TiB --json
same "$(json "$OUT" 'sorted((f["encoder"], f["in_files"]) for f in d["features"] if f["image_set"] == "llava-pretrain-558k")')" \
    "[('CLIP@224', True), ('CLIP@336', True), ('DINOv2', True), ('random', False)]" # a floor's are read once
same "$(json "$OUT" 'd["feature_cache"]["bytes"] == d["feature_cache"]["wanted_bytes"] == sum(f["bytes"] for f in d["features"] if f["in_files"])')" True
same "$(json "$OUT" 'abs(d["feature_cache"]["saved_gpu_hours"] - sum(f["gpu_hours_by_each"] - f["gpu_hours_once"] for f in d["features"] if f["prepared_for"] == "training" and f["in_files"])) < 1e-9')" True
same "$(json "$OUT" '[f["bytes"] for f in d["features"] if f["image_set"] == "mmbench"]')" "[None, None, None]"
same "$(json "$OUT" 'd["to_identify"]')" 9
# A floor is beside all this: 4 tasks that no other sum has.
same "$(json "$OUT" 'd["floors"]["names"], d["floors"]["tasks"], d["floors"]["deferred"]')" "(['random'], 4, 0)"
same "$(json "$OUT" 'd["tasks"] - sum(k["tasks"] for k in d["kinds"])')" 4
none_left
