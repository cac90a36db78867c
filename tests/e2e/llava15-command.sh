#!/usr/bin/env bash
# examples/llava15-command/bin with stand-ins for torchrun and accelerate: are the task's parameters handed on, and the answers read?
# The tasks are those that the planner makes of examples/llava15-command/sweep.cfg. usage: llava15.sh PRINT_TASK SOURCE_DIR
set -euo pipefail
command -v python3 >/dev/null || { echo "no python3 here"; exit 77; }
print_task=$1 bin=$2/examples/llava15-command/bin cfg=$2/examples/llava15-command/sweep.cfg
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir -p "$dir/stand-ins" "$dir/root/Law_of_Vision_Representation_in_MLLMs"
export LLAVA15_ROOT=$dir/root PATH=$dir/stand-ins:$PATH PYTHONDONTWRITEBYTECODE=1 CUDA_VISIBLE_DEVICES=GPU-a,GPU-b

cat >"$dir/stand-ins/torchrun" <<'STAND_IN'
#!/bin/sh
printf '%s\n' "$@" >"$STAND_IN_LOG"
while [ "$1" != --output_dir ]; do shift; done
mkdir -p "$2/checkpoint-500" && echo weights >"$2/mm_projector.bin"
STAND_IN
cat >"$dir/stand-ins/accelerate" <<'STAND_IN'
#!/bin/sh
printf '%s\n' "$@" >"$STAND_IN_LOG"
while [ "$1" != --output_path ]; do shift; done
mkdir -p "$2/1" && echo '{"results": {"textvqa_val": {"exact_match,none": 0.4617, "exact_match_stderr,none": 0.0071, "alias": "x"}}}' >"$2/1/results.json"
STAND_IN
chmod +x "$dir"/stand-ins/*

# task LABEL PROGRAM: run it as the executor would; leaves $work/result.json, $work/out and $work/log
task() {
    work=$dir/$RANDOM
    mkdir -p "$work/out" "$work/checkpoint" "$work/in"
    "$print_task" "$cfg" "$1" "$work/in" >"$work/task.json"
    ACSWEEP_PARAMS=$work/task.json ACSWEEP_RESULT=$work/result.json ACSWEEP_OUT=$work/out \
        ACSWEEP_CHECKPOINT_DIR=$work/checkpoint STAND_IN_LOG=$work/log "$bin/$2" >"$work/stdout" 2>&1
}
fail() { echo "FAIL: $*" >&2; cat "$work/stdout" "$work/result.json" >&2 || true; exit 1; }
option() { [[ $(grep -A1 -x -e "--$1" "$work/log" | tail -1) == "$2" ]] || fail "$1 is not $2"; }

task "stage1 C+D@224" train.py || fail "stage1"
option vision_tower openai/clip-vit-large-patch14.facebook/dinov2-large
option version plain
option tune_mm_mlp_adapter True
option gradient_accumulation_steps 4      # 256 = 2 GPUs x 32 x 4
option learning_rate 0.001
[[ -f $work/out/connector/mm_projector.bin && ! -e $work/out/connector/checkpoint-500 ]] || fail "connector"
grep -q '"name": "connector"' "$work/result.json" || fail "artifact"

task "stage2 SDXL" train.py || fail "stage2"
option img_size 512
option up_ft_index 0
option version v1
option gradient_accumulation_steps 4      # 128 = 2 GPUs x 16 x 4
option group_by_modality_length True
option pretrain_mm_mlp_adapter "$work/in/connector/mm_projector.bin"
! grep -q mm_projector_lr "$work/log" || fail "a rate of the connector's that nobody gave"

plain=$cfg cfg=$dir/rates.cfg
sed 's/^stage2 = {/& connector_learning_rate = 0.25;/' "$plain" >"$cfg"
task "stage2 SDXL" train.py || fail "stage2 with two rates"
option mm_projector_lr 0.25
cfg=$plain

task "evaluate CLIP@336 TextVQA" evaluate.py || fail "evaluate"
grep -qx textvqa_val "$work/log" || fail "task"
grep -qx "pretrained=$work/in/model" "$work/log" || fail "model"
grep -Eq '"performance": 46.1[67]' "$work/result.json" || fail "performance"
grep -Eq '"standard_error": 0.7(1|09)' "$work/result.json" || fail "standard error"

# What it cannot do as asked, it refuses.
CUDA_VISIBLE_DEVICES=a,b,c task "stage1 DiT" train.py && fail "3 GPUs were taken"
grep -q '"class": "data".*no multiple of 3 GPUs' "$work/result.json" || fail "reason"
task "evaluate CLIP@336 MMBench" evaluate.py && fail "a missing metric was taken"
grep -q '"class": "code".*no metric gpt_eval_score; there are exact_match' "$work/result.json" || fail "reason of metric"
echo "all good"
