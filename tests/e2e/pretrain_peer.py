"""pretrain_peer.py CLIP SIGLIP DENSE LLM: directories written by acsweep-pretrain, read by transformers. Each encoder's last hidden
state of two pictures must be that of ENCODER.safetensors (`acsweep extract`, hidden state -2, is compared); the tokenizer must give
texts back. Seen with torch 2.7.1 and transformers 4.52.4."""
import logging
import sys

import torch
import transformers
from PIL import Image
from safetensors.torch import load_file

CLASSES = {"clip": transformers.CLIPVisionModel, "siglip": transformers.SiglipVisionModel, "dense": transformers.Dinov2Model}
PICTURES = ["world/pictures/0.png", "world/pictures/1.png"]


def check_encoder(name):
    model, info = CLASSES[name].from_pretrained(name, output_loading_info=True)
    missing = [k for k in info["missing_keys"] if k != "embeddings.mask_token"]  # only training with masks has one
    assert not missing and not info["unexpected_keys"] and not info["mismatched_keys"], info
    processor = transformers.AutoImageProcessor.from_pretrained(name, use_fast=False)
    ours = load_file(f"{name}.safetensors")
    pixels = processor([Image.open(p).convert("RGB") for p in PICTURES], return_tensors="pt").pixel_values
    with torch.no_grad():
        states = model.eval()(pixels, output_hidden_states=True).hidden_states
    for picture, theirs in zip(PICTURES, states[-2]):
        want = theirs[theirs.shape[0] - ours[picture].shape[0]:]  # without the class token
        worst = (ours[picture] - want).abs().max().item()
        print(f"{name}: {picture}: off by {worst:.2g}")
        assert worst < 1e-4 * max(1, want.abs().max().item()), worst


def check_llm(name):
    tokenizer = transformers.AutoTokenizer.from_pretrained(name)
    for text in ("a red disc beside a blue ring on white ground", "12, yes!\n", "Zebra \u65e5\u672c"):
        ids = tokenizer(text).input_ids
        assert ids[0] == tokenizer.bos_token_id == 1 and tokenizer.eos_token_id == 2, ids
        assert tokenizer.decode(ids, skip_special_tokens=True) == text, (text, tokenizer.decode(ids))
    model, info = transformers.LlamaForCausalLM.from_pretrained(name, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"], info
    ids = torch.tensor([tokenizer("a red disc on white ground\n").input_ids])
    with torch.no_grad():
        loss = model.eval()(ids, labels=ids).loss.item()
    print(f"{name}: {type(tokenizer).__name__}, loss {loss:.3f} of a caption")
    assert loss < 5.5, loss  # log 400 is 5.99


transformers.logging.set_verbosity(logging.ERROR)
for encoder in sys.argv[1:4]:
    check_encoder(encoder)
check_llm(sys.argv[4])
