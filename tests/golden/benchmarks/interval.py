"""Confidence intervals of a benchmark's performance, said again in Python (worker/benchmark/interval.h has the sources):
BCa bootstrap over what is drawn independently, Wilson's interval for parts in which nothing varies."""
import math
from fractions import Fraction
from statistics import NormalDist

import reference as ref

DRAWS = 1999
Z = NormalDist().inv_cdf(0.975)
NORMAL = NormalDist()


def wilson(p, n):
    root = Z * math.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
    return (p + Z * Z / (2 * n) - root) / (1 + Z * Z / n), (p + Z * Z / (2 * n) + root) / (1 + Z * Z / n)


class SplitMix:
    """Steele, Lea, Flood 2014; below(n) from the upper half of 64 bits."""
    def __init__(self):
        self.state = 0

    def below(self, n):
        mask = (1 << 64) - 1
        x = self.state = (self.state + 0x9e3779b97f4a7c15) & mask
        x = ((x ^ (x >> 30)) * 0xbf58476d1ce4e5b9) & mask
        x = ((x ^ (x >> 27)) * 0x94d049bb133111eb) & mask
        return ((x ^ (x >> 31)) >> 32) * n >> 32


def worth(units):
    return sum(s for s, _ in units) / sum(w for _, w in units)


def bca(parts):
    """parts: lists of (sum, weight)."""
    value = sum(map(worth, parts))
    rng = SplitMix()
    draws = sorted(sum(worth([p[rng.below(len(p))] for _ in p]) for p in parts) for _ in range(DRAWS))
    below = sum(Fraction(1, 2) if math.isclose(d, value, rel_tol=1e-9, abs_tol=1e-9) else d < value for d in draws)
    z0 = NORMAL.inv_cdf(min(max(float(below), 0.5), DRAWS - 0.5) / DRAWS)
    influence = [(s - worth(p) * w) / sum(w for _, w in p) for p in parts for s, w in p]
    a = sum(i ** 3 for i in influence) / (6 * sum(i ** 2 for i in influence) ** 1.5)
    at = [(DRAWS + 1) * NORMAL.cdf(z0 + (z0 + z) / (1 - a * (z0 + z))) for z in (-Z, Z)]
    ends = max(math.floor(at[0] + 1e-9), 1), min(math.ceil(at[1] - 1e-9), DRAWS)
    return draws[ends[0] - 1], draws[ends[1] - 1]


def interval(parts, most):
    varying = [p for p in parts if any(abs(s / w - worth(p)) > 1e-9 * (1 + worth(p)) for s, w in p)]
    value = sum(map(worth, parts))
    estimates = [(worth(p), *(most * x for x in wilson(worth(p) / most, len(p)))) for p in parts if p not in varying]
    if varying:
        estimates.append((sum(map(worth, varying)), *bca(varying)))
    low = value - math.sqrt(sum((v - l) ** 2 for v, l, _ in estimates))
    high = value + math.sqrt(sum((h - v) ** 2 for v, _, h in estimates))
    return [max(low, 0), min(high, most * len(parts))]


def groups(questions):
    out = {}
    for i, q in enumerate(questions):
        out.setdefault(q.get("group", ("alone", i)), []).append(i)
    return list(out.values())


def parts_of(questions, scores, metric):
    """The units of each part, and the most that a part may be worth. Scores may be probabilities."""
    if metric in ("perception", "cognition"):
        subtasks = ref.PERCEPTION if metric == "perception" else ref.COGNITION
        parts = {}
        for a, b in groups(questions):
            if questions[a]["category"] in subtasks:
                points = 100 * (scores[a] + scores[b]) / 2 + 100 * scores[a] * scores[b]
                parts.setdefault(questions[a]["category"], []).append((points, 1))
        return list(parts.values()), 200
    if metric == "circular_accuracy":
        return [[(100 * math.prod(scores[i] for i in g), 1) for g in groups(questions)]], 100
    def weight(q):
        pictured = bool(ref.images_of(q)) if q["benchmark"] == "scienceqa" else q.get("media") != "video"
        return {"image_accuracy": pictured, "video_accuracy": not pictured,
                "pooled_accuracy": 1 + pictured}.get(metric, 1)
    units = [(sum(100 * scores[i] * weight(questions[i]) for i in g), sum(weight(questions[i]) for i in g))
             for g in groups(questions)]
    return [[u for u in units if u[1]]], 100


def guessed(q):
    if q["benchmark"] == "mme":
        return 0.5
    return 1 / len(ref.options_of(q)) if ref.options_of(q) else 0


METRICS = {"mmbench": ("circular_accuracy", "accuracy"), "mme": ("perception", "cognition", "accuracy"),
           "scienceqa": ("accuracy", "image_accuracy", "pooled_accuracy"),
           "seed": ("accuracy", "image_accuracy", "video_accuracy"), "mmmu": ("accuracy",)}


def intervals(questions, said):
    """metric -> [low, high, what guessing is worth or null]"""
    name, out = questions[0]["benchmark"], {}
    scores = [ref.JUDGES[name](q, a)[0] for q, a in zip(questions, said)]
    for metric in METRICS.get(name, ("vqa",)):
        luck, _ = parts_of(questions, [guessed(q) for q in questions], metric)
        out[metric] = interval(*parts_of(questions, scores, metric)) + [sum(map(worth, luck)) if name in METRICS else None]
    return out
