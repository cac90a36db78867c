#!/usr/bin/env python3
"""The C score straight from its definition, with numpy and torch: whole similarity matrices, concatenated tokens, masks by
loops, one representation at a time. Slow on purpose; what worker/score computes is compared with it.

    reference.py PAIRS DIR... [--split test] [--geometry letterbox] [--arith fp32] [--grid N] [--all]

prints the list that `acsweep score c --json` prints."""
import argparse
import itertools
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

# Key points that are each other's mirror image, for the categories of this folder's set (facts of SPair-71k).
SYMMETRIC = {
    "cat": [[2, 3], [9, 10, 11, 12]],
    "tvmonitor": [[0, 2, 4, 6], [1, 3, 5, 7], [8, 10, 12, 14], [9, 11, 13, 15]],
}


class Setting:
    def __init__(self, geometry="letterbox", arith="fp32", grid=0, side=840, window=5, temperature=0.02,
                 alphas=(0.1, 0.05, 0.01)):
        self.geometry, self.arith, self.grid, self.side = geometry, arith, grid, side
        self.window, self.temperature, self.alphas = window, temperature, alphas


# ---- geometry -------------------------------------------------------------------------------------------------------

def frame_points(points, size, s):
    """[30, 3] float32 (x, y, visible) of a picture of (W, H) -> the same in the frame."""
    p = points.copy()
    w, h = size
    if s.geometry == "stretch_both":
        p[:, 0] *= np.float32(s.side / w)
        p[:, 1] *= np.float32(s.side / h)
        return p
    p[:, :2] *= np.float32(s.side / max(w, h))
    if h < w:
        p[:, 1] += int((s.side - int(np.around(s.side * h / w))) / 2)
    elif w < h:
        p[:, 0] += int((s.side - int(np.around(s.side * w / h))) / 2)
    return p * p[:, 2:3]


def box_size(box, size, s):
    w, h = size
    if s.geometry == "stretch_both":
        return max((box[2] - box[0]) * s.side / w, (box[3] - box[1]) * s.side / h)
    return max(box[3] - box[1], box[2] - box[0]) * (s.side / max(w, h))


def source_cells(points, grid, s):
    q = np.float32(grid / s.side)
    row = np.minimum((q * points[:, 1]).astype(np.int32), grid - 1)
    column = np.minimum((q * points[:, 0]).astype(np.int32), grid - 1)
    return grid * row + column


# ---- similarity -----------------------------------------------------------------------------------------------------

def resampled(raw, grid):
    """[P*P, C] -> [grid*grid, C]"""
    p = int(round(raw.shape[0] ** 0.5))
    if p == grid:
        return raw
    maps = raw.T.reshape(1, -1, p, p)
    return F.interpolate(maps, size=(grid, grid), mode="bilinear", align_corners=False).reshape(-1, grid * grid).T


def unit(tokens):
    return tokens / (torch.linalg.norm(tokens, dim=-1, keepdim=True) + 1e-10)


def similarity(sources, targets, grid, s, exact):
    """Raw maps of the members, of both pictures -> [T, T]. `exact` computes in float64, to know how near a decision is."""
    if s.arith == "stored":
        maps = []
        for a, b in zip(sources, targets):
            a, b = unit(resampled(a, grid)), unit(resampled(b, grid))
            if exact and a.dtype == torch.bfloat16:
                maps.append((a.double() @ b.double().T).to(torch.bfloat16))
            else:
                maps.append(torch.matmul(a, b.T))
        total = maps[0].float()
        for m in maps[1:]:
            total = total + m.float()
        mean = total / len(maps)
        return mean.to(torch.bfloat16) if all(m.dtype == torch.bfloat16 for m in maps) else mean
    kind = torch.float64 if exact else torch.float32
    joined = [unit(torch.cat([unit(resampled(raw.to(kind), grid)) for raw in side], dim=-1)) for side in (sources, targets)]
    return torch.matmul(joined[0], joined[1].T)


# ---- soft argmax ----------------------------------------------------------------------------------------------------

def masked(rows, grid, window):
    best = torch.argmax(rows, dim=-1)
    if window == 0:
        return rows, best
    mask = torch.zeros(rows.shape[0], grid, grid, dtype=rows.dtype)
    for i, m in enumerate(best.tolist()):
        for dy in range(-window, window + 1):
            for dx in range(-window, window + 1):
                y, x = min(max(m // grid + dy, 0), grid - 1), min(max(m % grid + dx, 0), grid - 1)
                mask[i, y, x] = 1
    return rows * mask.reshape(rows.shape), best


def predict(rows, grid, s):
    """[n, T] similarities -> [n, 2] points (x, y) in the frame."""
    c, best = masked(rows, grid, s.window)
    c = c - c.max(dim=-1, keepdim=True).values
    e = torch.exp(c / s.temperature)
    p = (e / e.sum(dim=-1, keepdim=True)).reshape(-1, grid, grid)
    wide = torch.float64 if rows.dtype == torch.float64 else torch.float32
    lin = torch.tensor(np.linspace(-1, 1, grid)).to(wide)
    x, y = (p.sum(dim=1) * lin).sum(dim=-1), (p.sum(dim=2) * lin).sum(dim=-1)
    at = torch.stack([(x + 1) * (grid - 1) / 2.0, (y + 1) * (grid - 1) / 2.0], dim=-1).clamp(0, grid - 1)
    stride = s.side / grid
    return at * stride + stride // 2, best


# ---- the set --------------------------------------------------------------------------------------------------------

class Correspondences:
    def __init__(self, root, split="test"):
        self.root, self.pairs = Path(root), []
        for category in sorted(p.name for p in (self.root / "ImageAnnotation").iterdir()):
            for path in sorted((self.root / "PairAnnotation" / split).glob(f"*:{category}.json")):
                self.pairs.append((path.stem, category, json.loads(path.read_text())))

    def points(self, category, image):
        kps = json.loads((self.root / "ImageAnnotation" / category / (Path(image).stem + ".json")).read_text())["kps"]
        out = np.zeros((30, 3), np.float32)
        for i in range(30):
            if kps.get(str(i)) is not None:
                out[i] = (*kps[str(i)], 1)
        return out


class Features:
    def __init__(self, directory):
        self.directory, self.name, self.cache = Path(directory), str(directory), {}

    def raw(self, category, image):
        key = f"{category}/{Path(image).stem}"
        if key not in self.cache:
            self.cache[key] = load_file(self.directory / f"{key}.safetensors")["features"]
        return self.cache[key]

    def grid(self, pair):
        return int(round(self.raw(pair[1], pair[2]["src_imname"]).shape[0] ** 0.5))


def match_pair(pair, pairs, members, grid, s, exact=False):
    """-> indices of the common points, target points, predictions [n, 2], limits [alphas], gap between the two best cells"""
    _, category, p = pair
    source = frame_points(pairs.points(category, p["src_imname"]), p["src_imsize"][:2], s)
    target = frame_points(pairs.points(category, p["trg_imname"]), p["trg_imsize"][:2], s)
    common = np.flatnonzero(source[:, 2] * target[:, 2] > 0)
    sim = similarity([m.raw(category, p["src_imname"]) for m in members],
                     [m.raw(category, p["trg_imname"]) for m in members], grid, s, exact)
    rows = sim[source_cells(source[common], grid, s)]
    found, _ = predict(rows, grid, s)
    two = torch.topk(rows.double(), 2, dim=-1).values if grid > 1 else torch.tensor([[1.0, 0.0]])
    limits = torch.tensor(s.alphas, dtype=torch.float32).double() * float(box_size(p["trg_bndbox"], p["trg_imsize"][:2], s))
    return common, target, found, limits, (two[:, 0] - two[:, 1])


def position_pair(pair, pairs, s):
    """Part of the common points that lie at the same part of both pictures' edges -> [alphas]. In double."""
    _, category, p = pair
    (w, h), (tw, th) = p["src_imsize"][:2], p["trg_imsize"][:2]
    source, target = pairs.points(category, p["src_imname"]), pairs.points(category, p["trg_imname"])
    common = np.flatnonzero(source[:, 2] * target[:, 2] > 0)
    edges = np.array([s.side / tw, s.side / th] if s.geometry == "stretch_both" else [s.side / max(tw, th)] * 2)
    off = (source[common, :2].astype(np.float64) / [w, h] - target[common, :2].astype(np.float64) / [tw, th]) * [tw, th]
    error = np.linalg.norm(off * edges, axis=1)
    limits = np.array(s.alphas, np.float32).astype(np.float64) * box_size(p["trg_bndbox"], (tw, th), s)
    assert np.abs(error[:, None] - limits[None, :]).min() > 1e-3, "the position of a point is near a limit"
    return (error[:, None] < limits[None, :]).mean(axis=0)


def is_geo(category, point, target):
    return any(point in g and sum(target[k, 2] > 0 for k in g) >= 2 for g in SYMMETRIC.get(category, []))


def score(pairs, members, s, watch=None):
    """One representation -> its entry of the list. watch(pair, common, target, found, limits, gap) sees every pair."""
    grid = s.grid or max(m.grid(pairs.pairs[0]) for m in members)
    parts, geo = {}, []
    for pair in pairs.pairs:
        common, target, found, limits, gap = match_pair(pair, pairs, members, grid, s)
        error = torch.linalg.norm(found.float() - torch.tensor(target[common, :2]), dim=-1)
        correct = error[:, None] < limits[None, :]
        parts.setdefault(pair[1], []).append(correct.double().mean(dim=0).tolist())
        chosen = [i for i, k in enumerate(common) if is_geo(pair[1], k, target)]
        if chosen:
            geo.append(correct[chosen, 0].double().mean().item())
        if watch:
            watch(pair, common, target, found, limits, gap)
    names = [f"{a:.2f}" for a in s.alphas]
    everything = [q for c in parts.values() for q in c]

    def pck(rows):
        return dict(zip(names, np.mean(np.array(rows), axis=0).tolist()))

    return {"members": [m.name for m in members], "grid": grid, "pairs": len(pairs.pairs), "pck": pck(everything),
            "geo": float(np.mean(geo)) if geo else None,
            "position": pck([position_pair(pair, pairs, s) for pair in pairs.pairs]),
            "categories": {c: {"pairs": len(q), "pck": pck(q)} for c, q in parts.items()}}


def subsets(members):
    for size in range(1, len(members) + 1):
        yield from itertools.combinations(members, size)


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("pairs")
    a.add_argument("features", nargs="+")
    a.add_argument("--split", default="test")
    a.add_argument("--geometry", default="letterbox", choices=["letterbox", "stretch_mismatch", "stretch_both"])
    a.add_argument("--arith", default="fp32", choices=["fp32", "stored"])
    a.add_argument("--grid", type=int, default=0)
    a.add_argument("--all", action="store_true")
    o = a.parse_args()
    members, pairs = [Features(d) for d in o.features], Correspondences(o.pairs, o.split)
    s = Setting(o.geometry, o.arith, o.grid)
    print(json.dumps([score(pairs, m, s) for m in (subsets(members) if o.all else [members])], indent=1))


if __name__ == "__main__":
    main()
