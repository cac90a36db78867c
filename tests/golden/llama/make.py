#!/usr/bin/env python3
"""Small random decoders of the LLaMA family, what Hugging Face's LlamaForCausalLM computes and generates from them, and
connectors as PyTorch makes and saves them.

    make.py            everything here                             (made with transformers 4.52.4, torch 2.7.1)

    python3 -m venv V && V/bin/pip install torch==2.7.1 transformers==4.52.4 safetensors sentencepiece pillow 'numpy<2'

Nothing here computes a forward pass by itself: all numbers come out of transformers' and PyTorch's modules, on the CPU in
float32, with eager attention. expected/NAME.safetensors holds ids (B,N) and lengths (B), padding on the right; logits
(B,N,V), whose rows behind a length say nothing; loss, the model's own for labels = ids without padding and without the
first LABELS_FROM tokens; and for each row b generated.b, the greedy continuation of its ids, ended by an end-of-sequence
token or after NEW tokens.
"""
import json
import os
import shutil

import torch
import transformers
from PIL import Image
from safetensors.torch import save_file

HERE = os.path.dirname(os.path.abspath(__file__))
MOST_BYTES = 300_000
NEW = 14
LABELS_FROM = 3


def randomise(model, seed):
    """Every tensor at random: matrices of unit gain, vectors around the value they stand for."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            r = torch.randn(p.shape, generator=g)
            if "norm" in name:
                p.copy_(1 + 0.2 * r)
            elif p.dim() == 1:
                p.copy_(0.3 * r)
            elif "embed" in name:
                p.copy_(r * 0.4)
            else:
                p.copy_(r * 1.1 / p[0].numel() ** 0.5)


def path_of(name):
    return os.path.join(HERE, name)


def check_size(path):
    total = sum(os.path.getsize(os.path.join(path, f)) for f in os.listdir(path))
    assert total < MOST_BYTES, (path, total)


def greedy(model, ids, use_cache):
    with torch.no_grad():
        out = model.generate(input_ids=ids[None], attention_mask=torch.ones_like(ids)[None], do_sample=False,
                             max_new_tokens=NEW, use_cache=use_cache, pad_token_id=0)
    return out[0, len(ids):].contiguous()


def expected(name, lengths, seed, use_cache=True):
    model = transformers.LlamaForCausalLM.from_pretrained(path_of(name), torch_dtype=torch.float32,
                                                          attn_implementation="eager").eval()
    g = torch.Generator().manual_seed(seed)
    n = max(lengths)
    ids = torch.randint(3, model.config.vocab_size, (len(lengths), n), generator=g)
    mask = torch.arange(n)[None] < torch.tensor(lengths)[:, None]
    ids = torch.where(mask, ids, 0)
    labels = torch.where(mask & (torch.arange(n)[None] >= LABELS_FROM), ids, -100)
    with torch.no_grad():
        result = model(input_ids=ids, attention_mask=mask.long(), labels=labels, use_cache=False)
    out = {"ids": ids, "lengths": torch.tensor(lengths), "labels": labels, "logits": result.logits.contiguous(),
           "loss": result.loss.reshape(1)}
    for b, length in enumerate(lengths):
        out[f"generated.{b}"] = greedy(model, ids[b, :length], use_cache)
    os.makedirs(path_of("expected"), exist_ok=True)
    file = path_of(f"expected/{name}.safetensors")
    save_file(out, file, {"transformers": transformers.__version__, "torch": torch.__version__})
    assert os.path.getsize(file) < MOST_BYTES, (file, os.path.getsize(file))
    return out


def set_eos(name, eos):
    """Choose what ends a text among what this model says, so that some rows end early."""
    for file in ("config.json", "generation_config.json"):
        with open(os.path.join(path_of(name), file)) as f:
            config = json.load(f)
        config["eos_token_id"] = eos
        with open(os.path.join(path_of(name), file), "w") as f:
            json.dump(config, f, indent=2)
            f.write("\n")


def as_vicuna_is_published(path):
    """Older files hold a constant of each layer too."""
    with open(os.path.join(path, "pytorch_model.bin.index.json")) as f:
        index = json.load(f)
    names = sorted(set(index["weight_map"].values()))
    shard = torch.load(os.path.join(path, names[0]), weights_only=True)
    for i in range(3):
        key = f"model.layers.{i}.self_attn.rotary_emb.inv_freq"
        shard[key] = torch.arange(4).float()
        index["weight_map"][key] = names[0]
    torch.save(shard, os.path.join(path, names[0]))
    with open(os.path.join(path, "pytorch_model.bin.index.json"), "w") as f:
        json.dump(index, f, indent=1)
        f.write("\n")


SMALL = dict(vocab_size=96, hidden_size=32, intermediate_size=56, num_hidden_layers=3, num_attention_heads=4,
             bos_token_id=1, eos_token_id=2, pad_token_id=0, rms_norm_eps=1e-5)
LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=16)

CASES = [
    # name, configuration, stored as, kwargs of save_pretrained, lengths, whether generate uses its cache
    ("vicuna", dict(max_position_embeddings=64), torch.float16,
     dict(safe_serialization=False, max_shard_size="40KB"), [11, 7, 9], True),
    ("grouped", dict(num_key_value_heads=2, max_position_embeddings=64, tie_word_embeddings=True), torch.float32,
     {}, [10, 12, 4], True),
    ("llama3", dict(num_key_value_heads=2, max_position_embeddings=128, rope_theta=500000.0, rope_scaling=LLAMA3),
     torch.bfloat16, dict(max_shard_size="40KB"), [40, 23], True),
    ("linear", dict(num_key_value_heads=1, head_dim=12, max_position_embeddings=16, attention_bias=True, mlp_bias=True,
                    rope_scaling=dict(rope_type="linear", factor=4.0)), torch.bfloat16, {}, [9, 30], True),
    # Here transformers keeps keys under the rotation of their time, so only its uncached answer is one of this model.
    ("dynamic", dict(max_position_embeddings=16, rope_scaling=dict(rope_type="dynamic", factor=2.0)), torch.bfloat16,
     {}, [24, 13], False),
]


def make_decoders():
    for seed, (name, config, dtype, kwargs, lengths, use_cache) in enumerate(CASES):
        shutil.rmtree(path_of(name), ignore_errors=True)
        model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**{**SMALL, **config}))
        randomise(model, seed)
        model.to(dtype).save_pretrained(path_of(name), **kwargs)
        if not kwargs.get("safe_serialization", True):
            as_vicuna_is_published(path_of(name))
        first = expected(name, lengths, 100 + seed, use_cache)
        eos = int(first["generated.1"][5])
        set_eos(name, eos if seed % 2 == 0 else [eos, 2])
        out = expected(name, lengths, 100 + seed, use_cache)
        assert len(out["generated.1"]) < NEW
        check_size(path_of(name))


def connector(d, width):
    return torch.nn.Sequential(torch.nn.Linear(d, width), torch.nn.GELU(), torch.nn.Linear(width, width))


def make_connector():
    torch.manual_seed(7)
    m = connector(24, 32)
    x = torch.randn(2, 5, 24)
    with torch.no_grad():
        y = m(x)
    state = {"model.mm_projector." + k: v for k, v in m.state_dict().items()}
    os.makedirs(path_of("connector"), exist_ok=True)
    torch.save(state, path_of("connector/mm_projector.bin"))
    half = {k: v.to(torch.bfloat16) for k, v in state.items()}
    torch.save(half, path_of("connector/half.bin"))
    save_file({**state, "x": x, "y": y}, path_of("expected/connector.safetensors"))


def make_grids():
    """Token grids of unequal size on one grid, as torch.nn.functional.interpolate makes them."""
    g = torch.Generator().manual_seed(11)
    out = {}
    parts = []
    for grid, d in ((4, 3), (6, 2), (3, 5)):
        x = torch.randn((2, grid * grid, d), generator=g)
        out[f"grid{grid}"] = x
        parts.append((grid, x))
    for target in (6, 4):
        resampled = []
        for grid, x in parts:
            if grid != target:
                m = x.transpose(1, 2).reshape(2, -1, grid, grid)
                m = torch.nn.functional.interpolate(m, size=(target, target), mode="bilinear", align_corners=False)
                x = m.flatten(2).transpose(1, 2)
            resampled.append(x)
        out[f"to{target}"] = torch.cat(resampled, -1).contiguous()
    save_file(out, path_of("expected/grids.safetensors"))


QUESTIONS = [
    # pictures, question, template
    (["61x40.png"], "What does the dog do?", "vicuna_v1"),
    (["rgb.png", "61x40.png"], "Here <image> and there <image>, which is larger?", "vicuna_v1"),
    (["grey.png"], "", "plain"),
    ([], "Tell me a story", "vicuna_v1"),
]
SYSTEM = ("A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, "
          "and polite answers to the user's questions.")


def look(pictures):
    """Two encoders of tests/golden/vit, hidden_states[-2] of their patches, on the finer one's grid: (I,25,64)."""
    t, parts = transformers, []
    for name, cls, processor_cls, prefix in (("clip224", t.CLIPVisionModel, t.CLIPImageProcessor, 1),
                                             ("dinov2_registers", t.Dinov2WithRegistersModel, t.BitImageProcessor, 4)):
        processor = processor_cls.from_pretrained(os.path.join(HERE, "..", "extract", name))
        model = cls.from_pretrained(os.path.join(HERE, "..", "vit", name), torch_dtype=torch.float32,
                                    attn_implementation="eager").eval()
        images = [Image.open(os.path.join(HERE, "..", "images", "pictures", p)).convert("RGB") for p in pictures]
        with torch.no_grad():
            out = model(processor(images, return_tensors="pt").pixel_values, output_hidden_states=True)
        tokens = out.hidden_states[-2][:, prefix:]
        grid = int(tokens.shape[1] ** 0.5)
        m = tokens.transpose(1, 2).reshape(len(pictures), -1, grid, grid)
        if grid != 5:
            m = torch.nn.functional.interpolate(m, size=(5, 5), mode="bilinear", align_corners=False)
        parts.append(m.flatten(2).transpose(1, 2))
    return torch.cat(parts, -1)


def prompt_of(pictures, question, template):
    if "<image>" not in question:
        question = ("<image>" if template == "plain" else "<image>\n") * len(pictures) + question
    return question if template == "plain" else f"{SYSTEM} USER: {question} ASSISTANT:"


def embed_prompt(model, projector, tokenizer, pictures, prompt):
    """Chunks of text are tokenised one by one, each with a BOS, of which the first stays; pictures stand between."""
    rows, features = [], look(pictures) if pictures else []
    with torch.no_grad():
        for i, chunk in enumerate(prompt.split("<image>")):
            if i > 0:
                rows.append(projector(features[i - 1]))
            ids = tokenizer(chunk).input_ids
            rows.append(model.get_input_embeddings()(torch.tensor(ids if i == 0 else ids[1:], dtype=torch.long)))
    return torch.cat(rows)[None]


def greedy_from(model, x):
    """The ids, and the least distance between the best and the second best on the way: ties would be luck."""
    ids, least = [], 1e9
    with torch.no_grad():
        while len(ids) < NEW:
            best = model(inputs_embeds=x, use_cache=False).logits[0, -1].topk(2)
            least = min(least, float(best.values[0] - best.values[1]))
            ids.append(int(best.indices[0]))
            x = torch.cat([x, model.get_input_embeddings()(best.indices[:1])[None]], 1)
    return ids, least


def make_answers():
    """A whole model as LLaVA keeps it, with a tokenizer, and what it answers."""
    path = path_of("llava")
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    for file in ("tokenizer.model", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(os.path.join(HERE, "..", "text", "slow_legacy", file), path)
    tokenizer = transformers.LlamaTokenizer.from_pretrained(path)
    config = transformers.LlamaConfig(**{**SMALL, "vocab_size": len(tokenizer), "num_key_value_heads": 2,
                                         "num_hidden_layers": 2, "max_position_embeddings": 512})
    model = transformers.LlamaForCausalLM(config).eval()
    randomise(model, 21)
    torch.manual_seed(22)
    projector = connector(64, 32)
    state = {**model.state_dict(), **{"model.mm_projector." + k: v for k, v in projector.state_dict().items()}}
    save_file({k: v.half().contiguous() for k, v in state.items()}, os.path.join(path, "model.safetensors"), {"format": "pt"})
    model.load_state_dict({k: v.half().float() for k, v in model.state_dict().items()})
    projector.load_state_dict({k: v.half().float() for k, v in projector.state_dict().items()})
    with open(os.path.join(path, "config.json"), "w") as f:
        json.dump({**config.to_dict(), "model_type": "llava_llama", "architectures": ["LlavaLlamaForCausalLM"],
                   "mm_projector_type": "mlp2x_gelu", "mm_hidden_size": 64, "mm_vision_select_layer": -2}, f, indent=1)
        f.write("\n")
    check_size(path)
    answers = []
    for pictures, question, template in QUESTIONS:
        x = embed_prompt(model, projector, tokenizer, pictures, prompt_of(pictures, question, template))
        ids, least = greedy_from(model, x)
        assert least > 1e-3, (question, least)
        answers.append({"pictures": pictures, "question": question, "template": template, "prompt_tokens": x.shape[1],
                        "tokens": ids, "text": tokenizer.decode(ids, skip_special_tokens=True)})
    with open(path_of("expected/answers.json"), "w") as f:
        json.dump(answers, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    assert transformers.__version__ == "4.52.4", transformers.__version__
    torch.set_num_threads(1)
    make_decoders()
    make_connector()
    make_grids()
    make_answers()
