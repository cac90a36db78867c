#!/usr/bin/env python3
"""Features: `acsweep extract` against the same model in PyTorch and transformers, in turns; decoding included on both sides.

    apt-get install python3-torch; /usr/bin/python3 -m venv --system-site-packages V     # the libtorch and BLAS that acsweep has
    V/bin/pip install transformers==4.38.2 pillow==12.1.1 'safetensors<0.5' 'numpy<2'
    V/bin/python bench/extract.py [--bin build/release/bin] [--rounds N] [--models tiny,large] [--threads 1,2]

Models have random weights: ViT-L/14 at 224 pixels (CLIP's), and a ViT of 4 layers, 64 wide, 64 pixels in patches of 8. Pictures
are JPEGs of 640 x 480. Both sides write the last hidden state of the same files; they are compared before a rate is printed.
acsweep decodes in threads beside the computing, as many as --threads says; PyTorch's side decodes in between. In the
clock: from the first decoding to the last picture written (acsweep), or in memory (PyTorch); not the loading. Rates are medians
over rounds; CPU seconds are those of the whole process, loading too. Peak: sgemm of 2048 x 2048 by torch.mm with the same
threads in the same round. Both sides run with the OPENBLAS_CORETYPE that is named.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MODELS = {
    "tiny": dict(hidden_size=64, num_hidden_layers=4, num_attention_heads=4, intermediate_size=256, image_size=64, patch_size=8),
    "large": dict(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096, image_size=224,
                  patch_size=14),
}


def flops(m):
    """Multiplications and additions of one picture's matrix products."""
    n, d = (m["image_size"] // m["patch_size"]) ** 2 + 1, m["hidden_size"]
    block = 2 * n * d * (4 * d + 2 * m["intermediate_size"]) + 4 * n * n * d
    return m["num_hidden_layers"] * block + 2 * (n - 1) * d * 3 * m["patch_size"] ** 2


def make_model(path, m):
    """In a process of its own: a child's peak RSS counts what its parent held when it was started."""
    import torch
    from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModel
    torch.manual_seed(1)
    CLIPVisionModel(CLIPVisionConfig(**m)).save_pretrained(path, safe_serialization=True)
    size = m["image_size"]
    CLIPImageProcessor(size={"shortest_edge": size}, crop_size={"height": size, "width": size}).save_pretrained(path)


def make_pictures(path, n):
    import numpy as np
    from PIL import Image
    rng = np.random.default_rng(1)
    y, x = np.mgrid[0:480, 0:640]
    for i in range(n):
        base = np.stack([(x * (1 + i % 3) + y * c) % 256 for c in (1, 2, 3)], -1) * 0.8
        Image.fromarray((base + rng.normal(0, 12, base.shape)).clip(0, 255).astype(np.uint8)).save("%s/%04d.jpg" % (path, i), quality=90)
    return ["%s/%04d.jpg" % (path, i) for i in range(n)]


def reference(spec):
    """In a process of its own: spec is what run_reference gives."""
    import numpy as np
    import torch
    from PIL import Image
    from transformers import CLIPImageProcessor, CLIPVisionModel
    torch.set_num_threads(spec["threads"])
    if spec.get("peak"):
        a = torch.randn(2048, 2048)
        b = torch.randn(2048, 2048)
        best = 1e9
        for _ in range(6):
            t = time.perf_counter()
            torch.mm(a, b)
            best = min(best, time.perf_counter() - t)
        print(json.dumps({"gflops": 2 * 2048 ** 3 / best / 1e9}))
        return
    model = CLIPVisionModel.from_pretrained(spec["model"]).eval()
    processor = CLIPImageProcessor.from_pretrained(spec["model"])
    out, files, batch = [], spec["files"], spec["batch"]
    begin = time.perf_counter()
    with torch.inference_mode():
        for i in range(0, len(files), batch):
            pixels = processor([Image.open(f) for f in files[i:i + batch]], return_tensors="pt")["pixel_values"]
            out.append(model(pixel_values=pixels).last_hidden_state[:, 1:].numpy())
    seconds = time.perf_counter() - begin
    np.save(spec["out"], np.concatenate(out))
    print(json.dumps({"seconds": seconds, "images_per_second": len(files) / seconds}))


def measured(argv):
    """(JSON of stdout, seconds of CPU, MiB at most, wall seconds)"""
    begin = time.perf_counter()
    p = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    text = p.stdout.read()
    _, status, usage = os.wait4(p.pid, 0)
    p.returncode = os.waitstatus_to_exitcode(status)
    if p.returncode:
        raise SystemExit("%s failed" % argv[0])
    return text, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, time.perf_counter() - begin


def run_reference(**spec):
    text, cpu, rss, _ = measured([sys.executable, __file__, "--reference", json.dumps(spec)])
    return {**json.loads(text), "cpu": cpu, "rss": rss}


def run_ours(binary, model, files, batch, threads, out):
    text, cpu, rss, _ = measured([os.path.join(binary, "acsweep"), "extract", "--encoder", model, "--layer", "-1", "--batch", str(batch),
                                  "--threads", str(threads), "--out", out, "--json", "--image", *files])
    return {**json.loads(text), "cpu": cpu, "rss": rss}


def compare(ours, theirs, files):
    import numpy as np
    from safetensors.numpy import load_file
    mine, other = load_file(ours), np.load(theirs)
    worst = max(float(np.abs(mine[f] - other[i]).max()) for i, f in enumerate(files))
    scale = float(np.abs(other).max())
    if worst > 1e-3 * scale:
        raise SystemExit("features differ by %g of %g" % (worst, scale))
    return worst


def bench(scratch, o, name, threads):
    m, batch, n = MODELS[name], (32, 8)[name == "large"], (o.tiny, o.large)[name == "large"]
    model, files = os.path.join(scratch, name), make_pictures(scratch, n)
    subprocess.check_call([sys.executable, __file__, "--make", json.dumps([model, m])])
    ours, theirs, peak = [], [], []
    for _ in range(o.rounds):
        peak.append(run_reference(threads=threads, peak=True)["gflops"])
        ours.append(run_ours(o.bin, model, files, batch, threads, scratch + "/ours.safetensors"))
        theirs.append(run_reference(threads=threads, model=model, files=files, batch=batch, out=scratch + "/theirs.npy"))
    worst = compare(scratch + "/ours.safetensors", scratch + "/theirs.npy", files)
    middle = lambda runs, key: statistics.median(r[key] for r in runs)
    a, b = middle(ours, "images_per_second"), middle(theirs, "images_per_second")
    top = statistics.median(peak)
    print("%-6s %d thread%s, %d pictures, batch %d: acsweep %.2f/s (%s), PyTorch %.2f/s (%s), ratio %.2f; CPU %.2f and %.2f s; "
          "peak RSS %.0f and %.0f MiB" % (
              name, threads, "s"[threads == 1:], n, batch, a, spread(ours), b, spread(theirs), a / b, middle(ours, "cpu"),
              middle(theirs, "cpu"), middle(ours, "rss"), middle(theirs, "rss")))
    print("       sgemm %.0f GFLOP/s; share of it: acsweep %.0f %%, PyTorch %.0f %%; features differ by %.1e at most" % (
        top, 100 * a * flops(m) / 1e9 / top, 100 * b * flops(m) / 1e9 / top, worst), flush=True)


def spread(runs):
    rates = [r["images_per_second"] for r in runs]
    return "%.2f-%.2f" % (min(rates), max(rates))


def start_up(binary):
    for program, words in (("acsweep", ["extract", "--help"]), ("acsweep-exec", ["extract", "--help"])):
        runs = [measured([os.path.join(binary, program), *words]) for _ in range(5)]
        print("%s, started to print its help: %.3f s, CPU %.3f s, RSS %.0f MiB" % (
            program, min(r[3] for r in runs), min(r[1] for r in runs), runs[0][2]))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--bin", default=os.path.join(ROOT, "build/release/bin"))
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--models", default="tiny,large")
    p.add_argument("--threads", default="1,2")
    p.add_argument("--tiny", type=int, default=512, help="pictures for the small model")
    p.add_argument("--large", type=int, default=16, help="pictures for ViT-L")
    p.add_argument("--reference", help=argparse.SUPPRESS)
    p.add_argument("--make", help=argparse.SUPPRESS)
    o = p.parse_args()
    if o.make:
        return make_model(*json.loads(o.make))
    if o.reference:
        return reference(json.loads(o.reference))
    print("load average %.1f before; OPENBLAS_CORETYPE=%s" % (os.getloadavg()[0], os.environ.get("OPENBLAS_CORETYPE", "(not set)")))
    start_up(o.bin)
    for name in o.models.split(","):
        for threads in map(int, o.threads.split(",")):
            with tempfile.TemporaryDirectory(prefix="acsweep-bench-") as scratch:
                bench(scratch, o, name, threads)


main()
