#!/usr/bin/env python3
"""Pictures and what the reference makes of them: manifest.json, pictures/, decoded/, resized.u8, processed.f32, versions.txt.

    python3 -m venv V && V/bin/pip install pillow==12.1.1 numpy transformers==4.57.6
    V/bin/python tests/golden/images/generate.py

"by" says who made an expectation: "transformers" is an image processor of that library (use_fast=False); "PIL" is Pillow and
numpy alone, step by step as below. transformers guesses the channel axis of pictures with an edge of 1 or 3 pixels and guesses
wrong; they are PIL's, and for every other picture the two are compared here before either is written.
Pillow is held at 12.1, the last that resizes rows first in all cases (worker/data/resize.h). Needs no GPU and no torch.
"""
import hashlib
import io
import json
import math
import os
import struct
import sys
import zlib

import numpy as np
import PIL
from PIL import Image, ImageOps
import transformers
from transformers import BitImageProcessor, CLIPImageProcessor, SiglipImageProcessor, ViTImageProcessor

HERE = os.path.dirname(os.path.abspath(__file__))
PICTURES = os.path.join(HERE, "pictures")
DECODED = os.path.join(HERE, "decoded")


def scene(width, height, channels=3, seed=0):
    """Edges, gradients and some noise, the same everywhere."""
    y, x = np.mgrid[0:height, 0:width]
    planes = []
    for c in range(channels):
        smooth = (x * (3 + c) + y * (5 - c) + 40 * seed) % 256
        blocks = ((x // (3 + c) + y // 4) % 2) * 90
        noise = ((x * 7919 + y * 104729 + c * 31 + seed * 17) * 2654435761 % (1 << 32)) >> 27
        planes.append((smooth * 0.6 + blocks + noise).clip(0, 255))
    return np.stack(planes, -1).astype(np.uint8)


def save(name, data):
    with open(os.path.join(PICTURES, name), "wb") as f:
        f.write(data)


def encoded(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


# ---- PNG by hand, for the forms that Pillow does not write ---------------------------------------------------------------

def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width, height, depth, colour, rows, extra=b"", interlace=0):
    raw = b"".join(b"\0" + row for row in rows)
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", b""))


def packed(values, depth):
    bits = "".join(format(int(v), "0%db" % depth) for v in values)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))


def adam7(array):
    """Rows of the seven passes; array is (height, width, bytes of a pixel)."""
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    rows = []
    for top, left, down, across in passes:
        part = array[top::down, left::across]
        if part.size:
            rows += [row.tobytes() for row in part]
    return rows


def make_png():
    rgb, grey = scene(31, 17), scene(31, 17, 1)[..., 0]
    save("rgb.png", encoded(Image.fromarray(rgb), "PNG"))
    save("rgba.png", encoded(Image.fromarray(scene(23, 19, 4), "RGBA"), "PNG"))
    save("grey.png", encoded(Image.fromarray(grey), "PNG"))
    save("grey_alpha.png", encoded(Image.fromarray(scene(14, 9, 2), "LA"), "PNG"))
    for depth in (1, 2, 4):
        rows = [packed(row >> (8 - depth), depth) for row in grey]
        save("grey%d.png" % depth, png(31, 17, depth, 0, rows))
    wide = (scene(13, 8, 1)[..., 0].astype(">u2") * 3) % 700
    save("grey16.png", png(13, 8, 16, 0, [row.astype(">u2").tobytes() for row in wide]))
    save("grey16_interlaced.png", png(13, 8, 16, 0, adam7(wide.astype(">u2").view(np.uint8).reshape(8, 13, 2)), interlace=1))
    colour16 = scene(11, 7, 6)
    save("rgb16.png", png(11, 7, 16, 2, [row.tobytes() for row in colour16]))
    save("rgba16.png", png(9, 6, 16, 6, [row.tobytes() for row in scene(9, 6, 8)]))
    save("grey_alpha16.png", png(9, 6, 16, 4, [row.tobytes() for row in scene(9, 6, 4)]))
    colours = scene(20, 1, 3)[0].tobytes()
    index = grey[:, :25] % 20
    rows = [row.tobytes() for row in index]
    save("palette.png", png(25, 17, 8, 3, rows, chunk(b"PLTE", colours)))
    save("palette_alpha.png", png(25, 17, 8, 3, rows, chunk(b"PLTE", colours) + chunk(b"tRNS", bytes(range(0, 200, 10)))))
    save("palette_short.png", png(25, 17, 8, 3, rows, chunk(b"PLTE", colours[:15])))
    save("palette4.png", png(25, 17, 4, 3, [packed(row % 16, 4) for row in index], chunk(b"PLTE", colours[:48])))
    save("palette4_interlaced.png", png(8, 8, 4, 3, [packed(r, 4) for r in [
        [1], [2], [3, 4], [5, 6], [7, 8], [9, 10, 11, 12], [1, 3, 5, 7], [2, 4, 6, 8], [1, 2, 3, 4], [5, 6, 7, 8], [9, 8, 7, 6],
        [1, 2, 3, 4, 5, 6, 7, 8], [8, 7, 6, 5, 4, 3, 2, 1], [1, 1, 2, 2, 3, 3, 4, 4], [9, 9, 8, 8, 7, 7, 6, 6]]],
        chunk(b"PLTE", colours[:48]), interlace=1))
    save("rgb_transparent.png", png(31, 17, 8, 2, [r.tobytes() for r in rgb], chunk(b"tRNS", struct.pack(">3H", *map(int, rgb[0, 0])))))
    save("rgb_interlaced.png", png(31, 17, 8, 2, adam7(rgb), interlace=1))
    exif = Image.Exif()
    exif[0x0112] = 5
    save("turned.png", encoded(Image.fromarray(scene(12, 7)), "PNG", exif=exif))


def make_jpeg():
    rgb = Image.fromarray(scene(45, 33))
    save("rgb.jpg", encoded(rgb, "JPEG", quality=90))
    save("rgb444.jpg", encoded(rgb, "JPEG", quality=85, subsampling=0))
    save("rgb422_progressive.jpg", encoded(rgb, "JPEG", quality=80, subsampling=1, progressive=True))
    save("rgb_kept.jpg", encoded(rgb, "JPEG", quality=85, keep_rgb=True))
    save("grey.jpg", encoded(rgb.convert("L"), "JPEG", quality=85))
    cmyk = encoded(Image.fromarray(scene(21, 18, 4), "CMYK"), "JPEG", quality=85)
    save("cmyk.jpg", cmyk)
    at = cmyk.index(b"Adobe") + 11
    assert cmyk[at] == 0
    save("ycck.jpg", cmyk[:at] + b"\x02" + cmyk[at + 1:])
    whole = encoded(rgb, "JPEG", quality=90)
    cut = whole.index(b"\xff\xda") + (len(whole) - whole.index(b"\xff\xda")) // 2
    save("damaged.jpg", whole[:cut] + b"\xff\xd9")
    for o in range(1, 9):
        exif = Image.Exif()
        exif[0x010F] = "a maker whose name does not fit into four bytes"
        exif[0x0112] = o
        save("turned%d.jpg" % o, encoded(Image.fromarray(scene(11, 6)), "JPEG", quality=90, exif=exif))


def make_webp():
    save("lossy.webp", encoded(Image.fromarray(scene(29, 22)), "WEBP", quality=80))
    save("lossless.webp", encoded(Image.fromarray(scene(29, 22)), "WEBP", lossless=True))
    save("alpha.webp", encoded(Image.fromarray(scene(20, 15, 4), "RGBA"), "WEBP", quality=80))
    save("alpha_lossless.webp", encoded(Image.fromarray(scene(20, 15, 4), "RGBA"), "WEBP", lossless=True, exact=True))
    frames = [Image.fromarray(scene(24, 16, 4, seed), "RGBA") for seed in range(3)]
    frames[0].paste((0, 0, 0, 0), (0, 0, 24, 4))
    save("animated.webp", encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True, duration=40))
    exif = Image.Exif()
    exif[0x0112] = 6
    save("turned.webp", encoded(Image.fromarray(scene(12, 7)), "WEBP", quality=90, exif=exif))


AWKWARD = {"5x3": (5, 3), "3x5": (3, 5), "1x1": (1, 1), "2x1": (2, 1), "2000x37": (2000, 37), "7x300": (7, 300), "61x40": (61, 40)}


def make_awkward():
    for name, (width, height) in AWKWARD.items():
        save(name + ".png", encoded(Image.fromarray(scene(width, height)), "PNG", optimize=True))


# ---- expectations ----------------------------------------------------------------------------------------------------------

def opened(name):
    return Image.open(os.path.join(PICTURES, name))


def write_ppm(name, image):
    with open(os.path.join(DECODED, name), "wb") as f:
        f.write(b"P6\n%d %d\n255\n" % image.size + image.tobytes())


def decode_all():
    cases = []
    for name in sorted(os.listdir(PICTURES)):
        if name.split(".")[0] in AWKWARD:
            continue
        write_ppm(name + ".ppm", opened(name).convert("RGB"))
        cases.append({"picture": name, "expected": name + ".ppm", "turn": False})
        if "turned" in name:
            write_ppm(name + ".turned.ppm", ImageOps.exif_transpose(opened(name)).convert("RGB"))
            cases.append({"picture": name, "expected": name + ".turned.ppm", "turn": True})
    return cases


class Pieces:
    """Arrays one behind the other in one file."""

    def __init__(self, name):
        self.name, self.parts, self.at = name, [], 0

    def add(self, array):
        data = array.tobytes()
        self.parts.append(data)
        self.at += len(data)
        return {"offset": self.at - len(data), "bytes": len(data)}

    def write(self):
        with open(os.path.join(HERE, self.name), "wb") as f:
            f.write(b"".join(self.parts))


def resize_all():
    pieces, cases = Pieces("resized.u8"), []
    sizes = {"5x3.png": [(16, 16), (2, 2)], "1x1.png": [(5, 4)], "2000x37.png": [(31, 9)], "7x300.png": [(11, 13)],
             "61x40.png": [(24, 16), (61, 12), (13, 40), (90, 20)]}
    for name, targets in sizes.items():
        for width, height in targets:
            for how in range(6):
                got = opened(name).convert("RGB").resize((width, height), how)
                case = {"picture": name, "width": width, "height": height, "resample": how}
                cases.append(dict(case, **pieces.add(np.asarray(got))))
    pieces.write()
    return cases


CLASSES = {"CLIP": CLIPImageProcessor, "Bit": BitImageProcessor, "Siglip": SiglipImageProcessor, "ViT": ViTImageProcessor}
CLIP_MEAN, CLIP_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
NET_MEAN, NET_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def processor(kind, **keys):
    return dict({"image_processor_type": kind + "ImageProcessor", "do_resize": True, "do_rescale": True, "do_normalize": True,
                 "rescale_factor": 0.00392156862745098, "resample": 3}, **keys)


def square(n):
    return {"height": n, "width": n}


PROCESSORS = {
    "clip": processor("CLIP", size={"shortest_edge": 16}, crop_size=square(16), do_center_crop=True, image_mean=CLIP_MEAN,
                      image_std=CLIP_STD, do_convert_rgb=True),
    "clip_old": {"crop_size": 15, "do_center_crop": True, "do_normalize": True, "do_resize": True,
                 "feature_extractor_type": "CLIPFeatureExtractor", "image_mean": CLIP_MEAN, "image_std": CLIP_STD, "resample": 3,
                 "size": 18},
    "clip_small_crop": processor("CLIP", size={"shortest_edge": 9}, crop_size={"height": 14, "width": 12}, do_center_crop=True,
                                 image_mean=CLIP_MEAN, image_std=CLIP_STD),
    "clip_uncropped": processor("CLIP", size={"height": 12, "width": 10}, do_center_crop=False, do_normalize=False),
    "clip_defaults": {"image_processor_type": "CLIPImageProcessor"},
    "openclip": processor("CLIP", size={"shortest_edge": 16}, crop_size=square(16), do_center_crop=True, image_mean=0.5, image_std=0.5),
    "dinov2": processor("Bit", size={"shortest_edge": 20}, crop_size=square(16), do_center_crop=True, image_mean=NET_MEAN,
                        image_std=NET_STD),
    "dinov2_stretched": processor("Bit", size=square(17), crop_size=square(17), do_center_crop=True, image_mean=NET_MEAN,
                                  image_std=NET_STD),
    "bit_raw": processor("Bit", size={"shortest_edge": 8}, crop_size=square(8), do_rescale=False, resample=1),
    "bit_unresized": processor("Bit", do_resize=False, crop_size=square(8), image_mean=NET_MEAN, image_std=NET_STD),
    "siglip": processor("Siglip", size=square(16), image_mean=[0.5] * 3, image_std=[0.5] * 3, processor_class="SiglipProcessor"),
    "vit": processor("ViT", size={"height": 12, "width": 20}, image_mean=[0.5] * 3, image_std=[0.5] * 3, resample=2),
    "vit_number": {"feature_extractor_type": "ViTFeatureExtractor", "size": 13, "do_resize": True, "do_normalize": True,
                   "image_mean": NET_MEAN, "image_std": NET_STD},
    "clip224": processor("CLIP", size={"shortest_edge": 224}, crop_size=square(224), do_center_crop=True, image_mean=CLIP_MEAN,
                         image_std=CLIP_STD),
    "clip336": {"crop_size": 336, "do_center_crop": True, "do_normalize": True, "do_resize": True,
                "feature_extractor_type": "CLIPFeatureExtractor", "image_mean": CLIP_MEAN, "image_std": CLIP_STD, "resample": 3,
                "size": 336},
    "dinov2_224": processor("Bit", size={"shortest_edge": 256}, crop_size=square(224), do_center_crop=True, image_mean=NET_MEAN,
                            image_std=NET_STD),
    "siglip224": processor("Siglip", size=square(224), image_mean=[0.5] * 3, image_std=[0.5] * 3),
}
LARGE = ("clip224", "clip336", "dinov2_224", "siglip224", "clip_defaults")


def made(config):
    kind = config.get("image_processor_type", config.get("feature_extractor_type"))
    kind = kind.replace("ImageProcessor", "").replace("FeatureExtractor", "")
    return CLASSES[kind].from_dict(dict(config))


def crop_axis(whole, crop):
    """from, count, at: of a whole, what is kept and where it is put."""
    return ((whole - crop) // 2, crop, 0) if whole >= crop else (0, whole, math.ceil((crop - whole) / 2))


def by_pil(p, image):
    """The processors' steps with Pillow and numpy."""
    if p.do_resize:
        if "shortest_edge" in p.size:
            shorter, longer = sorted(image.size)
            edges = (p.size["shortest_edge"], int(p.size["shortest_edge"] * longer / shorter))
            width, height = edges if image.width <= image.height else edges[::-1]
        else:
            width, height = p.size["width"], p.size["height"]
        image = image.resize((width, height), p.resample)
    x = np.asarray(image)
    if getattr(p, "do_center_crop", False):
        out = np.zeros((p.crop_size["height"], p.crop_size["width"], 3), np.uint8)
        y0, ny, ty = crop_axis(x.shape[0], out.shape[0])
        x0, nx, tx = crop_axis(x.shape[1], out.shape[1])
        out[ty:ty + ny, tx:tx + nx] = x[y0:y0 + ny, x0:x0 + nx]
        x = out
    if p.do_rescale:
        x = (x.astype(np.float64) * p.rescale_factor).astype(np.float32)
    if p.do_normalize:
        x = (x.astype(np.float32) - np.array(p.image_mean, np.float32)) / np.array(p.image_std, np.float32)
    return np.ascontiguousarray(x.transpose(2, 0, 1).astype(np.float32))


def by_transformers(p, image):
    x = p.preprocess(image, return_tensors="np")["pixel_values"][0]
    return np.ascontiguousarray(x.astype(np.float32))


def expect(p, image):
    reference = by_pil(p, image)
    if min(image.size) < 4:
        return "PIL", reference
    got = by_transformers(p, image)
    assert got.shape == reference.shape and np.array_equal(got, reference), (p, image.size)
    return "transformers", got


def padded(image, mean):
    """LLaVA's expand2square."""
    colour = tuple(int(x * 255) for x in mean)
    edge = max(image.size)
    out = Image.new("RGB", (edge, edge), colour)
    out.paste(image, ((edge - image.width) // 2, (edge - image.height) // 2))
    return out


def letterboxed(image, edge, how):
    canvas = np.zeros((edge, edge, 3), np.uint8)
    if image.height <= image.width:
        inner = image.resize((edge, max(1, int(np.around(edge * image.height / image.width)))), how)
    else:
        inner = image.resize((max(1, int(np.around(edge * image.width / image.height))), edge), how)
    top, left = (edge - inner.height) // 2, (edge - inner.width) // 2
    canvas[top:top + inner.height, left:left + inner.width] = np.asarray(inner)
    return canvas


def halves(array):
    x = np.asarray(array).astype(np.float32)
    return np.ascontiguousarray(((x / np.float32(255) - np.float32(0.5)) * np.float32(2)).transpose(2, 0, 1))


def process_all():
    pieces, cases = Pieces("processed.f32"), []

    def add(case, by, array):
        case = dict(case, by=by, shape=list(array.shape))
        if array.nbytes > 16384:
            case["sha256"] = hashlib.sha256(array.tobytes()).hexdigest()
        else:
            case.update(pieces.add(array))
        cases.append(case)

    names = ["5x3.png", "1x1.png", "2000x37.png", "7x300.png", "61x40.png", "rgba.png"]
    exact = ["3x5.png", "2x1.png", "2000x37.png", "61x40.png", "grey_alpha.png", "palette_alpha.png", "turned.png"]
    for name, config in PROCESSORS.items():
        for picture in exact if name in LARGE else names:
            by, array = expect(made(config), opened(picture).convert("RGB"))
            add({"processor": name, "picture": picture}, by, array)
    for picture in ("5x3.png", "2000x37.png", "61x40.png", "7x300.png"):
        image = opened(picture).convert("RGB")
        square_image = padded(image, CLIP_MEAN)
        by, array = expect(made(PROCESSORS["clip"]), square_image)
        add({"processor": "clip", "picture": picture, "options": {"pad": True}}, by, array)
        add({"processor": None, "picture": picture, "options": {"size": 19}}, "PIL", halves(image.resize((19, 19))))
        add({"processor": "dinov2", "picture": picture, "options": {"size": 18, "geometry": "stretch", "half": True}}, "PIL",
            halves(image.resize((18, 18))))
        add({"processor": None, "picture": picture, "options": {"size": 21, "geometry": "letterbox", "resample": 1}}, "PIL",
            halves(letterboxed(image, 21, Image.LANCZOS)))
    pieces.write()
    return cases


def main():
    for folder in (PICTURES, DECODED):
        os.makedirs(folder, exist_ok=True)
        for name in os.listdir(folder):
            os.remove(os.path.join(folder, name))
    make_png()
    make_jpeg()
    make_webp()
    make_awkward()
    manifest = {"decode": decode_all(), "resize": resize_all(), "processors": PROCESSORS, "process": process_all()}
    with open(os.path.join(HERE, "manifest.json"), "w") as f:
        json.dump(manifest, f, indent=0)
        f.write("\n")
    from PIL import features
    with open(os.path.join(HERE, "versions.txt"), "w") as f:
        f.write("python %s\npillow %s (libjpeg-turbo %s, libwebp %s)\nnumpy %s\ntransformers %s\n" % (
            sys.version.split()[0], PIL.__version__, features.version("libjpeg_turbo"), features.version("webp"),
            np.__version__, transformers.__version__))


main()
