#!/usr/bin/env python3
"""The same ViT-L/14@224 in PyTorch with transformers, for comparison with gpu_vit on the same machine. Random weights."""
import sys
import time

import torch
from transformers import CLIPVisionConfig, CLIPVisionModel

device = "cpu" if "--cpu" in sys.argv else "cuda"
dtype = torch.float32 if device == "cpu" else torch.bfloat16
config = CLIPVisionConfig(hidden_size=1024, intermediate_size=4096, num_hidden_layers=24, num_attention_heads=16,
                          image_size=224, patch_size=14, hidden_act="quick_gelu")
model = CLIPVisionModel(config).to(device, dtype).eval()
if device == "cpu":
    torch.set_num_threads(1)


def wait():
    if device == "cuda":
        torch.cuda.synchronize()


print(f"PyTorch {torch.__version__}")
with torch.no_grad():
    for batch in (1, 8) if device == "cpu" else (1, 8, 32, 128, 256):
        pixels = torch.full((batch, 3, 224, 224), 0.1, device=device, dtype=dtype)
        model(pixels, output_hidden_states=True)
        wait()
        repeats = 1 if device == "cpu" else 20
        begin = time.monotonic()
        for _ in range(repeats):
            model(pixels, output_hidden_states=True).hidden_states[-2]
        wait()
        print(f"transformers ViT-L/14@224 {dtype}, batch {batch:3d}: {batch * repeats / (time.monotonic() - begin):8.1f} images/s"
              " (all 24 layers)")
