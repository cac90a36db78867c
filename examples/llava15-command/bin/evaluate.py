#!/usr/bin/env python3
"""Performance on one benchmark: lmms-eval on the fine-tuned model."""
import glob
import json
import os

import settings
from task import Task, gpus

t = Task()
task, metrics, factor = t.look_up(settings.BENCHMARK, t.names["benchmark"], "BENCHMARK")
if t.parameters["setting"]["temperature"] != 0:
    t.fail("data", "lmms-eval decodes greedily here; set evaluate.temperature = 0")
answers = os.path.join(t.out, "answers")
t.run(["accelerate", "launch", f"--num_processes={gpus()}", "-m", "lmms_eval", "--model", "llava", "--model_args",
       f"pretrained={t.input('model')}", "--tasks", task, "--batch_size", "1", "--log_samples", "--log_samples_suffix",
       "acsweep", "--output_path", answers], settings.LLAVA)


def numbers(path):
    """{"exact_match,none": 0.61, ...} of the task and the tasks below it."""
    with open(path, encoding="utf-8") as f:
        results = json.load(f)["results"]
    return {k.split(",")[0]: v for part in results.values() for k, v in part.items() if isinstance(v, (int, float))}


files = sorted(glob.glob(f"{answers}/**/*results*.json", recursive=True), key=os.path.getmtime)
if not files:
    t.fail("code", f"lmms-eval left no results file below {answers}")
found = numbers(files[-1])
wanted = [m for m in metrics if m in found]
if not wanted:
    t.fail("code", f"{task}: no metric {' or '.join(metrics)}; there are {', '.join(sorted(found))}")
answer = {"performance": factor * found[wanted[0]]}
if f"{wanted[0]}_stderr" in found:  # for the report's error bars
    answer["standard_error"] = factor * found[f"{wanted[0]}_stderr"]
t.done(metrics=answer, artifacts={"answers": "answers"})
