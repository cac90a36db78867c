#!/usr/bin/env python3
"""published.json: what the checkpoints that people have are like, without their weights.

    make_published.py        (made with transformers 4.52.4, torch 2.7.1; environment as in make.py)

PUBLISHED holds config.json and preprocessor_config.json of well-known repositories, with the keys that decide anything and
those that are odd about them (sizes said twice, a processor by its old name, a size that is a number). What follows from them
comes out of transformers: names and shapes of the tensors in model.safetensors (of the class that was published, so with text
halves and heads), the vision encoder's sizes, and what the processor makes of a plain picture. Numbers of layers in names are
written {}, with how many there are."""
import json
import os
import re

import numpy as np
import torch
import transformers
from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))
CLIP_MEAN, CLIP_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]


def old_clip(edge, **more):
    return {"crop_size": edge, "do_center_crop": True, "do_normalize": True, "do_resize": True,
            "feature_extractor_type": "CLIPFeatureExtractor", "image_mean": CLIP_MEAN, "image_std": CLIP_STD,
            "resample": 3, "size": edge, **more}


def siglip(edge, resample=3):
    return {"do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3,
            "image_processor_type": "SiglipImageProcessor", "processor_class": "SiglipProcessor", "resample": resample,
            "rescale_factor": 0.00392156862745098, "size": {"height": edge, "width": edge}}


BIT = {"crop_size": {"height": 224, "width": 224}, "do_center_crop": True, "do_convert_rgb": True, "do_normalize": True,
       "do_rescale": True, "do_resize": True, "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225],
       "image_processor_type": "BitImageProcessor", "resample": 3, "rescale_factor": 0.00392156862745098,
       "size": {"shortest_edge": 256}}


def clip(width, mlp, heads, layers, image, text, projection, twin, **act):
    vision = {"hidden_size": width, "intermediate_size": mlp, "num_attention_heads": heads, "num_hidden_layers": layers,
              "image_size": image, "patch_size": 14, "layer_norm_eps": 1e-5, "attention_dropout": 0.0,
              "model_type": "clip_vision_model", "hidden_act": "quick_gelu", **act}
    return {"architectures": ["CLIPModel"], "model_type": "clip", "projection_dim": projection,
            "logit_scale_init_value": 2.6592, "text_config": {**text, "model_type": "clip_text_model", **act},
            "text_config_dict": {**text, **act}, "vision_config": vision,
            "vision_config_dict": {**{k: vision[k] for k in twin}, **act}, "torch_dtype": "float32"}


def dino(architecture, model_type, width, heads, layers, **more):
    return {"architectures": [architecture], "attention_probs_dropout_prob": 0.0, "drop_path_rate": 0.0, "hidden_act": "gelu",
            "hidden_dropout_prob": 0.0, "hidden_size": width, "image_size": 518, "initializer_range": 0.02,
            "layer_norm_eps": 1e-6, "layerscale_value": 1.0, "mlp_ratio": 4, "model_type": model_type,
            "num_attention_heads": heads, "num_channels": 3, "num_hidden_layers": layers, "patch_size": 14, "qkv_bias": True,
            "torch_dtype": "float32", "use_swiglu_ffn": False, **more}


TEXT_L = {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12, "num_hidden_layers": 12,
          "projection_dim": 768}
TEXT_H = {"hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16, "num_hidden_layers": 24}
SIZES = ["hidden_size", "intermediate_size", "num_attention_heads", "num_hidden_layers", "patch_size"]
SO400M = {"hidden_size": 1152, "image_size": 384, "intermediate_size": 4304, "model_type": "siglip_vision_model",
          "num_attention_heads": 16, "num_hidden_layers": 27, "patch_size": 14}
SO400M_TEXT = {"hidden_size": 1152, "intermediate_size": 4304, "model_type": "siglip_text_model", "num_attention_heads": 16,
               "num_hidden_layers": 27}
LARGE = {"hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16, "num_hidden_layers": 24}

# name: config.json, preprocessor_config.json, tensors that older releases of transformers wrote too, files
PUBLISHED = {
    "openai/clip-vit-large-patch14": (
        clip(1024, 4096, 16, 24, 224, TEXT_L, 768, SIZES), old_clip(224), {"text_model": 77, "vision_model": 257}, 1),
    "openai/clip-vit-large-patch14-336": (
        clip(1024, 4096, 16, 24, 336, TEXT_L, 768, SIZES + ["image_size"]), old_clip(336),
        {"text_model": 77, "vision_model": 577}, 1),
    "laion/CLIP-ViT-L-14-laion2B-s32B-b82K": (
        clip(1024, 4096, 16, 24, 224, TEXT_L, 768, SIZES, hidden_act="gelu"), old_clip(224),
        {"text_model": 77, "vision_model": 257}, 1),
    "laion/CLIP-ViT-H-14-laion2B-s32B-b79K": (
        clip(1280, 5120, 16, 32, 224, TEXT_H, 1024, SIZES, hidden_act="gelu"), old_clip(224),
        {"text_model": 77, "vision_model": 257}, 2),
    "google/siglip-base-patch16-224": (
        {"architectures": ["SiglipModel"], "initializer_factor": 1.0, "model_type": "siglip", "torch_dtype": "float32",
         "text_config": {"model_type": "siglip_text_model"}, "vision_config": {"model_type": "siglip_vision_model"}},
        siglip(224), {}, 1),
    "google/siglip-large-patch16-384": (
        {"architectures": ["SiglipModel"], "model_type": "siglip", "text_config": {**LARGE, "model_type": "siglip_text_model"},
         "vision_config": {**LARGE, "image_size": 384, "model_type": "siglip_vision_model"}}, siglip(384), {}, 1),
    "google/siglip-so400m-patch14-384": (
        {"architectures": ["SiglipModel"], "model_type": "siglip", "text_config": SO400M_TEXT, "vision_config": SO400M},
        siglip(384), {}, 1),
    "google/siglip2-so400m-patch14-384": (
        {"architectures": ["SiglipModel"], "model_type": "siglip", "text_config": {**SO400M_TEXT, "vocab_size": 256000},
         "vision_config": SO400M}, siglip(384, resample=2), {}, 1),
    "facebook/dinov2-large": (dino("Dinov2Model", "dinov2", 1024, 16, 24), BIT, {}, 1),
    "facebook/dinov2-giant": (dino("Dinov2Model", "dinov2", 1536, 24, 40, use_swiglu_ffn=True), BIT, {}, 1),
    "facebook/dinov2-with-registers-large": (
        dino("Dinov2WithRegistersModel", "dinov2_with_registers", 1024, 16, 24, num_register_tokens=4, apply_layernorm=True,
             reshape_hidden_states=True, out_features=["stage24"], out_indices=[24]), BIT, {}, 1),
}


def collapse(shapes):
    found = {}
    for name, shape in shapes.items():
        pattern = re.sub(r"\.\d+\.", ".{}.", name)
        kept, n = found.setdefault(pattern, (shape, 0))
        assert kept == shape and pattern.count("{}") <= 1, name
        found[pattern] = (shape, n + 1)
    return [[k, shape, n if "{}" in k else 0] for k, (shape, n) in sorted(found.items())]


def vision_class(config):
    return {"clip": "CLIPVisionModel", "siglip": "SiglipVisionModel"}.get(config["model_type"], config["architectures"][0])


def describe(config, extra):
    whole, half = getattr(transformers, config["architectures"][0]), getattr(transformers, vision_class(config))
    c = whole.config_class.from_dict(config)
    vision = getattr(c, "vision_config", c)
    with torch.device("meta"):
        shapes = {k: list(v.shape) for k, v in whole(c).state_dict().items()}
        encoder = half(vision)
    used = sum(p.numel() for n, p in encoder.named_parameters() if ".head." not in n and "mask_token" not in n)
    for part, n in extra.items():
        shapes[part + ".embeddings.position_ids"] = [1, n]
    keys = ("hidden_size", "num_hidden_layers", "num_attention_heads", "image_size", "patch_size", "hidden_act",
            "layer_norm_eps", "num_register_tokens", "use_swiglu_ffn")
    return {"parameters": used, "tensors": collapse(shapes), **{k: getattr(vision, k) for k in keys if hasattr(vision, k)}}


def prepare(preprocessor):
    """Size and first pixel of a plain picture, wider than high."""
    name = preprocessor.get("image_processor_type", "CLIPImageProcessor")
    picture = Image.fromarray(np.full((300, 500, 3), (200, 100, 50), dtype=np.uint8))
    made = getattr(transformers, name).from_dict(preprocessor)(picture, return_tensors="np")["pixel_values"][0]
    return {"height": made.shape[1], "width": made.shape[2], "pixel": [float(made[c, 0, 0]) for c in range(3)]}


def main():
    assert (transformers.__version__, torch.__version__.split("+")[0]) == ("4.52.4", "2.7.1")
    out = [{"name": name, "config": config, "preprocessor": preprocessor, "files": files, "encoder": describe(config, extra),
            "prepared": prepare(preprocessor)} for name, (config, preprocessor, extra, files) in PUBLISHED.items()]
    with open(os.path.join(HERE, "published.json"), "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(x) for x in out) + "\n]\n")


if __name__ == "__main__":
    main()
