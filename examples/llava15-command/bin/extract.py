#!/usr/bin/env python3
"""Features of one encoder on the images of SPair-71k, by the authors' own tower classes: out/features/CAT/NAME.pt, [C,H,W]."""
import glob
import os
import sys

import settings
from task import Task

t = Task()
sys.path.insert(0, settings.LLAVA)
import torch  # noqa: E402
from PIL import Image  # noqa: E402
from torchvision.transforms.functional import pil_to_tensor  # noqa: E402

encoder = t.parameters["encoder"]
options = encoder["options"]
side = encoder["resolution"]
checkpoint = t.names["checkpoint"]
tower_id = t.look_up(settings.TOWER, checkpoint, "TOWER")
diffusion = "block" in options


class Arguments:
    mm_vision_select_layer = options.get("layer", t.parameters["layer"])


def load():
    base = "llava.model.multimodal_encoder."
    if diffusion:
        from importlib import import_module
        module, name = {"sd-im": ("dift_imsd", "IMSDFeaturizer"), "dit-xl": ("dift_dit", "DiTFeaturizer"),
                        "sd-3": ("dift_sd3", "SD3Featurizer")}.get(checkpoint, ("dift_sd", "SDFeaturizer"))
        featurizer = getattr(import_module(f"{base}diffLVLM.src.models.{module}"), name)
        return featurizer(sd_id=tower_id) if name == "SDFeaturizer" else featurizer()
    if checkpoint.startswith("dinov2"):
        from llava.model.multimodal_encoder.dinov2_encoder import DinoV2VisionTower as Tower
    elif checkpoint.startswith("siglip"):
        from llava.model.multimodal_encoder.siglip_encoder import SigLipVisionTower as Tower
    else:
        from llava.model.multimodal_encoder.clip_encoder import CLIPVisionTower as Tower
    return Tower(vision_tower=tower_id, args=Arguments())


def picture(path):
    image = Image.open(path).convert("RGB")
    if t.parameters["geometry"] == "letterbox":
        edge = max(image.size)
        square = Image.new("RGB", (edge, edge))
        square.paste(image, ((edge - image.width) // 2, (edge - image.height) // 2))
        image = square
    return (pil_to_tensor(image.resize((side, side), Image.BICUBIC)) / 255.0 - 0.5) * 2


def features(tower, x):
    if diffusion:
        f = tower.forward(x[None].to(torch.bfloat16), prompt=options.get("prompt", ""), ensemble_size=1).float()
    else:
        f = tower.forward(x[None].cuda()).float()
    f = f.reshape(f.shape[-3:]) if f.dim() > 3 else f
    if f.dim() == 3 and f.shape[0] == 1:  # [1, tokens, channels] -> [channels, H, W], row by row
        edge = round(f.shape[1] ** 0.5)
        f = f[0].T.reshape(f.shape[2], edge, edge)
    if f.shape[1] != f.shape[2]:
        t.fail("code", f"features of shape {tuple(f.shape)} are no square grid")
    return f.to(getattr(torch, {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}[t.parameters["dtype"]]))


torch.manual_seed(options.get("seed", 0))
model = load()
model.eval()
model.cuda()
files = sorted(glob.glob(f"{settings.SPAIR}/JPEGImages/*/*.jpg"))
part = t.parameters["images"]
chosen = files[part["first"]:part["first"] + part["count"]]
if len(chosen) != part["count"]:
    t.fail("data", f"{settings.SPAIR}: {len(files)} images, but this task is about {part['first']}+{part['count']}")
with torch.no_grad():
    for path in chosen:
        where = os.path.join(t.out, "features", os.path.basename(os.path.dirname(path)))
        os.makedirs(where, exist_ok=True)
        torch.save(features(model, picture(path)).cpu(), os.path.join(where, os.path.basename(path)[:-4] + ".pt"))
t.done(artifacts={"features": "features"})
