"""EDIT: where things are on your nodes. Everything else in this folder can stay as it is."""
import os

ROOT = os.environ.get("LLAVA15_ROOT", "/data/llava15")

LLAVA = f"{ROOT}/Law_of_Vision_Representation_in_MLLMs"   # the authors' repository, with its own environment active
LLM = {"vicuna-7b": f"{ROOT}/vicuna-7b-v1.5"}

# --vision_tower of a checkpoint. The authors' code joins the towers of a combination with a dot, so no path or id here
# may hold one where a combination uses it.
TOWER = {
    "clip-l-336": "openai/clip-vit-large-patch14-336",
    "clip-l-224": "openai/clip-vit-large-patch14",
    "openclip-l": "laion/CLIP-ViT-L-14-laion2B-s32B-b82K",
    "dinov2-l": "facebook/dinov2-large",
    "siglip-b": "google/siglip-base-patch16-224",
    "sd-im": "lambdalabs/sd-image-variations-diffusers",
    "sd-1.5": "runwayml/stable-diffusion-v1-5",
    "sd-xl": "stabilityai/stable-diffusion-xl-base-1.0",   # see README: its dot
    "dit-xl": "facebook/DiT-XL-2-512",
    "sd-3": "stabilityai/stable-diffusion-3-medium-diffusers",
    "sd-2.1": "stabilityai/stable-diffusion-2-1",
}

# Training data by the image sets' names in sweep.cfg.
TRAINING = {
    "llava-pretrain-558k": {"json": f"{ROOT}/blip_laion_cc_sbu_558k.json", "images": f"{ROOT}/pretrain_images"},
    "llava-mix-665k": {"json": f"{ROOT}/llava_v1_5_mix665k.json", "images": f"{ROOT}/mix_images"},
}

SPAIR = f"{ROOT}/SPair-71k"

# For A scores: a folder with the images of each benchmark (any depth; .jpg, .jpeg, .png).
BENCHMARK_IMAGES = {name: f"{ROOT}/benchmark_images/{name}" for name in (
    "MMBench", "MME", "OKVQA", "SEED-Bench", "MMMU", "TextVQA", "VizWiz", "ScienceQA")}

# lmms-eval: task, names that the metric has had in its versions, and the factor to the paper's scale.
BENCHMARK = {
    "MMBench": ("mmbench_en_dev", ("gpt_eval_score",), 1),
    "MME": ("mme", ("mme_perception_score", "mme_percetion_score"), 1),
    "OKVQA": ("ok_vqa", ("exact_match",), 100),
    "SEED-Bench": ("seedbench", ("seed_image",), 100),
    "MMMU": ("mmmu_val", ("mmmu_acc",), 100),
    "TextVQA": ("textvqa_val", ("exact_match",), 100),
    "VizWiz": ("vizwiz_vqa_val", ("exact_match",), 100),
    "ScienceQA": ("scienceqa_img", ("exact_match",), 100),
}
