#!/usr/bin/env python3
"""What `acsweep extract` must write: pictures through the reference's processors and models, from file to hidden state.

    python3 -m venv V && V/bin/pip install torch==2.7.1 transformers==4.52.4 safetensors pillow==12.1.1 'numpy<2.4'
    V/bin/python tests/golden/extract/make.py

Encoders are those of tests/golden/vit, to which a preprocessor_config.json is written here, under the encoder's name. Pictures
are lossless ones of tests/golden/images, so no decoder's version matters. expected.safetensors holds CASE/PICTURE, float32;
cases.json says for each case which encoder, which pictures and which options of the command. The geometries of the C score
are done here with Pillow and numpy, step by step; everything else is done by transformers (eager attention, on the CPU).
"""
import json
import os

import numpy as np
import PIL
import torch
import transformers
from PIL import Image
from safetensors.torch import save_file

HERE = os.path.dirname(os.path.abspath(__file__))
VIT = os.path.join(HERE, "..", "vit")
PICTURES = os.path.join(HERE, "..", "images", "pictures")
MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
t = transformers


def clip_processor(size):
    return t.CLIPImageProcessor(size={"shortest_edge": size}, crop_size={"height": size, "width": size})


# class, processor, pixels, tokens before those of the patches, the last norm
ENCODERS = {
    "clip224": (t.CLIPVisionModel, clip_processor(28), 28, 1, lambda m: m.vision_model.post_layernorm),
    "clip336": (t.CLIPVisionModel, clip_processor(42), 42, 1, lambda m: m.vision_model.post_layernorm),
    "siglip": (t.SiglipVisionModel, t.SiglipImageProcessor(size={"height": 30, "width": 30}), 30, 0,
               lambda m: m.vision_model.post_layernorm),
    "dinov2_registers": (t.Dinov2WithRegistersModel,
                         t.BitImageProcessor(size={"shortest_edge": 40}, crop_size={"height": 35, "width": 35},
                                             image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225]),
                         35, 4, lambda m: m.layernorm),
}
FOUR = ["61x40.png", "rgb.png", "grey.png", "alpha_lossless.webp"]
CASES = {
    "plain": ("clip224", FOUR, {}),
    "embeddings": ("clip224", FOUR[:1], {"layer": 0}),
    "class": ("clip224", FOUR[:1], {"layer": -1, "all-tokens": True}),
    "shards": ("clip336", FOUR[:2], {"layer": 2}),
    "final": ("siglip", FOUR[:2], {"layer": -1, "final-norm": True}),
    "registers": ("dinov2_registers", FOUR[:2], {"layer": -1, "final-norm": True, "all-tokens": True}),
    "letterbox": ("clip336", FOUR, {"geometry": "letterbox"}),
    "stretch_mismatch": ("clip336", FOUR[:2], {"geometry": "stretch_mismatch"}),
    "stretch_both": ("dinov2_registers", FOUR[:2], {"geometry": "stretch_both"}),
}


def letterbox(im, edge):
    long, short = max(im.size), min(im.size)
    small = max(1, round(edge * short / long))  # half to even
    size = (edge, small) if im.width >= im.height else (small, edge)
    out = Image.new("RGB", (edge, edge))
    out.paste(im.resize(size, Image.BICUBIC), ((edge - size[0]) // 2, (edge - size[1]) // 2))
    return out


def square(im, geometry, edge, processor):
    im = letterbox(im, edge) if geometry == "letterbox" else im.resize((edge, edge), Image.BICUBIC)
    x = np.asarray(im).astype(np.float64) / 255
    if geometry == "stretch_mismatch":
        x = (x - 0.5) * 2
    else:
        x = (x - np.array(processor.image_mean)) / np.array(processor.image_std)
    return torch.tensor(x.transpose(2, 0, 1)[None].astype(np.float32))


def pixels(picture, options, edge, processor):
    im = Image.open(os.path.join(PICTURES, picture)).convert("RGB")
    geometry = options.get("geometry")
    return square(im, geometry, edge, processor) if geometry else processor(im, return_tensors="pt")["pixel_values"]


def run(name, pictures, options):
    cls, processor, edge, prefix, norm = ENCODERS[name]
    model = cls.from_pretrained(os.path.join(VIT, name), torch_dtype=torch.float32, attn_implementation="eager").eval()
    for picture in pictures:
        with torch.no_grad():
            states = model(pixel_values=pixels(picture, options, edge, processor), output_hidden_states=True).hidden_states
            x = states[options.get("layer", -2)]
            x = norm(model)(x) if options.get("final-norm") else x
        yield picture, x[0, 0 if options.get("all-tokens") else prefix:].contiguous()


def main():
    for name, (_, processor, *_) in ENCODERS.items():
        os.makedirs(os.path.join(HERE, name), exist_ok=True)
        processor.save_pretrained(os.path.join(HERE, name))
    out, cases = {}, []
    for case, (name, pictures, options) in CASES.items():
        cases.append({"case": case, "encoder": name, "pictures": pictures, "options": options})
        for picture, x in run(name, pictures, options):
            out[f"{case}/{picture}"] = x
    versions = {"torch": torch.__version__, "transformers": t.__version__, "pillow": PIL.__version__}
    save_file(out, os.path.join(HERE, "expected.safetensors"), versions)
    with open(os.path.join(HERE, "cases.json"), "w") as f:
        json.dump(cases, f, indent=1)
        f.write("\n")


main()
