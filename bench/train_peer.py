"""The model and steps of bench/train.py in plain PyTorch, as LLaVA's code does them: the encoder under no_grad, every
picture's tokens through the connector, blocks of the decoder under torch.utils.checkpoint, logits of every token, AdamW.

    python3 train_peer.py PLAN.json

Prints {"tokens", "seconds"} of each step as a line. Works from torch 1.13 on."""
import json
import math
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint


class Vit(nn.Module):
    """CLIP's up to the last block but one."""

    def __init__(self, c):
        super().__init__()
        w, self.heads, self.patch = c["hidden_size"], c["num_attention_heads"], c["patch_size"]
        self.embed = nn.Conv2d(3, w, self.patch, self.patch, bias=False)
        self.cls = nn.Parameter(torch.zeros(w))
        self.pos = nn.Parameter(torch.zeros((c["image_size"] // self.patch) ** 2 + 1, w))
        self.pre = nn.LayerNorm(w)
        self.blocks = nn.ModuleList(nn.ModuleList([
            nn.LayerNorm(w), nn.Linear(w, w), nn.Linear(w, w), nn.Linear(w, w), nn.Linear(w, w), nn.LayerNorm(w),
            nn.Linear(w, c["intermediate_size"]), nn.Linear(c["intermediate_size"], w)]) for _ in range(c["num_hidden_layers"] - 1))

    def forward(self, x):
        x = self.embed(x).flatten(2).transpose(1, 2)
        x = self.pre(torch.cat([self.cls.expand(len(x), 1, -1), x], 1) + self.pos)
        for n1, q, k, v, o, n2, up, down in self.blocks:
            h = n1(x)
            x = x + o(merge(attend(*(split(p(h), self.heads) for p in (q, k, v)), None)))
            h = up(n2(x))
            x = x + down(h * torch.sigmoid(1.702 * h))
        return x[:, 1:]


def split(x, heads):
    return x.view(*x.shape[:2], heads, -1).transpose(1, 2)


def merge(x):
    return x.transpose(1, 2).flatten(2)


def attend(q, k, v, mask):
    if hasattr(F, "scaled_dot_product_attention"):
        return F.scaled_dot_product_attention(q, k, v, is_causal=mask is not None)
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    return torch.softmax(scores if mask is None else scores + mask, -1) @ v


class Norm(nn.Module):
    def __init__(self, w):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(w))

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5))


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        w, m, self.heads = c["hidden_size"], c["intermediate_size"], c["num_attention_heads"]
        self.n1, self.n2 = Norm(w), Norm(w)
        self.q, self.k, self.v, self.o = (nn.Linear(w, w, bias=False) for _ in range(4))
        self.gate, self.up, self.down = nn.Linear(w, m, bias=False), nn.Linear(w, m, bias=False), nn.Linear(m, w, bias=False)

    def forward(self, x, cos, sin, mask):
        def rope(t):
            a, b = t.chunk(2, -1)
            return t * cos + torch.cat([-b, a], -1) * sin
        h = self.n1(x)
        q, k, v = (split(p(h), self.heads) for p in (self.q, self.k, self.v))
        x = x + self.o(merge(attend(rope(q), rope(k), v, mask)))
        h = self.n2(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


class Llava(nn.Module):
    def __init__(self, vit, llm):
        super().__init__()
        self.c, w = llm, llm["hidden_size"]
        self.vit = Vit(vit).requires_grad_(False)
        self.connector = nn.Sequential(nn.Linear(vit["hidden_size"], w), nn.GELU(), nn.Linear(w, w))
        self.embed, self.norm = nn.Embedding(llm["vocab_size"], w), Norm(w)
        self.blocks = nn.ModuleList(Block(llm) for _ in range(llm["num_hidden_layers"]))
        self.head = nn.Linear(w, llm["vocab_size"], bias=False)

    def forward(self, pixels, ids, labels):
        """A picture before the text of every row: (B,3,S,S), (B,T), (B,T)."""
        with torch.no_grad():
            features = self.vit(pixels)
        x = torch.cat([self.connector(features), self.embed(ids)], 1)
        n, d = x.shape[1], self.c["hidden_size"] // self.c["num_attention_heads"]
        angle = torch.outer(torch.arange(n), 1e4 ** (-torch.arange(0, d, 2) / d)).repeat(1, 2)
        mask = torch.full((n, n), -math.inf).triu(1)
        for block in self.blocks:
            x = checkpoint(block, x, angle.cos(), angle.sin(), mask, use_reentrant=False)
        logits = self.head(self.norm(x)).float()
        labels = torch.cat([torch.full((len(ids), features.shape[1]), -100), labels], 1)
        return F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten()), x.shape[0] * n


def main():
    with open(sys.argv[1]) as f:
        plan = json.load(f)
    torch.set_num_threads(plan["threads"])
    torch.manual_seed(1)
    model = Llava(plan["vit"], plan["llm"])
    if plan["stage"] == 1:
        for part in (model.embed, model.blocks, model.norm, model.head):
            part.requires_grad_(False)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4, weight_decay=0)
    size, micro, text = plan["vit"]["image_size"], plan["micro"], plan["text"]
    for _ in range(plan["steps"]):
        began, tokens = time.monotonic(), 0
        for _ in range(plan["batch"] // micro):
            ids = torch.randint(0, 400, (micro, text))
            labels = torch.where(torch.arange(text) < plan["masked"], torch.tensor(-100), ids)
            loss, n = model(torch.randn(micro, 3, size, size), ids, labels)
            (loss * micro / plan["batch"]).backward()
            tokens += n
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        print(json.dumps({"tokens": tokens, "seconds": time.monotonic() - began}), flush=True)


if __name__ == "__main__":
    main()
