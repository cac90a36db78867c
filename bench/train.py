#!/usr/bin/env python3
"""Steps of training: `acsweep train` against the same model in PyTorch (train_peer.py), in turns.

    apt-get install python3-torch        # the libtorch and BLAS that acsweep has
    bench/train.py [--bin build/release/bin] [--python /usr/bin/python3]... [--rounds N] [--threads N]

Random weights, f32: an encoder of 6 layers, 256 wide, 256 tokens a picture; a decoder of 4 layers, 256 wide, with 16,000 ids;
16 samples a step, 2 at a time. Stage 1 trains the connector, stage 2 everything but the encoder. `kept` is stage 1 with
features from a file of `acsweep extract`, which the peer has no counterpart for.

A step's cost is CPU time, because machines are shared: that of a run of 1 + K steps less that of a run of 1 step, by K; so
neither loading nor the first step's warming is in it, but decoding pictures is, which the peer does not do (its pixels are
random numbers). Of several rounds the best counts. Memory is the peak of the whole process. The peer gets what acsweep sets for
itself (worker/torch/tune.h): OPENBLAS_CORETYPE, and a malloc that keeps large blocks. Each --python is a peer of its own.
"""
import argparse
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
import zlib

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VIT = {"hidden_size": 256, "num_hidden_layers": 6, "num_attention_heads": 4, "intermediate_size": 1024, "image_size": 224, "patch_size": 14}
LLM = {"vocab_size": 16000, "hidden_size": 256, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 688}
BATCH, MICRO, SAMPLES = 16, 2, 64


def safetensors(path, shapes):
    """Random tensors in one file."""
    header, at, rng = {}, 0, random.Random(1)
    for name, shape in shapes:
        n = 4
        for d in shape:
            n *= d
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + n]}
        at += n
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 64)
    block = struct.pack("<4096f", *(rng.gauss(0, 0.02) for _ in range(4096)))
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        while at > 0:
            f.write(block[:at])
            at -= len(block)


def make_llm(path):
    w, m = LLM["hidden_size"], LLM["intermediate_size"]
    os.makedirs(path)
    for file in ("tokenizer.model", "tokenizer_config.json", "special_tokens_map.json"):
        with open(os.path.join(ROOT, "tests/golden/train/llm", file), "rb") as f, open(os.path.join(path, file), "wb") as out:
            out.write(f.read())
    with open(os.path.join(path, "config.json"), "w") as f:
        json.dump({**LLM, "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_act": "silu", "rms_norm_eps": 1e-5,
                   "max_position_embeddings": 2048, "bos_token_id": 1, "eos_token_id": 2, "tie_word_embeddings": False}, f)
    shapes = [("model.embed_tokens.weight", [LLM["vocab_size"], w]), ("model.norm.weight", [w]), ("lm_head.weight", [LLM["vocab_size"], w])]
    for i in range(LLM["num_hidden_layers"]):
        p = f"model.layers.{i}."
        shapes += [(p + f"self_attn.{x}_proj.weight", [w, w]) for x in "qkvo"]
        shapes += [(p + f"mlp.{x}_proj.weight", [m, w]) for x in ("gate", "up")] + [(p + "mlp.down_proj.weight", [w, m])]
        shapes += [(p + f"{x}_layernorm.weight", [w]) for x in ("input", "post_attention")]
    safetensors(os.path.join(path, "model.safetensors"), shapes)


def make_vit(path):
    w, m = VIT["hidden_size"], VIT["intermediate_size"]
    os.makedirs(path)
    size = {"height": VIT["image_size"], "width": VIT["image_size"]}
    with open(os.path.join(path, "config.json"), "w") as f:
        json.dump({**VIT, "model_type": "clip_vision_model", "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5}, f)
    with open(os.path.join(path, "preprocessor_config.json"), "w") as f:
        json.dump({"image_processor_type": "CLIPImageProcessor", "do_resize": True, "size": {"shortest_edge": VIT["image_size"]},
                   "resample": 3, "do_center_crop": True, "crop_size": size, "do_rescale": True, "rescale_factor": 1 / 255,
                   "do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.3] * 3}, f)
    p = "vision_model."
    shapes = [(p + "embeddings.class_embedding", [w]), (p + "embeddings.patch_embedding.weight", [w, 3, VIT["patch_size"], VIT["patch_size"]]),
              (p + "embeddings.position_embedding.weight", [(VIT["image_size"] // VIT["patch_size"]) ** 2 + 1, w])]
    shapes += [(p + f"{n}.{x}", [w]) for n in ("pre_layrnorm", "post_layernorm") for x in ("weight", "bias")]
    for i in range(VIT["num_hidden_layers"]):
        q = p + f"encoder.layers.{i}."
        shapes += [(q + f"self_attn.{x}_proj.{k}", [w, w] if k == "weight" else [w]) for x in ("q", "k", "v", "out") for k in ("weight", "bias")]
        shapes += [(q + f"layer_norm{x}.{k}", [w]) for x in (1, 2) for k in ("weight", "bias")]
        shapes += [(q + "mlp.fc1.weight", [m, w]), (q + "mlp.fc1.bias", [m]), (q + "mlp.fc2.weight", [w, m]), (q + "mlp.fc2.bias", [w])]
    safetensors(os.path.join(path, "model.safetensors"), shapes)


def make_picture(path, seed):
    rng, width, height = random.Random(seed), 320, 240
    rows = b"".join(b"\0" + bytes((x * rng.randrange(1, 3) + y) % 256 for x in range(width) for _ in range(3)) for y in range(height))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    with open(path, "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
                chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b""))


def make_world(path):
    make_llm(os.path.join(path, "llm"))
    make_vit(os.path.join(path, "vit"))
    os.makedirs(os.path.join(path, "pictures"))
    for i in range(SAMPLES):
        make_picture(os.path.join(path, "pictures", f"{i}.png"), i)
    for stage, words in ((1, 20), (2, 40)):
        data = [{"id": str(i), "image": f"{i}.png", "conversations": [{"from": "human", "value": "<image>\nWhat is it?"},
                 {"from": "gpt", "value": " ".join(["dog"] * words) + "."}]} for i in range(SAMPLES)]
        with open(os.path.join(path, f"stage{stage}.json"), "w") as f:
            json.dump(data, f)


def measure(argv, env, cwd):
    """CPU seconds, peak MiB, and the last line of JSON."""
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen(argv, stdout=out, stderr=subprocess.PIPE, env=env, cwd=cwd)
        err = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        if status:
            sys.exit(f"{' '.join(argv)}: {err.decode()}")
        out.seek(0)
        lines = out.read().decode().strip().splitlines()
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, json.loads(lines[-1]) if lines else None


def ours(a, world, stage, steps, kept):
    out = tempfile.mkdtemp(dir=world)
    argv = [os.path.join(a.bin, "acsweep-exec"), "train", f"stage{stage}", "--llm", "llm", "--encoder", "vit", "--data", f"stage{stage}.json",
            "--images", "pictures", "--out", out, "--precision", "fp32", "--dtype", "fp32", "--batch", str(BATCH), "--threads", str(a.threads),
            "--max-steps", str(steps), "--save-every", "1h", "--epochs", "100", "--json"]
    return measure(argv + (["--features", kept] if kept else []), os.environ, world)


def tuned(a):
    """The environment that acsweep makes for itself."""
    env = {**os.environ, "OMP_NUM_THREADS": str(a.threads), "MALLOC_MMAP_THRESHOLD_": str(1 << 25), "MALLOC_TRIM_THRESHOLD_": str(1 << 33),
           "MALLOC_TOP_PAD_": str(1 << 26)}
    with open("/proc/cpuinfo") as f:
        if "avx512bw" in f.read():
            env.setdefault("OPENBLAS_CORETYPE", "SkylakeX")
    return env


def peer(a, python, world, stage, steps, tokens):
    plan = {"vit": VIT, "llm": LLM, "stage": stage, "steps": steps, "batch": BATCH, "micro": MICRO, "threads": a.threads,
            "text": round(tokens / BATCH) - (VIT["image_size"] // VIT["patch_size"]) ** 2, "masked": 2}
    path = os.path.join(world, "plan.json")
    with open(path, "w") as f:
        json.dump(plan, f)
    return measure([python, os.path.join(ROOT, "bench/train_peer.py"), path], tuned(a), world)


def cost(run, k):
    """CPU seconds of a step, MiB, tokens of a step."""
    short, long = run(1), run(1 + k)
    return (long[0] - short[0]) / k, long[1], long[2]["tokens"]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--bin", default=os.path.join(ROOT, "build/release/bin"))
    p.add_argument("--python", action="append", help="an interpreter with torch (/usr/bin/python3)")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--steps", type=int, default=3, help="K")
    p.add_argument("--threads", type=int, default=1)
    a = p.parse_args()
    a.bin = os.path.abspath(a.bin)
    peers = {}
    for python in a.python or ["/usr/bin/python3"]:
        version = subprocess.run([python, "-c", "import torch; print(torch.__version__)"], check=True, capture_output=True, text=True).stdout
        peers["PyTorch " + version.strip()] = python
    with tempfile.TemporaryDirectory() as world:
        make_world(world)
        kept = os.path.join(world, "kept.safetensors")
        subprocess.run([os.path.join(a.bin, "acsweep-exec"), "extract", "--encoder", "../vit", "--out", kept, "--image",
                        *(f"{i}.png" for i in range(SAMPLES))], check=True, cwd=os.path.join(world, "pictures"), stdout=subprocess.DEVNULL)
        seen = {}
        for n in range(a.rounds):
            for stage in (1, 2):
                mine = cost(lambda k: ours(a, world, stage, k, None), a.steps)
                seen.setdefault(f"stage{stage} acsweep", []).append(mine)
                for name, python in peers.items():
                    theirs = cost(lambda k: peer(a, python, world, stage, k, mine[2]), a.steps)
                    seen.setdefault(f"stage{stage} {name}", []).append(theirs)
            seen.setdefault("stage1 kept", []).append(cost(lambda k: ours(a, world, 1, k, kept), a.steps))
            print(f"round {n + 1} of {a.rounds}, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
        print(f"{'what':30} {'tokens/CPU-s':>12} {'CPU-s/step':>11} {'peak MiB':>9} {'rounds':>20}")
        for name in sorted(seen):
            best = min(seen[name])
            print(f"{name:30} {best[2] / best[0]:12.0f} {best[0]:11.2f} {max(c[1] for c in seen[name]):9.0f} "
                  f"{' '.join(f'{c[0]:.2f}' for c in seen[name]):>20}")


if __name__ == "__main__":
    main()
