#!/usr/bin/env python3
"""A score: for each image, the mean over the representation's tokens of the best cosine with the reference's tokens, behind
each one's own stage-1 connector; mean over the sample, then over the references."""
import glob
import json
import os
import random
import sys

import settings
from task import Task

t = Task()
sys.path.insert(0, settings.LLAVA)
import torch  # noqa: E402
from PIL import Image  # noqa: E402
from llava.mm_utils import process_images  # noqa: E402
from llava.model.builder import load_pretrained_model  # noqa: E402

how = t.parameters["setting"]
if how["sample"] != "random":
    t.fail("data", "this script draws a random sample; set scores.a.sample = \"random\"")
folder = t.look_up(settings.BENCHMARK_IMAGES, t.names["benchmark"], "BENCHMARK_IMAGES")
files = sorted(f for f in glob.glob(f"{folder}/**/*", recursive=True) if f.lower().endswith((".jpg", ".jpeg", ".png")))
if len(files) < how["sample_size"]:
    t.fail("data", f"{folder}: {len(files)} images, but scores.a.sample_size is {how['sample_size']}")
chosen = random.Random(how["sample_seed"]).sample(files, how["sample_size"])


def embeddings(connector):
    """Tokens of each image as the LLM would see them. The LLM itself is loaded by LLaVA's code and not used."""
    base = t.look_up(settings.LLM, t.names["llm"], "LLM")
    _, model, processor, _ = load_pretrained_model(connector, base, "llava-stage1", device="cuda")
    kept = []
    with torch.no_grad():
        for path in chosen:
            images = process_images([Image.open(path).convert("RGB")], processor, model.config)
            half = [i.to("cuda", model.dtype) for i in images] if isinstance(images, list) else images.to("cuda", model.dtype)
            tokens = model.encode_images(half)
            kept.append(tokens.reshape(-1, tokens.shape[-1]).cpu())
    del model
    torch.cuda.empty_cache()
    return kept


def unit(x):
    x = x.to(torch.bfloat16 if how["arith"] == "bf16" else torch.float32).cuda()
    return x / (x.norm(dim=-1, keepdim=True) + 1e-10)


own = embeddings(t.input("connector"))
scores = []
for reference in t.inputs("reference"):
    theirs = own if os.path.samefile(reference, t.input("connector")) else embeddings(reference)
    scores.append(sum((unit(a) @ unit(b).T).max(dim=1).values.mean().item() for a, b in zip(own, theirs)) / len(own))
with open(os.path.join(t.out, "sample.json"), "w", encoding="utf-8") as f:
    json.dump([os.path.relpath(p, folder) for p in chosen], f)
t.done(metrics={"a": sum(scores) / len(scores), **{f"a_reference_{i}": s for i, s in enumerate(scores)}},
       artifacts={"sample": "sample.json"})
