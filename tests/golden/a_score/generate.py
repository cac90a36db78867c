#!/usr/bin/env python3
"""generate.py [DIR]: made-up connector outputs, and their A scores by torch: float32, float64, and bfloat16 tensor by
tensor as the released code computes (torch's own norm, division, cosine_similarity, amax and mean).

Samples have different numbers of tokens; the values are such that one reference is nearer than the other. Written with
torch 2.7.1 on a CPU.
"""
import json
import pathlib
import sys

import torch
from safetensors.torch import save_file

DIR = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent
WIDTH = 75  # no multiple of any vector
SAMPLES = {"q1": (9, 16, 4), "q10": (25, 16, 4), "q2": (1, 16, 4), "q3": (16, 7, 30)}  # tokens: target, two references


def unit(x):
    return x / (torch.norm(x, dim=-1, keepdim=True) + 1e-10)


def m(e, r):
    """One sample in the type that the tensors have."""
    return torch.nn.functional.cosine_similarity(unit(e)[:, None], unit(r)[None], dim=-1).amax(1).mean().item()


def a(target, references, dtype):
    each = {n: sum(m(target[s].to(dtype), r[s].to(dtype)) for s in target) / len(target) for n, r in references.items()}
    return {"a": sum(each.values()) / len(each), "references": each}


def main():
    g = torch.Generator().manual_seed(7)
    files = {"target": {}, "CLIP@336": {}, "CLIP@224": {}}
    for name, counts in SAMPLES.items():
        common = torch.randn(40, WIDTH, generator=g)
        for (file, tensors), n, noise in zip(files.items(), counts, (0.8, 0.3, 0.6)):
            x = common[:n] + noise * torch.randn(n, WIDTH, generator=g)
            tensors[name] = (x * torch.rand(n, 1, generator=g) * 9).contiguous()
    files["target"]["q1"][3] = 0  # a token of zeros
    files["CLIP@224"]["q3"][0] = 0
    files = {n: {k: v.to(torch.bfloat16) for k, v in t.items()} if n == "CLIP@224" else t for n, t in files.items()}
    references = {n: files[n] for n in ("CLIP@336", "CLIP@224")}
    out = {"fp32": a(files["target"], references, torch.float32), "fp64": a(files["target"], references, torch.float64),
           "bf16": a(files["target"], references, torch.bfloat16),
           "self": {t: a(references["CLIP@336"], {"CLIP@336": references["CLIP@336"]}, d)["a"]
                    for t, d in (("fp32", torch.float32), ("bf16", torch.bfloat16))}}
    near = [m(t.float(), min(references.values(), key=lambda r: abs(len(r[s]) - len(t)))[s].float())
            for s, t in files["target"].items()]
    out["nearest"] = sum(near) / len(near)
    for name, tensors in files.items():
        save_file(tensors, DIR / f"{name}.safetensors")
    halves = {k: v.half() for k, v in files["target"].items()}
    save_file(halves, DIR / "target_f16.safetensors")
    out["f16"] = a(halves, references, torch.float32)
    (DIR / "expected.json").write_text(json.dumps(out, indent=1) + "\n")


if __name__ == "__main__":
    main()
