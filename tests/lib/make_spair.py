#!/usr/bin/env python3
"""A small correspondence set in SPair-71k's layout: noise with moving blobs, key points at the blobs. Standard library only.

    make_spair.py DIR [PICTURES-PER-CATEGORY]"""
import json
import math
import random
import struct
import sys
import zlib
from pathlib import Path


def png(width, height, pixel):
    rows = b"".join(b"\0" + bytes(c for x in range(width) for c in pixel(x, y)) for y in range(height))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def main():
    top, per = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 4
    draw = random.Random(7)
    number = 0
    for category in ("boat", "cat"):
        for sub in ("JPEGImages", "ImageAnnotation"):
            (top / sub / category).mkdir(parents=True)
        (top / "PairAnnotation/test").mkdir(parents=True, exist_ok=True)
        pictures = []
        for i in range(per):
            width, height = draw.choice([(60, 60), (80, 50), (48, 72)])
            points = {str(k): [draw.randrange(4, width - 4), draw.randrange(4, height - 4)] if k < 5 else None
                      for k in range(30)}
            noise = [draw.randrange(60) for _ in range(width * height)]
            blobs = [(p, k) for k, p in enumerate(points.values()) if p]

            def pixel(x, y):
                base = noise[y * width + x]
                value = [base, base, base]
                for (px, py), k in blobs:
                    near = math.exp(-((x - px) ** 2 + (y - py) ** 2) / 18)
                    value[k % 3] += int(190 * near)
                    value[(k + 1) % 3] += int(40 * (k % 4) * near)
                return [min(255, v) for v in value]
            name = f"{category}{i}"
            (top / f"JPEGImages/{category}/{name}.png").write_bytes(png(width, height, pixel))
            (top / f"ImageAnnotation/{category}/{name}.json").write_text(json.dumps(
                {"kps": points, "bndbox": [1, 1, width - 1, height - 1], "image_width": width, "image_height": height}))
            pictures.append((name, width, height))
        for source in pictures:
            for target in pictures:
                if source == target:
                    continue
                number += 1
                (top / f"PairAnnotation/test/{number:06d}-{source[0]}-{target[0]}:{category}.json").write_text(json.dumps({
                    "category": category, "src_imname": source[0] + ".png", "trg_imname": target[0] + ".png",
                    "src_imsize": [source[1], source[2], 3], "trg_imsize": [target[1], target[2], 3],
                    "src_bndbox": [1, 1, source[1] - 1, source[2] - 1], "trg_bndbox": [1, 1, target[1] - 1, target[2] - 1]}))


main()
