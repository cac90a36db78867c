#!/usr/bin/env python3
"""torch_peer.py VLM_PEER: what this program saves, read by PyTorch and transformers, who compute the same from it.
Says skipped (77) where they are not installed; seen with torch 2.7.1 and transformers 4.52.4."""
import json
import os
import subprocess
import sys
import tempfile

try:
    import torch
    import transformers
    from safetensors.torch import load_file
except ImportError as why:
    print(f"SKIPPED: {why}")
    sys.exit(77)


def near(got, want, what):
    worst = (got.double() - want.double()).abs().max().item()
    print(f"{what}: off by {worst:.2g}")
    assert worst < 2e-5, what


def check_connector(folder, expected):
    state = torch.load(os.path.join(folder, "mm_projector.bin"), map_location="cpu", weights_only=True)
    same = load_file(os.path.join(folder, "mm_projector.safetensors"))
    assert list(state) == ["model.mm_projector.0.weight", "model.mm_projector.0.bias", "model.mm_projector.2.weight",
                           "model.mm_projector.2.bias"], list(state)
    assert all(torch.equal(state[k], same[k]) for k in state) and len(same) == len(state)
    # As LLaVA's initialize_vision_modules puts it into its own module.
    module = torch.nn.Sequential(torch.nn.Linear(6, 32), torch.nn.GELU(), torch.nn.Linear(32, 32))
    module.load_state_dict({k.split("mm_projector.")[1]: v for k, v in state.items()})
    with torch.no_grad():
        near(module(expected["x"]), expected["y"], "connector")


def check_decoder(folder, expected):
    with open(os.path.join(folder, "config.json")) as f:
        config = json.load(f)
    assert config["model_type"] == "llava_llama" and config["mm_projector_type"] == "mlp2x_gelu", config
    assert config["mm_hidden_size"] == 6 and config["mm_vision_select_layer"] == -2, config
    # LLaVA's class is LlamaForCausalLM with more modules: here the decoder alone.
    plain = transformers.LlamaConfig(**{k: v for k, v in config.items() if k != "model_type"})
    model = transformers.LlamaForCausalLM.from_pretrained(folder, config=plain, torch_dtype=torch.float32).eval()
    with torch.no_grad():
        near(model(expected["ids"]).logits, expected["logits"], "decoder")


with tempfile.TemporaryDirectory() as folder:
    made = subprocess.run([sys.argv[1], folder])
    if made.returncode:
        sys.exit(made.returncode)
    expected = load_file(os.path.join(folder, "expected.safetensors"))
    check_connector(folder, expected)
    check_decoder(folder, expected)
