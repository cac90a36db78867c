#!/usr/bin/env python3
"""Files that torch.save writes, some of them of kinds that are refused. Made with torch 2.7.1:

    python3 -m venv V && V/bin/pip install torch==2.7.1 'numpy<2' && V/bin/python tests/golden/torch_file/make.py
"""
import os
import zipfile

import torch

HERE = os.path.dirname(os.path.abspath(__file__))


def path(name):
    return os.path.join(HERE, name)


class Evil:
    def __reduce__(self):
        return (os.system, ("echo this must never run",))


def state_dict():
    """A whole module's: an OrderedDict with attributes, names that share memory, a view that begins later."""
    torch.manual_seed(1)
    m = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    state = m.state_dict()
    state["again"] = state["0.weight"]
    base = torch.arange(12).float()
    state["view"] = base[4:10].view(2, 3)
    state["parameter"] = torch.nn.Parameter(torch.tensor([1.5, -2.0]))
    state["scalar"] = torch.tensor(7, dtype=torch.int64)
    state["empty"] = torch.zeros(0, 4)
    state["half"] = torch.tensor([0.5, 1.5], dtype=torch.bfloat16)
    state["yes"] = torch.tensor([True, False])
    state["epoch"] = 3
    state["list"] = [1, 2, {"x": 1.5}]
    return state


torch.save(state_dict(), path("state_dict.bin"))
torch.save(dict(state_dict()), path("protocol4.bin"), pickle_protocol=4)
torch.save({"a": torch.zeros(2, 2)}, path("legacy.bin"), _use_new_zipfile_serialization=False)
torch.save({"a": torch.arange(6).view(2, 3).t()}, path("transposed.bin"))
torch.save({"a": torch.zeros(2), "b": Evil()}, path("evil.bin"))
torch.save([torch.zeros(2)], path("list.bin"))
with zipfile.ZipFile(path("state_dict.bin")) as z, zipfile.ZipFile(path("compressed.bin"), "w", zipfile.ZIP_DEFLATED) as to:
    for name in z.namelist():
        to.writestr(name, z.read(name))
