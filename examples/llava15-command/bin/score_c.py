#!/usr/bin/env python3
"""C score: PCK of a representation on SPair-71k, zero shot, from the features of its members.

Each member's tokens have unit length, so the similarity of a combination is the mean over its members. The target point is
the softmax-weighted mean of the cells around the most similar one. Average over pairs of the part of points that are
within alpha times the longer side of the object's box.
"""
import glob
import json
import os

import torch

import settings
from task import Task

t = Task()
how = t.parameters["setting"]
split = {"train": "trn", "validation": "val"}.get(t.parameters["correspondence_set"]["split"],
                                                  t.parameters["correspondence_set"]["split"])
S = how["annotation_size"]
shards = {}  # member -> folders
for name in t.file["inputs"]:
    kind, member, _ = name.split(":")
    if kind == "features":
        shards.setdefault(int(member), []).append(t.input(name))
device = "cuda" if torch.cuda.is_available() else "cpu"
target = t.parameters["representation"]["target_grid"]
cache = {}


def tokens(category, image):
    """One [cells, channels] matrix of unit rows per member, all on the same grid."""
    if (category, image) in cache:
        return cache[category, image]
    maps = []
    for member in sorted(shards):
        paths = [p for d in shards[member] if os.path.exists(p := f"{d}/{category}/{image}.pt")]
        if not paths:
            t.fail("data", f"no features of {category}/{image} for member {member}")
        maps.append(torch.load(paths[0], map_location=device).float())
    edge = target or max(m.shape[1] for m in maps)
    rows = []
    for m in maps:
        if m.shape[1] != edge:
            m = torch.nn.functional.interpolate(m[None], size=(edge, edge), mode="bilinear", align_corners=False)[0]
        m = m.reshape(m.shape[0], -1).T
        rows.append(m / (m.norm(dim=1, keepdim=True) + 1e-10))
    cache[category, image] = rows, edge
    return rows, edge


def to_square(points, width, height):
    """Key points in the S x S frame, float32 step by step."""
    p = torch.tensor(points, dtype=torch.float32)
    if how["geometry"] == "stretch_both":
        return p * torch.tensor([S / width, S / height], dtype=torch.float32)
    p = p * torch.tensor(S / max(width, height), dtype=torch.float32)
    if height < width:
        p[:, 1] += (S - round(S * height / width)) // 2
    elif width < height:
        p[:, 0] += (S - round(S * width / height)) // 2
    return p


def predict(source, goal, points, edge):
    cell = (points * torch.tensor(edge / S, dtype=torch.float32)).long().clamp(0, edge - 1)
    index = (cell[:, 1] * edge + cell[:, 0]).to(device)
    similar = sum(a[index] @ b.T for a, b in zip(source, goal)) / len(source)
    best = similar.argmax(dim=1)
    steps = torch.arange(edge, device=device)
    w = how["window"]
    near_y = (steps[None] - (best // edge)[:, None]).abs() <= w
    near_x = (steps[None] - (best % edge)[:, None]).abs() <= w
    mask = (near_y[:, :, None] & near_x[:, None, :]).reshape(len(points), -1)
    weight = ((similar * mask) / how["temperature"]).softmax(dim=1).reshape(-1, edge, edge)
    x = (weight.sum(dim=1) * steps).sum(dim=1).clamp(0, edge - 1)
    y = (weight.sum(dim=2) * steps).sum(dim=1).clamp(0, edge - 1)
    stride = S / edge
    return torch.stack([x, y], dim=1).cpu() * stride + stride // 2


def pair_score(pair):
    category = pair["category"]
    names = [os.path.splitext(pair[f"{s}_imname"])[0] for s in ("src", "trg")]
    marks = []
    for name in names:
        with open(f"{settings.SPAIR}/ImageAnnotation/{category}/{name}.json", encoding="utf-8") as f:
            marks.append(json.load(f)["kps"])
    both = [k for k, v in marks[0].items() if v and marks[1].get(k)]
    if not both:
        t.fail("data", f"{category}: {names} share no key point")
    sizes = [pair["src_imsize"], pair["trg_imsize"]]
    points = [to_square([m[k] for k in both], *size[:2]) for m, size in zip(marks, sizes)]
    (source, edge), (goal, _) = tokens(category, names[0]), tokens(category, names[1])
    width, height = sizes[1][:2]
    x1, y1, x2, y2 = pair["trg_bndbox"]
    if how["geometry"] == "stretch_both":
        box = max((x2 - x1) * S / width, (y2 - y1) * S / height)
    else:
        box = max(x2 - x1, y2 - y1) * (S / max(width, height))
    error = (predict(source, goal, points[0], edge) - points[1]).norm(dim=1)
    return (error < how["alpha"] * box).float().mean().item()


if how["arith"] != "fp32":
    t.fail("data", "this script computes in fp32; set scores.c.arith = \"fp32\"")
pairs = sorted(glob.glob(f"{settings.SPAIR}/PairAnnotation/{split}/*.json"))
if not pairs:
    t.fail("data", f"no pairs below {settings.SPAIR}/PairAnnotation/{split}")
total = 0.0
with torch.no_grad():
    for path in pairs:
        with open(path, encoding="utf-8") as f:
            total += pair_score(json.load(f))
t.done(metrics={"c": 100 * total / len(pairs)})
