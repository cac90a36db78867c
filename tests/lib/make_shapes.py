#!/usr/bin/env python3
"""make_shapes.py DIR [--count N] [--validation N] [--side PIXELS] [--seed N]: a world small enough to learn in seconds, in the
formats of acsweep-pretrain. One or two shapes in colours on a ground of another colour.

DIR/pretrain.jsonl, validation.jsonl (other pictures, one shape each), talk.json (LLaVA conversations), pictures/*.png
"""
import argparse
import json
import os
import random
import struct
import zlib

COLOURS = {"red": (210, 45, 40), "blue": (45, 70, 210), "green": (50, 165, 65), "yellow": (230, 205, 50),
           "purple": (140, 60, 170), "white": (240, 240, 235)}
# A point (x, y) of -1..1, is it inside?
SHAPES = {
    "disc": lambda x, y: x * x + y * y < 0.8,
    "ring": lambda x, y: 0.3 < x * x + y * y < 0.8,
    "square": lambda x, y: max(abs(x), abs(y)) < 0.8,
    "frame": lambda x, y: 0.5 < max(abs(x), abs(y)) < 0.85,
    "diamond": lambda x, y: abs(x) + abs(y) < 0.95,
    "triangle": lambda x, y: -0.8 < y < 0.8 and abs(x) < (y + 0.8) / 2,
    "plus": lambda x, y: min(abs(x), abs(y)) < 0.25 and max(abs(x), abs(y)) < 0.9,
    "cross": lambda x, y: min(abs(x - y), abs(x + y)) < 0.35 and max(abs(x), abs(y)) < 0.8,
    "bar": lambda x, y: abs(y) < 0.3 and abs(x) < 0.9,
    "moon": lambda x, y: x * x + y * y < 0.8 and (x - 0.45) ** 2 + y * y > 0.6,
    "arrow": lambda x, y: (abs(y) < 0.2 and -0.9 < x < 0.1) or (0.1 <= x < 0.9 and abs(y) < 0.9 - x),
    "stairs": lambda x, y: abs(x) < 0.8 and abs(y) < 0.8 and int((x + 0.8) * 2) >= int((0.8 - y) * 2),
}


def write_png(path, rows, side):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    with open(path, "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
                + chunk(b"IDAT", zlib.compress(b"".join(b"\0" + r for r in rows))) + chunk(b"IEND", b""))


def place(rng, side, many):
    """Middle and half edge of each shape; two stand beside each other."""
    if many == 1:
        half = rng.uniform(0.25, 0.45) * side
        return [(rng.uniform(half, side - half), rng.uniform(half, side - half), half)]
    half = rng.uniform(0.18, 0.24) * side
    return [(rng.uniform(half, side / 2 - half) + k * side / 2, rng.uniform(half, side - half), half) for k in (0, 1)]


def draw(rng, side, many):
    ground, *inks = rng.sample(list(COLOURS), many + 1)
    shapes = rng.sample(list(SHAPES), many)
    pixels = [bytearray(bytes(COLOURS[ground]) * side) for _ in range(side)]
    for shape, ink, (cx, cy, half) in zip(shapes, inks, place(rng, side, many)):
        inside, colour = SHAPES[shape], COLOURS[ink]
        for y in range(max(0, int(cy - half)), min(side, int(cy + half) + 1)):
            for x in range(max(0, int(cx - half)), min(side, int(cx + half) + 1)):
                if inside((x - cx) / half, (y - cy) / half):
                    pixels[y][3 * x:3 * x + 3] = bytes(colour)
    caption = " beside ".join(f"a {ink} {shape}" for ink, shape in zip(inks, shapes)) + f" on {ground} ground"
    return pixels, caption, shapes, inks, ground


def turns(*texts):
    return [{"from": ("human", "gpt")[k % 2], "value": t} for k, t in enumerate(texts)]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("dir")
    p.add_argument("--count", type=int, default=96)
    p.add_argument("--validation", type=int, default=48)
    p.add_argument("--side", type=int, default=32)
    p.add_argument("--seed", type=int, default=7)
    a = p.parse_args()
    rng = random.Random(a.seed)
    os.makedirs(a.dir + "/pictures", exist_ok=True)
    lines, talk = {"pretrain": [], "validation": []}, []
    for i in range(a.count + a.validation):
        train = i < a.count
        pixels, caption, shapes, inks, ground = draw(rng, a.side, 1 + (train and i % 4 == 0))
        name = f"pictures/{i}.png"
        write_png(f"{a.dir}/{name}", pixels, a.side)
        lines["pretrain" if train else "validation"].append({"image": name, "caption": caption, "concepts": shapes})
        if train:
            talk.append({"id": i, "image": name, "conversations": turns(
                "<image>\nWhat is the colour of the ground?\nAnswer the question using a single word or phrase.", ground,
                f"Is there a {shapes[0]}?", "yes", f"What colour is the {shapes[0]}?", inks[0])})
    for name, data in lines.items():
        with open(f"{a.dir}/{name}.jsonl", "w") as f:
            f.writelines(json.dumps(x) + "\n" for x in data)
    with open(a.dir + "/talk.json", "w") as f:
        json.dump(talk, f)


main()
