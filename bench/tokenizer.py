#!/usr/bin/env python3
"""Tokenizers: worker/text against sentencepiece, tokenizers and transformers, in turns, on one thread each.

    pip install transformers==4.52.4 sentencepiece==0.2.3 protobuf tokenizers==0.21.4
    bench/tokenizer.py [--model DIR] [--captions N] [--rounds N]

Prints texts and megabytes a second, the best of N rounds; every id is compared first. DIR holds a tokenizer.model; without
it one of 8,000 pieces is trained on the documentation that Python carries with it, which also gives the words of the captions.
Compiles worker/text from the tree with the system's compilers into a scratch library.
"""
import argparse
import ctypes
import glob
import os
import pydoc_data.topics
import random
import subprocess
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
import sentencepiece
import tokenizers
import transformers
from transformers import LlamaTokenizer, LlamaTokenizerFast

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Ids(ctypes.Structure):
    _fields_ = [("v", ctypes.POINTER(ctypes.c_int32)), ("n", ctypes.c_size_t), ("cap", ctypes.c_size_t)]


class Err(ctypes.Structure):
    _fields_ = [("kind", ctypes.c_int), ("file", ctypes.c_char_p), ("line", ctypes.c_int), ("text", ctypes.c_char * 1024)]


def build():
    with tempfile.TemporaryDirectory(prefix="acsweep-bench-") as scratch:  # gone at the end; the loaded library stays
        out = os.path.join(scratch, "libtext.so")
        sources = glob.glob(ROOT + "/worker/text/*.c")
        sources += glob.glob(ROOT + "/worker/data/*.c") + [ROOT + "/bench/tokenizer_lines.c"]
        sources += [os.path.join(ROOT, "common", n + ".c") for n in ("err", "buf", "arena", "map", "digest", "parse")]
        subprocess.check_call([os.environ.get("CC", "cc"), "-O2", "-std=gnu17", "-D_GNU_SOURCE", "-shared", "-fPIC", "-I" + ROOT,
                               "-o", out] + sources +
                              ["-lpcre2-8", "-ljansson", "-lsodium", "-ljpeg", "-lpng", "-lwebp",
                               "-lwebpdemux", "-lm", "-lpthread"])
        lib = ctypes.CDLL(out)
    lib.tokenizer_open_file.restype = ctypes.c_void_p
    return lib


class Ours:
    def __init__(self, lib, path):
        self.lib, self.ids, e = lib, Ids(), Err()
        self.tokenizer = ctypes.c_void_p(lib.tokenizer_open_file(path.encode(), ctypes.byref(e)))
        if not self.tokenizer:
            raise SystemExit(e.text.decode())

    def prepare(self, texts):
        raw = [t.encode() for t in texts]
        ends, at = (ctypes.c_size_t * len(raw))(), 0
        for i, r in enumerate(raw):
            at += len(r)
            ends[i] = at
        return b"".join(raw), ends, (ctypes.c_size_t * len(raw))()

    def run(self, prepared):
        text, ends, ids_ends = prepared
        e = Err()
        if self.lib.tokenize_lines(self.tokenizer, text, ends, ctypes.c_size_t(len(ends)), ctypes.byref(self.ids), ids_ends,
                                   ctypes.byref(e)) < 0:
            raise SystemExit(e.text.decode())

    def rows(self, prepared):
        flat, out, at = self.ids.v[:self.ids.n], [], 0
        for end in prepared[2]:
            out.append(flat[at:end])
            at = end
        return out


def documentation():
    lines = []
    for text in pydoc_data.topics.topics.values():
        lines += [line.strip() for line in text.split("\n") if line.strip()]
    return lines


def captions(words, n):
    rng = random.Random(1)
    return [" ".join(rng.choice(words) for _ in range(rng.randrange(5, 20))) + "." for _ in range(n)]


def make_models(args, scratch, lines):
    model = args.model and os.path.join(args.model, "tokenizer.model")
    slow_dir, fast_dir = os.path.join(scratch, "slow"), os.path.join(scratch, "fast")
    os.makedirs(slow_dir)
    if model:
        os.symlink(os.path.abspath(model), os.path.join(slow_dir, "tokenizer.model"))
    else:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines), model_prefix=os.path.join(slow_dir, "tokenizer"), vocab_size=8000, model_type="bpe",
            byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False, minloglevel=2)
    LlamaTokenizerFast.from_pretrained(slow_dir, from_slow=True, legacy=True).save_pretrained(fast_dir)
    return slow_dir, fast_dir


def measure(runs, rounds):
    best = {}
    for _ in range(rounds):
        for name, call in runs:  # in turns: what disturbs one disturbs all
            start = time.perf_counter()
            call()
            best[name] = min(best.get(name, 1e9), time.perf_counter() - start)
    return best


def compare(title, texts, ours, theirs, peers, rounds):
    prepared = ours.prepare(texts)
    ours.run(prepared)
    for i, (got, want) in enumerate(zip(ours.rows(prepared), theirs(texts))):
        if got != want:
            raise SystemExit(f"{title}: text {i} {texts[i][:80]!r}: {got[:20]} is not {want[:20]}")
    best = measure([("ours", lambda: ours.run(prepared))] + [(n, lambda c=c: c(texts)) for n, c in peers], rounds)
    megabytes = len(prepared[0]) / 1e6
    for name, seconds in best.items():
        print(f"{title:22} {name:28} {len(texts) / seconds:12,.0f} texts/s {megabytes / seconds:8.2f} MB/s "
              f"{seconds / best['ours']:7.2f} of ours")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--model")
    p.add_argument("--captions", type=int, default=50000)
    p.add_argument("--rounds", type=int, default=3)
    args = p.parse_args()
    transformers.logging.set_verbosity_error()
    lines = documentation()
    words = " ".join(lines).split()
    with tempfile.TemporaryDirectory(prefix="acsweep-bench-") as scratch:
        slow_dir, fast_dir = make_models(args, scratch, lines)
        lib = build()
        slow, fast = Ours(lib, slow_dir + "/tokenizer.model"), Ours(lib, fast_dir + "/tokenizer.json")
        piece = sentencepiece.SentencePieceProcessor(model_file=slow_dir + "/tokenizer.model")
        raw = tokenizers.Tokenizer.from_file(fast_dir + "/tokenizer.json")
        theirs_slow = LlamaTokenizer.from_pretrained(slow_dir)
        theirs_fast = LlamaTokenizerFast.from_pretrained(fast_dir)
        plain = dict(add_special_tokens=False)
        for title, texts in [("captions", captions(words, args.captions)), ("one text of 1 MB", [" ".join(words * 9)[:1000000]])]:
            compare(title + ", .model", texts, slow, lambda x: [theirs_slow.encode(t, **plain) for t in x],
                    [("sentencepiece", lambda x: piece.encode(x, num_threads=1)),
                     ("transformers slow", lambda x: [theirs_slow.encode(t, **plain) for t in x])], args.rounds)
            compare(title + ", .json", texts, fast, lambda x: [theirs_fast.encode(t, **plain) for t in x],
                    [("tokenizers, one call", lambda x: raw.encode_batch_fast(x, **plain)),
                     ("transformers fast", lambda x: theirs_fast(x, **plain).input_ids)], args.rounds)
    print(f"sentencepiece {sentencepiece.__version__}, tokenizers {tokenizers.__version__}, transformers "
          f"{transformers.__version__}")


if __name__ == "__main__":
    main()
