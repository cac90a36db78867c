#!/usr/bin/env python3
"""The orders of worker/text/sampler.h once more, from its description. Needs no packages; writes sampler.json."""
import hashlib
import json
import os

HERE = os.path.dirname(os.path.abspath(__file__))
M64 = (1 << 64) - 1


class Random:
    def __init__(self, seed, epoch):
        self.state = (seed + (epoch << 32)) & M64

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & M64
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & M64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & M64
        return z ^ (z >> 31)

    def below(self, n):
        while True:
            product = (self.next() >> 32) * n
            if product % (1 << 32) >= (1 << 32) % n:
                return product >> 32

    def permute(self, items):
        items = list(items)
        for i in range(len(items) - 1, 0, -1):
            j = self.below(i + 1)
            items[i], items[j] = items[j], items[i]
        return items


def chunks_of(batch, lengths, n):
    if len(batch) % n:
        return [batch[i::n] for i in range(n)]
    each, chunks, total = len(batch) // n, [[] for _ in range(n)], [0] * n
    for i in batch:
        open_ones = [c for c in range(n) if len(chunks[c]) < each]
        c = min(open_ones, key=lambda k: total[k])
        chunks[c].append(i)
        total[c] += abs(lengths[i])
    return chunks


def grouped(lengths, seed, epoch, batch, n):
    rng = Random(seed, epoch)
    kinds = [[i for i, l in enumerate(lengths) if l > 0], [i for i, l in enumerate(lengths) if l < 0]]
    batches = []
    for kind in kinds:
        kind, out = rng.permute(kind), []
        for at in range(0, len(kind), batch):
            part = sorted(kind[at:at + batch], key=lambda i: -abs(lengths[i]))
            out.append([i for chunk in chunks_of(part, lengths, n) for i in chunk])
        batches.append(out)
    if not batches[0] or not batches[1]:
        return [i for b in batches[0] + batches[1] for i in b]
    rest = batches[0].pop() + batches[1].pop()
    order = [b for b in rng.permute(batches[0] + batches[1])]
    if len(rest) >= batch:
        order.insert(0, rest[:batch])
        rest = rest[batch:]
    return [i for b in order + [rest] for i in b]


def lengths_of(n, text_share, seed):
    rng = Random(seed, 0)
    return [(1 + rng.below(90)) * (-1 if rng.below(100) < text_share else 1) for _ in range(n)]


def digest(order):
    return hashlib.sha256(b"".join(i.to_bytes(4, "little") for i in order)).hexdigest()


def main():
    cases = []
    for n, share, seed, epoch, batch, chunks in [
            (0, 0, 1, 0, 8, 2), (1, 0, 1, 0, 8, 2), (1, 100, 1, 0, 8, 8), (40, 30, 42, 0, 8, 2), (40, 30, 42, 1, 8, 2), (40, 30, 43, 0, 8, 2),
            (40, 0, 42, 0, 8, 4), (40, 100, 42, 0, 8, 4), (17, 50, 7, 0, 8, 8), (64, 50, 7, 3, 16, 1), (33, 5, 9, 0, 16, 4),
            (5000, 6, 42, 0, 128, 8), (5000, 6, 42, 2, 128, 8)]:
        lengths = lengths_of(n, share, seed)
        order = grouped(lengths, seed, epoch, batch, chunks)
        assert sorted(order) == list(range(n))
        cases.append({"n": n, "share": share, "seed": seed, "epoch": epoch, "batch": batch, "chunks": chunks,
                      "order": order if n < 100 else None, "sha256": digest(order),
                      "random": digest(Random(seed, epoch).permute(range(n)))})
    with open(os.path.join(HERE, "sampler.json"), "w") as f:
        json.dump(cases, f, separators=(",", ":"))
        f.write("\n")


if __name__ == "__main__":
    main()
