#!/usr/bin/env python3
"""Decoders: llama_generate against transformers' generate, the same random checkpoint, in turns, on the CPU.

    python3 -m venv V && V/bin/pip install torch==2.7.1 transformers==4.52.4 safetensors 'numpy<2'
    V/bin/python bench/decode.py [--bin build/release/bench/decode_speed] [--turns N] [--threads N] [--models small,medium]

Prefill is the time until the first token is known, decode that from there to the last; a rate is tokens of all rows a
CPU second, which on one thread is what it costs however busy the machine is.
Each turn runs one side after the other, each in a process of its own that loads the model and generates twice, of which the
second counts; medians over turns. Answers of both sides are compared before a rate is printed. For the same libtorch and BLAS
on both sides take Debian's python3-torch; which versions ran is printed.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MODELS = {
    "small": dict(hidden_size=256, intermediate_size=688, num_hidden_layers=4, num_attention_heads=8, num_key_value_heads=8),
    "medium": dict(hidden_size=1024, intermediate_size=2816, num_hidden_layers=8, num_attention_heads=16,
                   num_key_value_heads=4),
}
CASES = [(1, 128, 64), (8, 128, 64)]  # rows, tokens of a prompt, new tokens


def make(path, sizes):
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM
    torch.manual_seed(1)
    m = LlamaForCausalLM(LlamaConfig(vocab_size=32000, max_position_embeddings=2048, **sizes))
    for name, p in m.named_parameters():
        if p.dim() == 2:
            torch.nn.init.normal_(p, std=p.shape[1] ** -0.5)
    m.save_pretrained(path)


def reference(path, batch, n, new, threads):
    import time
    import torch
    import transformers
    torch.set_num_threads(threads)
    m = transformers.LlamaForCausalLM.from_pretrained(path, torch_dtype=torch.float32).eval()
    m.generation_config.eos_token_id = None
    i, b = torch.arange(n)[None] * 7, torch.arange(batch)[:, None] * 11
    ids = (b + i) % 31997 + 3

    class First(transformers.LogitsProcessor):
        def __call__(self, input_ids, scores):
            if self.first is None:
                self.first = time.process_time() - self.begin
            return scores

    rounds = []
    for _ in range(2):
        clock = First()
        clock.first, clock.begin = None, time.process_time()
        with torch.inference_mode():
            out = m.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=new, do_sample=False, pad_token_id=0,
                             logits_processor=[clock])
        rounds.append([clock.first, time.process_time() - clock.begin])
    version = f"torch {torch.__version__}, transformers {transformers.__version__}"
    print(json.dumps({"version": version, "rounds": rounds, "answers": out[:, n:].tolist()}))


def side(command):
    out = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    first, whole = out["rounds"][-1]
    return first, whole - first, out


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--bin", default=os.path.join(ROOT, "build/release/bench/decode_speed"))
    p.add_argument("--turns", type=int, default=3)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--models", default="small,medium")
    p.add_argument("--reference", nargs=5, help=argparse.SUPPRESS)
    o = p.parse_args()
    if o.reference:
        path, *numbers = o.reference
        return reference(path, *map(int, numbers))
    with tempfile.TemporaryDirectory(prefix="acsweep-decode-") as scratch:
        for name in o.models.split(","):
            path = os.path.join(scratch, name)
            make(path, MODELS[name])
            for batch, n, new in CASES:
                compare(o, name, path, batch, n, new)


def compare(o, name, path, batch, n, new):
    numbers = [str(batch), str(n), str(new)]
    ours = [o.bin, path, *numbers, "2", str(o.threads), "f32"]
    theirs = [sys.executable, __file__, "--reference", path, *numbers, str(o.threads)]
    times = {"ours": [], "theirs": []}
    for _ in range(o.turns):
        a, b = side(ours), side(theirs)
        times["ours"].append(a[:2])
        times["theirs"].append(b[:2])
    same = sum(x == y for r, s in zip(a[2]["answers"], b[2]["answers"]) for x, y in zip(r, s))
    rate = {k: [statistics.median(work / t[i] for t in v) for i, work in ((0, batch * n), (1, batch * (new - 1)))]
            for k, v in times.items()}
    print(f"{name}, {batch} rows of {n} + {new} tokens, {o.threads} threads: {same} of {batch * new} tokens equal")
    for i, what in enumerate(("prefill", "decode")):
        print(f"  {what:8} {rate['ours'][i]:9.1f} and {rate['theirs'][i]:9.1f} tokens/CPU-s, ratio "
              f"{rate['ours'][i] / rate['theirs'][i]:.2f}", flush=True)
    print(f"  {a[2]['version']}; {b[2]['version']}; load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
