#!/usr/bin/env python3
"""Pictures: our decoding, resizing and preprocessing against Pillow's (and numpy's), in turns, on one thread.

    pip install pillow==12.1.1 numpy
    bench/images.py [--rounds N]          prints milliseconds, the best of N rounds; every result is compared first

Compiles worker/data from the tree with the system's C compiler into a scratch library. Pillow 12.1 is the last whose bytes are
ours in every case (worker/data/resize.h); with a later one a row may say that the bytes differ.
"""
import argparse
import ctypes
import glob
import io
import os
import subprocess
import tempfile
import time

import numpy as np
import PIL
from PIL import Image

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CLIP = ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])


class Picture(ctypes.Structure):
    _fields_ = [("width", ctypes.c_uint32), ("height", ctypes.c_uint32), ("pixels", ctypes.c_void_p)]


class Err(ctypes.Structure):
    _fields_ = [("kind", ctypes.c_int), ("file", ctypes.c_char_p), ("line", ctypes.c_int), ("text", ctypes.c_char * 1024)]


def build():
    scratch = tempfile.TemporaryDirectory(prefix="acsweep-bench-")  # gone on return; the loaded library stays
    out = os.path.join(scratch.name, "libdata.so")
    common = [os.path.join(ROOT, "common", n + ".c") for n in ("err", "buf", "arena", "map", "digest", "parse")]
    subprocess.check_call([os.environ.get("CC", "cc"), "-O3", "-ffp-contract=off", "-std=gnu17", "-D_GNU_SOURCE", "-shared",
                           "-fPIC", "-I" + ROOT, "-o", out] + glob.glob(ROOT + "/worker/data/*.c") + common +
                          ["-ljansson", "-lsodium", "-ljpeg", "-lpng", "-lwebp", "-lwebpdemux", "-lm", "-lpthread"])
    return ctypes.CDLL(out)


def fail_unless(rc, e):
    if rc < 0:
        raise SystemExit(e.text.decode())


class Ours:
    def __init__(self):
        self.lib = build()
        self.free = ctypes.CDLL(None).free
        self.free.argtypes = [ctypes.c_void_p]
        self.recipe = ctypes.create_string_buffer(8192)

    def decode(self, data):
        out, e = Picture(), Err()
        fail_unless(self.lib.image_decode(data, ctypes.c_size_t(len(data)), b"picture", None, ctypes.byref(out), ctypes.byref(e)), e)
        return out

    def resize(self, picture, width, height, how):
        out, e = Picture(), Err()
        fail_unless(self.lib.resize_image(ctypes.byref(picture), width, height, how, ctypes.byref(out), ctypes.byref(e)), e)
        return out

    def set_recipe(self, text):
        e = Err()
        fail_unless(self.lib.preprocess_parse(text, ctypes.c_size_t(len(text)), b"recipe", None, self.recipe, ctypes.byref(e)), e)

    def preprocess(self, picture, out):
        e = Err()
        fail_unless(self.lib.preprocess_apply(self.recipe, ctypes.byref(picture), out.ctypes.data_as(ctypes.c_void_p),
                                              ctypes.byref(e)), e)

    def array(self, picture):
        n = picture.width * picture.height * 3
        return np.ctypeslib.as_array(ctypes.cast(picture.pixels, ctypes.POINTER(ctypes.c_uint8)), (n,)).reshape(
            picture.height, picture.width, 3)

    def drop(self, picture):
        self.free(picture.pixels)


def scene(width, height):
    y, x = np.mgrid[0:height, 0:width]
    rng = np.random.default_rng(1)
    planes = [(np.sin(x / (20 + 9 * c)) * 60 + np.cos(y / (13 + 5 * c)) * 50 + 128 + rng.normal(0, 6, (height, width)))
              for c in range(3)]
    return np.stack(planes, -1).clip(0, 255).astype(np.uint8)


def best(rounds, *functions):
    """Milliseconds of each, taken in turns."""
    least = [float("inf")] * len(functions)
    for _ in range(rounds):
        for i, f in enumerate(functions):
            start = time.perf_counter()
            f()
            least[i] = min(least[i], time.perf_counter() - start)
    return [1000 * t for t in least]


def row(name, same, rounds, pillow, ours):
    theirs, mine = best(rounds, pillow, ours)
    print("%-44s %9.3f %9.3f %7.2f   %s" % (name, theirs, mine, theirs / mine, "same bytes" if same else "BYTES DIFFER"))


def resizes(o, rounds):
    cases = [((640, 480), (298, 224), 3), ((640, 480), (448, 336), 3), ((640, 480), (224, 224), 2), ((2000, 1500), (336, 336), 3),
             ((4000, 3000), (224, 224), 3), ((336, 336), (768, 768), 3), ((500, 375), (840, 630), 1)]
    for (w, h), (width, height), how in cases:
        array = np.ascontiguousarray(scene(w, h))
        image, picture = Image.fromarray(array), Picture(w, h, array.ctypes.data)
        got = o.resize(picture, width, height, how)
        same = np.array_equal(o.array(got), np.asarray(image.resize((width, height), how)))
        o.drop(got)
        row("resize %dx%d to %dx%d, %s" % (w, h, width, height, Image.Resampling(how).name.lower()), same, rounds,
            lambda: image.resize((width, height), how), lambda: o.drop(o.resize(picture, width, height, how)))


def decodes(o, rounds):
    for kind, options in (("JPEG", {"quality": 90}), ("PNG", {}), ("WEBP", {"quality": 85})):
        out = io.BytesIO()
        Image.fromarray(scene(640, 480)).save(out, kind, **options)
        data = out.getvalue()
        got = o.decode(data)
        same = np.array_equal(o.array(got), np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
        o.drop(got)
        row("decode %s 640x480" % kind, same, rounds, lambda: Image.open(io.BytesIO(data)).convert("RGB"),
            lambda: o.drop(o.decode(data)))


def clip336(o, rounds):
    out = io.BytesIO()
    Image.fromarray(scene(640, 480)).save(out, "JPEG", quality=90)
    data = out.getvalue()
    o.set_recipe(b'{"image_processor_type":"CLIPImageProcessor","size":336,"crop_size":336}')
    result = np.empty((3, 336, 336), np.float32)

    def theirs():
        image = Image.open(io.BytesIO(data)).convert("RGB").resize((448, 336), 3)
        x = np.asarray(image)[:, 56:392]
        x = (x.astype(np.float64) * (1 / 255)).astype(np.float32)
        x = (x - np.array(CLIP[0], np.float32)) / np.array(CLIP[1], np.float32)
        return np.ascontiguousarray(x.transpose(2, 0, 1))

    def mine():
        picture = o.decode(data)
        o.preprocess(picture, result)
        o.drop(picture)

    mine()
    row("JPEG 640x480 to CLIP@336 floats", np.array_equal(theirs(), result), rounds, theirs, mine)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    o = Ours()
    print("Pillow %s, numpy %s; load average %.1f" % (PIL.__version__, np.__version__, os.getloadavg()[0]))
    print("%-44s %9s %9s %7s" % ("", "Pillow ms", "ours ms", "ratio"))
    resizes(o, rounds)
    decodes(o, rounds)
    clip336(o, rounds)


main()
