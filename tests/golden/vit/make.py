#!/usr/bin/env python3
"""Small random checkpoints of Hugging Face's vision models, and what those models compute from them.

    make.py            every checkpoint, its expected/ states, and configs.json     (made with transformers 4.52.4, torch 2.7.1)
    make.py --offset   only expected/dinov2*.offset0.1.safetensors, whose positions
                       are stretched as older releases did                          (made with transformers 4.38.2, torch 2.7.1)

    python3 -m venv V && V/bin/pip install torch==2.7.1 transformers==4.52.4 safetensors
    python3 -m venv W && W/bin/pip install torch==2.7.1 transformers==4.38.2 safetensors 'numpy<2'

Nothing here computes a forward pass by itself: all numbers come out of transformers' modules, on the CPU in float32, with
eager attention. A file of expected states holds for each picture size HxW: HxW.pixels (B,3,H,W), HxW.hidden.K (B,N,D) for
K = 0..layers, HxW.final (the last hidden state under the model's last norm). Weights, biases, gains and scales are all
drawn at random, because the values that models start with (0 and 1) hide mistakes.
"""
import argparse
import json
import os
import shutil

import torch
import transformers
from safetensors.torch import save_file

HERE = os.path.dirname(os.path.abspath(__file__))
MOST_BYTES = 300_000


def randomise(model, seed):
    """Every tensor at random: matrices of unit gain, vectors around the value they stand for."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            r = torch.randn(p.shape, generator=g)
            if name.endswith("lambda1"):
                p.copy_(0.6 + 0.3 * r)
            elif "norm" in name and name.endswith("weight"):
                p.copy_(1 + 0.2 * r)
            elif p.dim() <= 1 or "token" in name or "position" in name or "class_embedding" in name:
                p.copy_(0.3 * r)
            else:
                p.copy_(r / p[0].numel() ** 0.5)


def bytes_of(path):
    return sum(os.path.getsize(os.path.join(path, f)) for f in os.listdir(path))


def save(model, name, dtype, **kwargs):
    path = os.path.join(HERE, name)
    shutil.rmtree(path, ignore_errors=True)
    model.to(dtype).save_pretrained(path, **kwargs)
    assert bytes_of(path) < MOST_BYTES, (name, bytes_of(path))
    return path


def pixels(batch, size, seed):
    """Rounded to half precision, so that half the bytes hold them exactly."""
    g = torch.Generator().manual_seed(seed)
    return torch.randn((batch, 3, *size), generator=g).half()


def states(model, x, **kwargs):
    with torch.no_grad():
        out = model(pixel_values=x.float(), output_hidden_states=True, **kwargs)
    return out


def expected(path, cls, sizes, suffix="", norm=None, kwargs=lambda native: {}):
    """Run the checkpoint that was saved, as its class reads it."""
    model = cls.from_pretrained(path, torch_dtype=torch.float32, attn_implementation="eager").eval()
    out = {}
    for i, (batch, size) in enumerate(sizes):
        x = pixels(batch, size, 100 + i)
        key = "%dx%d" % size
        result = states(model, x, **kwargs(i == 0))
        out[key + ".pixels"] = x
        for k, h in enumerate(result.hidden_states):
            out["%s.hidden.%d" % (key, k)] = h.contiguous()
        with torch.no_grad():
            final = norm(model)(result.hidden_states[-1])
        if norm is not post_norm_of_clip:
            assert torch.equal(final, result.last_hidden_state)
        out[key + ".final"] = final.contiguous()
    os.makedirs(os.path.join(HERE, "expected"), exist_ok=True)
    file = os.path.join(HERE, "expected", os.path.basename(path) + suffix + ".safetensors")
    save_file(out, file, {"transformers": transformers.__version__, "torch": torch.__version__})
    assert os.path.getsize(file) < MOST_BYTES, (file, os.path.getsize(file))


def post_norm_of_clip(model):
    return model.vision_model.post_layernorm


def post_norm_of_siglip(model):
    return model.vision_model.post_layernorm


def norm_of_dinov2(model):
    return model.layernorm


SMALL = dict(hidden_size=32, num_hidden_layers=3, num_attention_heads=4, patch_size=7)


def stretched(native):
    return {} if native else {"interpolate_pos_encoding": True}


def make_clip():
    t = transformers
    # As clip-vit-large-patch14: the vision half alone. A grid of 4 stands for 224's of 16.
    c = t.CLIPVisionConfig(**SMALL, intermediate_size=64, image_size=28)
    m = t.CLIPVisionModel(c)
    randomise(m, 1)
    expected(save(m, "clip224", torch.float32), t.CLIPVisionModel, [(2, (28, 28))], norm=post_norm_of_clip)
    # As clip-vit-large-patch14-336: a whole CLIPModel, in half precision and several files. A grid of 6 stands for 24.
    text = dict(vocab_size=40, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
                max_position_embeddings=8, bos_token_id=0, eos_token_id=1, pad_token_id=1)
    vision = dict(**SMALL, intermediate_size=64, image_size=42)
    m = t.CLIPModel(t.CLIPConfig(text_config=text, vision_config=vision, projection_dim=16))
    randomise(m, 2)
    path = save(m, "clip336", torch.float16, max_shard_size="40KB")
    expected(path, t.CLIPVisionModel, [(1, (42, 42)), (1, (28, 49))], norm=post_norm_of_clip, kwargs=stretched)
    # OpenCLIP's as laion publishes it: a CLIPModel with another activation.
    m = t.CLIPModel(t.CLIPConfig(text_config=dict(text, hidden_act="gelu"),
                                 vision_config=dict(vision, image_size=28, hidden_act="gelu"), projection_dim=16))
    randomise(m, 3)
    path = save(m, "openclip", torch.float32)
    expected(path, t.CLIPVisionModel, [(2, (28, 28)), (1, (42, 42))], norm=post_norm_of_clip, kwargs=stretched)


def make_siglip():
    t = transformers
    # 30 pixels in patches of 7, as 384 in patches of 14: the rest at the edges is not seen.
    c = t.SiglipVisionConfig(**SMALL, intermediate_size=72, image_size=30)
    m = t.SiglipVisionModel(c)
    randomise(m, 4)
    path = save(m, "siglip", torch.bfloat16)
    expected(path, t.SiglipVisionModel, [(2, (30, 30)), (1, (42, 35))], norm=post_norm_of_siglip, kwargs=stretched)


# A grid of 5 was trained; 4, 7 and 6x3 are asked for, and 25 patches that are no square.
DINOV2_SIZES = [(2, (35, 35)), (1, (28, 28)), (1, (49, 49)), (1, (42, 21)), (1, (35, 38))]


def make_dinov2():
    t = transformers
    small = dict(SMALL, image_size=35)
    m = t.Dinov2Model(t.Dinov2Config(**small, mlp_ratio=2))
    randomise(m, 5)
    expected(save(m, "dinov2", torch.float32), t.Dinov2Model, DINOV2_SIZES, norm=norm_of_dinov2)
    # As dinov2-giant: SwiGLU.
    m = t.Dinov2Model(t.Dinov2Config(**small, mlp_ratio=3, use_swiglu_ffn=True, qkv_bias=False))
    randomise(m, 6)
    path = save(m, "dinov2_swiglu", torch.float16)
    expected(path, t.Dinov2Model, DINOV2_SIZES[:2], norm=norm_of_dinov2)
    for name, swiglu, seed in (("dinov2_registers", False, 7), ("dinov2_registers_swiglu", True, 8)):
        c = t.Dinov2WithRegistersConfig(**small, mlp_ratio=2, use_swiglu_ffn=swiglu, num_register_tokens=3)
        m = t.Dinov2WithRegistersModel(c)
        randomise(m, seed)
        path = save(m, name, torch.bfloat16)
        expected(path, t.Dinov2WithRegistersModel, DINOV2_SIZES[:3], norm=norm_of_dinov2)


def make_offset():
    path = os.path.join(HERE, "dinov2")
    expected(path, transformers.Dinov2Model, DINOV2_SIZES, ".offset0.1", norm=norm_of_dinov2)
    path = os.path.join(HERE, "dinov2_swiglu")
    expected(path, transformers.Dinov2Model, DINOV2_SIZES[:2], ".offset0.1", norm=norm_of_dinov2)


# What transformers makes of files that leave keys out, as published ones do.
CONFIGS = [
    {"model_type": "clip_vision_model"},
    {"model_type": "clip", "vision_config": {"hidden_size": 1024, "num_attention_heads": 16, "patch_size": 14}},
    {"model_type": "clip", "vision_config": {"hidden_act": "gelu", "num_hidden_layers": 24}, "vision_config_dict": None},
    {"model_type": "siglip", "vision_config": {"model_type": "siglip_vision_model"}},
    {"model_type": "siglip", "vision_config": {"image_size": 384, "patch_size": 14, "layer_norm_eps": 1e-5}},
    {"model_type": "siglip_vision_model", "intermediate_size": 4304, "hidden_size": 1152, "num_attention_heads": 16},
    {"model_type": "dinov2"},
    {"model_type": "dinov2", "hidden_size": 1536, "num_attention_heads": 24, "mlp_ratio": 4, "use_swiglu_ffn": True,
     "image_size": 518, "patch_size": 14},
    {"model_type": "dinov2_with_registers", "hidden_size": 384, "num_attention_heads": 6, "qkv_bias": False},
]


def effective(config):
    vision = {"clip": transformers.CLIPVisionConfig, "siglip": transformers.SiglipVisionConfig}
    cls = vision.get(config["model_type"])
    c = cls.from_dict(config["vision_config"]) if cls else transformers.AutoConfig.for_model(**config)
    names = ["hidden_size", "num_hidden_layers", "num_attention_heads", "num_channels", "image_size", "patch_size",
             "hidden_act", "layer_norm_eps", "intermediate_size", "qkv_bias", "use_swiglu_ffn", "num_register_tokens"]
    out = {n: getattr(c, n) for n in names if hasattr(c, n)}
    if not hasattr(c, "intermediate_size"):  # as the module that is built from it
        cls = transformers.models.dinov2.modeling_dinov2
        mlp = (cls.Dinov2SwiGLUFFN if c.use_swiglu_ffn else cls.Dinov2MLP)(c)
        out["intermediate_size"] = (mlp.weights_out if c.use_swiglu_ffn else mlp.fc2).in_features
    return out


def make_configs():
    with open(os.path.join(HERE, "configs.json"), "w") as f:
        json.dump([{"config": c, "effective": effective(c)} for c in CONFIGS], f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--offset", action="store_true")
    if options.parse_args().offset:
        assert transformers.__version__ == "4.38.2", transformers.__version__
        make_offset()
    else:
        assert transformers.__version__ == "4.52.4", transformers.__version__
        make_clip()
        make_siglip()
        make_dinov2()
        make_configs()
