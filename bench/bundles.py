#!/usr/bin/env python3
"""The score_c tasks of a native sweep over all subsets of some encoders: as bundles, and each alone, in turns.

    bench/bundles.py [--bin build/release/bin] [--encoders 8] [--rounds 2] [--slots 1]

A sweep on one machine (`acsweep run`: private PostgreSQL, coordinator, one worker), as large as bench_score_c's: 300 pairs of 25
pictures, BF16 features of 256 tokens and 1,024 channels. The features are random and come from this program, by
executors.extract.use = "command"; all sweeps share them. In the clock: from the start of the first score_c attempt to the
end of the last, as the database has them, so with leases, results and commits; CPU seconds are the executors'. The scores of
both ways are compared before a ratio is printed. Standard library only."""
import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
GRID, CHANNELS, PICTURES, PAIRS = 16, 1024, 25, 300


def picture(i):
    return f"JPEGImages/cat/i{i}.jpg"


def make_set(top):
    draw = random.Random(1)
    for sub in ("JPEGImages/cat", "ImageAnnotation/cat", "PairAnnotation/test"):
        (top / sub).mkdir(parents=True)
    for i in range(PICTURES):
        points = {str(k): [draw.randrange(500), draw.randrange(375)] if k < 4 or draw.random() < 0.75 else None
                  for k in range(14)}
        (top / picture(i)).write_bytes(b"")
        (top / f"ImageAnnotation/cat/i{i}.json").write_text(json.dumps({"kps": points}))
    for n in range(PAIRS):
        a, b = draw.randrange(PICTURES), draw.randrange(PICTURES)
        (top / f"PairAnnotation/test/{n:06d}-i{a}-i{b}:cat.json").write_text(json.dumps({
            "category": "cat", "src_imname": f"i{a}.jpg", "trg_imname": f"i{b}.jpg", "src_imsize": [500, 375, 3],
            "trg_imsize": [500, 375, 3], "src_bndbox": [1, 1, 400, 300],
            "trg_bndbox": [draw.randrange(300), 20, 480, 50 + draw.randrange(300)]}))


def extract():
    """As the executor's command: one encoder's features, the same for the same name."""
    task = json.loads(Path(os.environ["ACSWEEP_PARAMS"]).read_text())
    draw = random.Random(json.dumps(task["execution"]["names"]["encoder"]))
    count = GRID * GRID * CHANNELS
    high = bytes((0x3e, 0x3f, 0xbe, 0xbf)[i % 4] for i in range(256))  # values of about 1, of both signs
    header = {"__metadata__": {"grid": str(GRID)}}
    for i in range(PICTURES):
        header[picture(i)] = {"dtype": "BF16", "shape": [GRID * GRID, CHANNELS], "data_offsets": [2 * count * i, 2 * count * (i + 1)]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(os.environ["ACSWEEP_OUT"] + "/features.safetensors", "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text)
        for _ in range(PICTURES):
            values = bytearray(2 * count)
            values[0::2] = draw.randbytes(count)
            values[1::2] = draw.randbytes(count).translate(high)
            f.write(values)
    Path(os.environ["ACSWEEP_RESULT"]).write_text(json.dumps(
        {"artifacts": [{"name": "features", "path": "features.safetensors"}]}))


def config(name, encoders, bundle):
    names = [f"e{i}" for i in range(encoders)]
    return f"""
name = "{name}";
checkpoints = ( {", ".join(f'{{ name = "{n}"; }}' for n in names)} );
encoders = ( {", ".join(f'{{ name = "{n}"; checkpoint = "{n}"; resolution = 224; grid = {GRID}; }}' for n in names)} );
representations = {{ generate = {{ max_size = {encoders}; }}; }};
image_sets = ( {{ name = "pairs"; role = "correspondence"; images = {PICTURES}; }} );
correspondence_sets = ( {{ name = "{name}"; image_set = "pairs"; }} );
benchmarks = ( {{ name = "b"; maximum = 1.0; }} );
scores = {{ a = {{ references = ("e0"); }}; }};
executors = {{
  extract = {{ use = "command"; command = ("{sys.executable}", "{Path(__file__).resolve()}", "--extract"); gpus = 0; }};
  score_c = {{ use = "native"; gpus = 0; bundle = {bundle}; }};
  stage1 = {{ use = "fake"; }};
  score_a = {{ use = "fake"; fake = {{ metrics = {{ a = 0.5; }}; }}; }};
  stage2 = {{ use = "fake"; }};
  evaluate = {{ use = "fake"; fake = {{ metrics = {{ performance = 0.5; }}; }}; }};
}};
policy = {{ budget = {{ fine_tunes = 1; }}; }};
"""


class Bench:
    def __init__(self, options, top):
        self.o, self.top, self.scores = options, top, {}

    def acsweep(self, *args):
        p = subprocess.run([self.o.bin / "acsweep", *map(str, args)], capture_output=True, text=True)
        if p.returncode:
            sys.exit(f"acsweep {' '.join(map(str, args))}: exit code {p.returncode}\n{p.stdout}{p.stderr}")
        return p.stdout

    def sql(self, text):
        return json.loads(self.acsweep("sql", "--state", self.top / "state", "--json", "-c", text))

    def sweep(self, name, bundle):
        """Wall and CPU seconds of its score_c tasks, and how many there were."""
        path = self.top / f"{name}.cfg"
        path.write_text(config(name, self.o.encoders, bundle))
        self.acsweep("run", path, "--state", self.top / "state", "-n", self.o.slots, "--path", f"pairs={self.top}/set")
        row = self.sql(f"""SELECT count(*) AS n, extract(epoch FROM max(finished_at) - min(started_at)) AS wall,
            sum(cpu_seconds) AS cpu FROM attempts WHERE sweep = '{name}' AND kind = 'score_c' AND outcome = 'succeeded'""")[0]
        scores = self.sql(f"""SELECT representation, metric, value FROM scores WHERE sweep = '{name}' AND score = 'c'
                              ORDER BY 1, 2""")
        if self.scores and scores != self.scores:
            sys.exit(f"the scores of {name} are not those of the sweep before it")
        self.scores = scores
        return float(row["wall"]), float(row["cpu"]), int(row["n"])


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--bin", type=Path, default=TOP / "build/release/bin")
    p.add_argument("--encoders", type=int, default=8, help="2 to 10")
    p.add_argument("--rounds", type=int, default=2)
    p.add_argument("--slots", type=int, default=1)
    p.add_argument("--extract", action="store_true", help=argparse.SUPPRESS)
    o = p.parse_args()
    if o.extract:
        return extract()
    o.bin = o.bin.resolve()
    top = Path(tempfile.mkdtemp(prefix="acsweep-bench."))
    os.chmod(top, 0o755)
    try:
        make_set(top / "set")
        bench, times = Bench(o, top), {"together": [], "alone": []}
        for r in range(o.rounds):
            for way, bundle in (("together", 1024), ("alone", 1)):
                wall, cpu, n = bench.sweep(f"{way}-{r}", bundle)
                times[way].append((wall, cpu))
                print(f"{way:9} {n} representations: {wall:8.2f} s wall, {cpu:8.2f} s CPU", flush=True)
        middle = {way: [statistics.median(t[i] for t in list) for i in (0, 1)] for way, list in times.items()}
        print(f"ratio by wall {middle['alone'][0] / middle['together'][0]:.1f}, "
              f"by CPU {middle['alone'][1] / middle['together'][1]:.1f}; the same scores to the last digit")
    finally:
        shutil.rmtree(top, ignore_errors=True)


main()
