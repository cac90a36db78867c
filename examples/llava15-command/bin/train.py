#!/usr/bin/env python3
"""Stage 1 and stage 2: LLaVA's train.py under torchrun, with the settings of the task."""
import glob
import os
import shutil

import settings
from task import Task, gpus

t = Task()
first = t.kind == "stage1"
how = t.parameters["training"]
device_batch = t.execution["training"]["device_batch"]
data = t.look_up(settings.TRAINING, t.names["image_set"], "TRAINING")
members = t.parameters["representation"]["members"]
towers = [t.look_up(settings.TOWER, m["checkpoint"], "TOWER") for m in t.names["members"]]
n = gpus()

# The global batch decides the result; how it is cut up does not.
if how["batch"] % (n * device_batch):
    t.fail("data", f"batch {how['batch']} is no multiple of {n} GPUs x device_batch {device_batch}")
# What LLaVA's script has no switch for must be as it does it.
fixed = {"optimizer": "adamw", "grad_clip": 0, "precision": "bf16", "sampler": "random" if first else "grouped",
         "tune": "connector" if first else "full", "samples": 558128 if first else 665298}
for key, value in fixed.items():
    if how[key] != value:
        t.fail("data", f"this script trains with {key} = {value} only, not {how[key]}")

# A fine-tune that was stopped goes on from its last checkpoint: LLaVA looks for checkpoint-* in --output_dir. In stage 1 its
# checkpoints hold the connector only and cannot be resumed, so that begins anew.
work = os.path.join(t.checkpoint, "model")
if first:
    shutil.rmtree(work, ignore_errors=True)
words = ["torchrun", "--standalone", f"--nproc_per_node={n}", "llava/train/train.py"]
options = {
    "deepspeed": "./scripts/zero2.json",
    "model_name_or_path": t.look_up(settings.LLM, t.names["llm"], "LLM"),
    "version": how["template"],
    "data_path": data["json"],
    "image_folder": data["images"],
    "image_aspect_ratio": how["image_aspect"],
    "vision_tower": ".".join(towers),
    "mm_projector_type": how["connector"],
    "mm_vision_select_layer": members[0]["options"].get("layer", how["select_layer"]),
    "mm_use_im_start_end": False,
    "mm_use_im_patch_token": False,
    "bf16": True,
    "tf32": True,
    "output_dir": work,
    "num_train_epochs": how["epochs"],
    "per_device_train_batch_size": device_batch,
    "gradient_accumulation_steps": how["batch"] // (n * device_batch),
    "evaluation_strategy": "no",
    "save_strategy": "steps",
    "save_steps": 500,
    "save_total_limit": 1,
    "learning_rate": how["learning_rate"],
    "weight_decay": how["weight_decay"],
    "warmup_ratio": how["warmup_ratio"],
    "lr_scheduler_type": how["schedule"],
    "logging_steps": 10,
    "model_max_length": how["max_length"],
    "gradient_checkpointing": t.execution["training"]["gradient_checkpointing"],
    "dataloader_num_workers": 4,
    "lazy_preprocess": True,
    "seed": how["seed"],
    "report_to": "none",
}
if first:
    options["tune_mm_mlp_adapter"] = True
else:
    options["pretrain_mm_mlp_adapter"] = os.path.join(t.input("connector"), "mm_projector.bin")
    options["group_by_modality_length"] = True
    if "connector_learning_rate" in how:
        options["mm_projector_lr"] = how["connector_learning_rate"]
if "block" in members[0]["options"]:  # a diffusion model
    options.update({"img_size": members[0]["resolution"], "up_ft_index": members[0]["options"]["block"],
                    "t": members[0]["options"]["timestep"]})
for key, value in options.items():
    words += [f"--{key}", str(value)]
t.run(words, settings.LLAVA)

name = "connector" if first else "model"
for left in glob.glob(os.path.join(work, "checkpoint-*")):
    shutil.rmtree(left)  # no part of the result
shutil.move(work, os.path.join(t.out, name))
t.done(artifacts={name: name})
