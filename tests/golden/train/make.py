#!/usr/bin/env python3
"""Both stages of training once more, in plain PyTorch: the losses that worker/train must come to.

    python3 -m venv V && V/bin/pip install torch==2.7.1 transformers==4.52.4 sentencepiece safetensors pillow 'numpy<2.4'
    V/bin/python tests/golden/train/make.py

Made here: a small decoder (llm/), two small encoders (clip/, dino/), pictures, and data in LLaVA's format. Then for each case
of CASES the model of LLaVA is put together from transformers' modules, each batch is cut into its chunks, and 20 steps are
made with torch.optim.AdamW and transformers' schedule, in f32 on the CPU. expected.json has loss, learning rate and gradient
norm of each step, and sums over what was trained. Orders and label masks are those of tests/golden/text, which are
themselves derived without the program.
"""
import json
import math
import os
import shutil
import sys

import numpy as np
import torch
import transformers as t
from PIL import Image
from safetensors.torch import save_file

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "text"))
import conversations  # noqa: E402
import sampler  # noqa: E402

IGNORED, IMAGE = -100, -200
WIDTH = 32
BASE = {"batch": 8, "chunks": 4, "epochs": 4, "warmup_ratio": 0.03, "weight_decay": 0, "grad_clip": 0, "seed": 42,
        "max_length": 160, "lora_rank": 4, "lora_alpha": 8}
CASES = {
    "stage1": {**BASE, "stage": 1, "tune": "connector", "sampler": "random", "template": "plain", "learning_rate": 1e-2},
    "full": {**BASE, "stage": 2, "tune": "full", "sampler": "grouped", "template": "v1", "learning_rate": 2e-3, "weight_decay": 0.1,
             "grad_clip": 1.0},
    "lora": {**BASE, "stage": 2, "tune": "lora", "sampler": "grouped", "template": "v1", "learning_rate": 1e-2},
}
WORDS = "a the man dog window house tree looks at sits on near red blue small large sky street and".split()


def place(*names):
    return os.path.join(HERE, *names)


# ---- what there is to train on ------------------------------------------------------------------------------------------


def enlarge(model, seed, factor=4):
    """Random weights of 0.02 hardly say anything: gradients should be worth comparing."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            if p.dim() > 1:
                p.normal_(0, 0.02 * factor)


def make_models():
    for name in ("llm", "clip", "dino"):
        shutil.rmtree(place(name), ignore_errors=True)
    for file in ("tokenizer.model", "tokenizer_config.json", "special_tokens_map.json"):
        os.makedirs(place("llm"), exist_ok=True)
        shutil.copy(place("..", "text", "slow_legacy", file), place("llm", file))
    vocab = len(t.LlamaTokenizer.from_pretrained(place("llm")))
    llm = t.LlamaForCausalLM(t.LlamaConfig(vocab_size=vocab, hidden_size=WIDTH, intermediate_size=56, num_hidden_layers=2,
                                           num_attention_heads=4, max_position_embeddings=256, rms_norm_eps=1e-5))
    enlarge(llm, 1)
    llm.save_pretrained(place("llm"))
    clip = t.CLIPVisionModel(t.CLIPVisionConfig(hidden_size=24, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4,
                                                image_size=28, patch_size=7))
    enlarge(clip, 2)
    clip.save_pretrained(place("clip"))
    t.CLIPImageProcessor(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}).save_pretrained(place("clip"))
    dino = t.Dinov2Model(t.Dinov2Config(hidden_size=16, num_hidden_layers=3, num_attention_heads=2, mlp_ratio=2, image_size=28,
                                        patch_size=7))
    enlarge(dino, 3)
    dino.save_pretrained(place("dino"))
    t.BitImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 28, "width": 28},
                        image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225]).save_pretrained(place("dino"))


def make_data():
    rng = np.random.default_rng(4)
    shutil.rmtree(place("pictures"), ignore_errors=True)
    os.makedirs(place("pictures", "more"))
    names = [f"more/{i}.png" if i % 2 else f"{i}.png" for i in range(10)]
    for name in names:
        h, w = rng.integers(20, 44, 2)
        Image.fromarray(rng.integers(0, 256, (h // 4, w // 4, 3), dtype=np.uint8)).resize((w, h)).save(place("pictures", name))

    def words(lo, hi):
        return " ".join(rng.choice(WORDS, rng.integers(lo, hi)))

    stage1 = [{"id": f"c{i}", "image": names[i % 10], "conversations": [
        {"from": "human", "value": "Describe it.\n<image>" if i % 2 else "<image>\nWhat is it?"},
        {"from": "gpt", "value": words(2, 9) + "."}]} for i in range(40)]
    stage2 = []
    for i in range(40):
        turns = []
        for k in range(rng.integers(1, 4)):
            tag = "<image>\n" if k == 0 and i % 4 else ""
            turns += [{"from": "human", "value": tag + words(2, 8) + "?"}, {"from": "gpt", "value": words(1, 9) + "."}]
        stage2.append({"id": i, "conversations": turns, **({"image": names[int(rng.integers(0, 10))]} if i % 4 else {})})
    stage2[5]["conversations"][1]["value"] = words(60, 61)  # this one is cut
    for name, samples in (("stage1", stage1), ("stage2", stage2)):
        with open(place(name + ".json"), "w") as f:
            json.dump(samples, f, indent=0)


# ---- LLaVA, from modules ------------------------------------------------------------------------------------------------


class Model:
    def __init__(self, case):
        self.case = case
        self.llm = t.LlamaForCausalLM.from_pretrained(place("llm"), attn_implementation="eager")
        self.clip = t.CLIPVisionModel.from_pretrained(place("clip"), attn_implementation="eager").eval()
        self.dino = t.Dinov2Model.from_pretrained(place("dino"), attn_implementation="eager").eval()
        self.clip_processor = t.CLIPImageProcessor.from_pretrained(place("clip"))
        self.dino_processor = t.BitImageProcessor.from_pretrained(place("dino"))
        torch.manual_seed(case["seed"])
        self.connector = torch.nn.Sequential(torch.nn.Linear(24 + 16, WIDTH), torch.nn.GELU(), torch.nn.Linear(WIDTH, WIDTH))
        self.llm.requires_grad_(case["tune"] == "full")
        self.factors = []
        if case["tune"] == "lora":
            self.add_lora()
        self.cache = {}

    def add_lora(self):
        rng = torch.Generator().manual_seed(self.case["seed"])
        r, scale = self.case["lora_rank"], self.case["lora_alpha"] / self.case["lora_rank"]
        for block in self.llm.model.layers:
            for layer in (block.self_attn.q_proj, block.self_attn.k_proj, block.self_attn.v_proj, block.self_attn.o_proj,
                          block.mlp.gate_proj, block.mlp.up_proj, block.mlp.down_proj):
                bound = layer.in_features ** -0.5
                a = torch.nn.Parameter(torch.rand(r, layer.in_features, generator=rng) * 2 * bound - bound)
                b = torch.nn.Parameter(torch.zeros(layer.out_features, r))
                self.factors += [a, b]
                layer.register_forward_hook(lambda m, x, y, a=a, b=b: y + scale * (x[0] @ a.T @ b.T))

    def trained(self):
        return (list(self.connector.parameters()) + self.factors +
                [p for p in self.llm.parameters() if p.requires_grad])

    @torch.no_grad()
    def features(self, name):
        if name not in self.cache:
            image = Image.open(place("pictures", name)).convert("RGB")
            parts = []
            for encoder, processor in ((self.clip, self.clip_processor), (self.dino, self.dino_processor)):
                pixels = processor(image, return_tensors="pt")["pixel_values"]
                parts.append(encoder(pixels, output_hidden_states=True).hidden_states[-2][:, 1:])
            self.cache[name] = torch.cat(parts, -1)[0]
        return self.cache[name]

    def embed(self, ids, labels, name):
        """One sample: its picture in its place."""
        embed, parts, out = self.llm.get_input_embeddings(), [], []
        for i, label in zip(ids, labels):
            if i == IMAGE:
                picture = self.connector(self.features(name))
                parts.append(picture)
                out += [IGNORED] * len(picture)
            else:
                parts.append(embed(torch.tensor([i])))
                out.append(label)
        most = self.case["max_length"]
        return torch.cat(parts)[:most], out[:most]

    def chunk_loss(self, samples):
        rows = [self.embed(*s) for s in samples]
        n = max(len(x) for x, _ in rows)
        x = torch.stack([torch.cat([x, torch.zeros(n - len(x), WIDTH)]) for x, _ in rows])
        labels = torch.tensor([l + [IGNORED] * (n - len(l)) for _, l in rows])
        mask = torch.tensor([[1] * len(l) + [0] * (n - len(l)) for _, l in rows])
        logits = self.llm(inputs_embeds=x, attention_mask=mask).logits
        return torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=IGNORED)


# ---- training -----------------------------------------------------------------------------------------------------------


def encode_all(case, data):
    tokenizer = t.LlamaTokenizer.from_pretrained(place("llm"))
    out = []
    for s in data:
        turns = [(x["from"], x["value"]) for x in s["conversations"]]
        if case["template"] == "plain":
            ids, labels = conversations.plain(tokenizer, turns, True)[:2]
        else:
            ids, labels, _, _, mismatch = conversations.vicuna(tokenizer, turns, "image" in s, False, case["max_length"])
            assert not mismatch
        out.append((ids[:case["max_length"]], labels[:case["max_length"]], s.get("image")))
    return out


def order_of(case, data, epoch):
    if case["sampler"] == "random":
        return sampler.Random(case["seed"], epoch).permute(range(len(data)))
    lengths = [sum(len(x["value"].split()) for x in s["conversations"]) * (1 if "image" in s else -1) for s in data]
    return sampler.grouped(lengths, case["seed"], epoch, case["batch"], case["chunks"])


def train(case):
    with open(place(f"stage{case['stage']}.json")) as f:
        data = json.load(f)
    samples, model = encode_all(case, data), Model(case)
    decay = [p for p in model.trained() if p.dim() > 1]
    optimizer = torch.optim.AdamW([{"params": decay, "weight_decay": case["weight_decay"]},
                                   {"params": [p for p in model.trained() if p.dim() < 2], "weight_decay": 0}],
                                  lr=case["learning_rate"])
    steps = case["epochs"] * len(data) // case["batch"]
    schedule = t.get_cosine_schedule_with_warmup(optimizer, math.ceil(case["warmup_ratio"] * steps), steps)
    each, out = case["batch"] // case["chunks"], []
    for step in range(steps):
        epoch, at = divmod(step * case["batch"], len(data))
        batch = order_of(case, data, epoch)[at:at + case["batch"]]
        loss = sum(model.chunk_loss([samples[i] for i in batch[k:k + each]]) for k in range(0, len(batch), each)) / case["chunks"]
        loss.backward()
        for p in model.trained():  # as with LLaVA's empty slice of a picture's features
            p.grad = torch.zeros_like(p) if p.grad is None else p.grad
        norm = torch.nn.utils.clip_grad_norm_(model.trained(), case["grad_clip"] or math.inf)
        out.append({"loss": loss.item(), "learning_rate": schedule.get_last_lr()[0], "grad_norm": norm.item()})
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    sums = {"connector": sum(p.abs().sum().item() for p in model.connector.parameters()),
            "trained": sum(p.abs().sum().item() for p in model.trained())}
    return {"case": case, "steps": out, "sums": sums}


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    make_models()
    make_data()
    answers = {}
    for name, case in CASES.items():
        answers[name] = train(case)
        losses = [s["loss"] for s in answers[name]["steps"]]
        print(name, losses[0], "->", losses[-1])
    answers["versions"] = {"torch": torch.__version__, "transformers": t.__version__}
    with open(place("expected.json"), "w") as f:
        json.dump(answers, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()
