#!/usr/bin/env python3
"""make_colours.py DIR: the smallest world in which a language model can learn to see. Pictures of one colour; captions and
questions in LLaVA's and the benchmarks' formats; what is asked in the benchmarks is other pictures than what is trained.

DIR/stage1.json, stage2.json (training), words.jsonl (TextVQA's kind), letters.jsonl (ScienceQA's), pictures/*.png
"""
import json
import os
import random
import struct
import sys
import zlib

COLOURS = {"red": (205, 40, 35), "blue": (40, 60, 200), "green": (45, 170, 60), "white": (235, 235, 230)}
SHORT = "Answer the question using a single word or phrase."
LETTER = "Answer with the option's letter from the given choices directly."


def png(path, rgb, side, rng):
    rows = b""
    for _ in range(side):
        rows += b"\0" + bytes(max(0, min(255, c + rng.randint(-12, 12))) for _ in range(side) for c in rgb)
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    with open(path, "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
                + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def turns(question, answer):
    return [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]


def options(rng, colour):
    names = list(COLOURS)
    rng.shuffle(names)
    names = names[:2] if colour in names[:2] else [colour, names[0]]
    rng.shuffle(names)
    return names, "AB"[names.index(colour)]


def main():
    root = sys.argv[1]
    rng = random.Random(7)
    os.makedirs(root + "/pictures", exist_ok=True)
    stage1, stage2, words, letters = [], [], [], []
    for i in range(64):
        colour = list(COLOURS)[i % len(COLOURS)]
        picture = f"pictures/{i}.png"
        png(f"{root}/{picture}", COLOURS[colour], 32, rng)
        choices, letter = options(rng, colour)
        asked = "What colour is it?\n" + "\n".join(f"{'AB'[k]}. {c}" for k, c in enumerate(choices)) + "\n" + LETTER
        if i < 48:
            stage1.append({"id": i, "image": picture, "conversations": turns("<image>\nSay it.", f"a {colour} house")})
            stage2.append({"id": i, "image": picture,
                           "conversations": turns("<image>\nWhat colour is it?\n" + SHORT, colour)})
            stage2.append({"id": 100 + i, "image": picture, "conversations": turns("<image>\n" + asked, letter)})
        else:
            words.append({"benchmark": "textvqa", "id": f"w{i}", "image": picture, "question": "what colour is it?",
                          "answers": [colour] * 10})
            letters.append({"benchmark": "scienceqa", "id": f"l{i}", "image": picture, "question": "What colour is it?",
                            "options": choices, "answer": letter})
    for name, data in (("stage1", stage1), ("stage2", stage2)):
        with open(f"{root}/{name}.json", "w") as f:
            json.dump(data, f)
    for name, data in (("words", words), ("letters", letters)):
        with open(f"{root}/{name}.jsonl", "w") as f:
            f.writelines(json.dumps(q) + "\n" for q in data)


main()
