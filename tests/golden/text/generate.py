#!/usr/bin/env python3
"""Golden values for worker/text: small tokenizers that are trained here, and what transformers and tokenizers make of
hostile text with them.

    python3 -m venv v && v/bin/pip install transformers==4.52.4 tokenizers==0.21.4 sentencepiece==0.2.3 protobuf jinja2
    v/bin/python tests/golden/text/generate.py

Writes, beside itself: a directory for each tokenizer, tokens.json, versions.txt. `conversations.py` writes the templates'
part, `sampler.py` the orders. Texts are in hex, because they hold NUL and bytes that are no characters.

tokens.json: `texts`, each with its number of words as str.split counts; for each tokenizer `encode`, of each text the ids
and what they decode to where that is another text; `decode`, rows of ids with their text, all and without special tokens. The trainer of `tokenizers` breaks ties as it likes,
so another run gives other files of the same worth."""
import json
import os
import random
import shutil
import sys

import sentencepiece as spm
import tokenizers
import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import LlamaTokenizer, LlamaTokenizerFast, PreTrainedTokenizerFast

from corpus import ALL, TRAINING, characters

HERE = os.path.dirname(os.path.abspath(__file__))
SYSTEM = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
          r"\s*[\r\n]+|\s+(?!\S)|\s+")


def path(*parts):
    return os.path.join(HERE, *parts)


def fresh(name):
    shutil.rmtree(path(name), ignore_errors=True)
    os.makedirs(path(name))
    return path(name)


def write_json(file, value):
    with open(file, "w", encoding="utf-8") as f:
        json.dump(value, f, ensure_ascii=False, indent=1)
        f.write("\n")


def train_sentencepiece(name, vocab, byte_fallback, **more):
    """As LLaMA's: BPE, identity normalization, digits apart, bytes as a fallback."""
    os.chdir(HERE)  # the model file holds its name
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(TRAINING), model_prefix=name, vocab_size=vocab, model_type="bpe",
        byte_fallback=byte_fallback, character_coverage=0.98, split_digits=True, allow_whitespace_only_pieces=True,
        remove_extra_whitespaces=False, normalization_rule_name="identity", num_threads=1, unk_id=0, bos_id=1, eos_id=2,
        pad_id=-1, minloglevel=2, **more)
    os.remove(path(name + ".vocab"))
    return path(name + ".model")


def slow(name, model, config, **files):
    """A directory of a slow tokenizer: the model, tokenizer_config.json, and what else is given."""
    d = fresh(name)
    shutil.copy(model, os.path.join(d, "tokenizer.model"))
    if config is not None:
        write_json(os.path.join(d, "tokenizer_config.json"), dict(config, tokenizer_class="LlamaTokenizer"))
    for file, value in files.items():
        write_json(os.path.join(d, file + ".json"), value)
    return name, LlamaTokenizer.from_pretrained(d)


def added(content, **flags):
    return dict({"content": content, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False,
                 "special": True}, **flags)


def slow_ones(model, no_bytes):
    """The combinations that LLaVA's models and others come with."""
    base = {str(i): added(t) for i, t in enumerate(["<unk>", "<s>", "</s>"])}
    n = spm.SentencePieceProcessor(model_file=model).get_piece_size()
    more = dict(base)
    more[str(n)] = added("<image>")
    more[str(n + 1)] = added("<|strip|>", lstrip=True, rstrip=True)
    more[str(n + 2)] = added("word", single_word=True, special=False)
    more[str(n + 3)] = added("<im_start>", special=False, normalized=True)
    more[str(n + 4)] = added("<im_start>x", special=True)
    yield slow("slow_new", model, dict(SYSTEM, legacy=False, added_tokens_decoder=base, add_bos_token=True))
    yield slow("slow_legacy", model, dict(SYSTEM, legacy=True, add_bos_token=True),
               special_tokens_map=dict(SYSTEM, pad_token="<unk>"))
    yield slow("slow_added_new", model, dict(SYSTEM, legacy=False, added_tokens_decoder=more,
                                             additional_special_tokens=["<image>", "<im_start>x"], pad_token="<unk>"))
    yield slow("slow_added_legacy", model, dict(legacy=True, clean_up_tokenization_spaces=True),
               special_tokens_map=dict(SYSTEM, additional_special_tokens=["<|last|>"]),
               added_tokens={"<image>": n, "<patch>": n + 1})
    yield slow("slow_no_prefix", model, dict(SYSTEM, legacy=False, add_prefix_space=False, added_tokens_decoder=base))
    yield slow("slow_bare", model, None)
    yield slow("slow_no_bytes", no_bytes, dict(SYSTEM, legacy=False, added_tokens_decoder=base))


def fast_llama(name, model, legacy):
    """Converted from the SentencePiece model, as tokenizer.json files of LLaMA models are."""
    d = fresh(name)
    shutil.copy(model, os.path.join(d, "tokenizer.model"))
    write_json(os.path.join(d, "tokenizer_config.json"), dict(SYSTEM, legacy=legacy, tokenizer_class="LlamaTokenizer"))
    t = LlamaTokenizerFast.from_pretrained(d, from_slow=True, legacy=legacy)
    t.add_tokens([AddedToken("<image>", special=True, normalized=False),
                  AddedToken("<|strip|>", lstrip=True, rstrip=True, special=True, normalized=False),
                  AddedToken("patch", normalized=True)])
    shutil.rmtree(d)
    t.save_pretrained(d)
    for file in os.listdir(d):
        if file not in ("tokenizer.json", "tokenizer_config.json"):
            os.remove(os.path.join(d, file))
    return name, LlamaTokenizerFast.from_pretrained(d)


def byte_level(name, pattern, **more):
    """GPT-2's way, or with a pattern Llama 3's."""
    t = Tokenizer(models.BPE(ignore_merges=pattern is not None))
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pattern is None)
    if pattern is not None:
        split = pre_tokenizers.Split(tokenizers.Regex(pattern), "isolated", invert=False)
        level = pre_tokenizers.Sequence([split, level])
    t.pre_tokenizer = level
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(TRAINING, trainers.BpeTrainer(vocab_size=600, show_progress=False,
                                                        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    t.add_special_tokens([AddedToken("<|begin|>", special=True, normalized=False),
                          AddedToken("<|end|>", special=True, normalized=False)])
    t.add_tokens([AddedToken(" padded ", normalized=False), AddedToken("<|strip|>", lstrip=True, rstrip=True)])
    if pattern is not None:
        t.post_processor = processors.Sequence([
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(single="<|begin|> $A", pair="<|begin|> $A <|begin|> $B",
                                          special_tokens=[("<|begin|>", t.token_to_id("<|begin|>"))])])
    d = fresh(name)
    t.save(os.path.join(d, "tokenizer.json"))
    write_json(os.path.join(d, "tokenizer_config.json"),
               dict({"bos_token": "<|begin|>", "eos_token": "<|end|>", "tokenizer_class": "PreTrainedTokenizerFast"}, **more))
    return name, PreTrainedTokenizerFast.from_pretrained(d)


def odd(name, pre_tokenizer, decoder, normalizer=None, unk=None, fuse=False):
    """Parts that a tokenizer.json may have besides, with a small vocabulary without bytes."""
    t = Tokenizer(models.BPE(unk_token=unk, fuse_unk=fuse))
    t.pre_tokenizer = pre_tokenizer
    t.normalizer = normalizer
    t.decoder = decoder
    t.train_from_iterator(TRAINING, trainers.BpeTrainer(vocab_size=300, show_progress=False, limit_alphabet=80,
                                                        special_tokens=["<unk>", "<s>", "</s>"]))
    d = fresh(name)
    t.save(os.path.join(d, "tokenizer.json"))
    return name, PreTrainedTokenizerFast(tokenizer_file=os.path.join(d, "tokenizer.json"), bos_token="<s>",
                                         eos_token="</s>", unk_token="<unk>")


def fast_ones(model):
    yield fast_llama("fast_new", model, False)
    yield fast_llama("fast_legacy", model, True)
    yield byte_level("byte_gpt2", None)
    yield byte_level("byte_llama3", LLAMA3, clean_up_tokenization_spaces=True)
    p, d = pre_tokenizers, decoders
    yield odd("odd_metaspace", p.Metaspace(prepend_scheme="always", split=True), d.Metaspace(), unk="<unk>")
    yield odd("odd_first", p.Metaspace(prepend_scheme="first", split=False), d.Metaspace(prepend_scheme="never"), unk="<unk>",
              fuse=True)
    yield odd("odd_previous", p.Sequence([p.Split(" ", "merged_with_previous"),
                                          p.Split(tokenizers.Regex(r"[\s\p{P}]"), "contiguous")]), d.Fuse())
    yield odd("odd_next", p.Split(tokenizers.Regex(r"\p{Lu}|\s"), "merged_with_next"),
              d.Sequence([d.Replace("e", "E"), d.Strip(" ", 2, 0)]),
              normalizers.Sequence([normalizers.Replace("  ", " "), normalizers.Prepend(" ")]))
    yield odd("odd_removed", p.Split(tokenizers.Regex(r"\w+"), "removed", invert=True), None)


def decode(t, ids, skip):
    return t.decode(ids, skip_special_tokens=skip).encode("utf-8").hex()


def decodable(t, rng):
    """Rows of ids that no text gives: random ones, bytes cut in the middle of characters, special tokens anywhere."""
    size = len(t)
    ids = [i for i in range(size) if t.convert_ids_to_tokens(i) is not None]
    special = [i for i in t.all_special_ids] or ids[:1]
    for n in (1, 2, 3, 5, 30):
        for _ in range(4):
            yield [rng.choice(special if rng.random() < 0.2 else ids) for _ in range(n)]
    low = [i for i in ids if i < 262]
    for _ in range(20):
        yield [rng.choice(low) for _ in range(rng.randrange(1, 12))]


def cases_of(name, t):
    rng = random.Random(name)
    cases = []
    for raw in ALL:
        ids = t.encode(characters(raw), add_special_tokens=False)
        back = decode(t, ids, False) if ids else ""
        cases.append([ids] if back == raw.hex() else [ids, back])
    rows = [[ids, decode(t, ids, False), decode(t, ids, True)] for ids in decodable(t, rng)]
    return {"bos": t.bos_token_id, "eos": t.eos_token_id, "unk": t.unk_token_id, "size": len(t),
            "legacy": bool(getattr(t, "legacy", True)), "encode": cases, "decode": rows}


def main():
    model = train_sentencepiece("trained", 640, True)
    no_bytes = train_sentencepiece("trained_no_bytes", 380, False)
    texts = [[raw.hex(), len(characters(raw).split())] for raw in ALL]
    answers = {"texts": texts}
    for name, t in list(slow_ones(model, no_bytes)) + list(fast_ones(model)):
        answers[name] = cases_of(name, t)
        print(name, len(answers[name]["encode"]), len(answers[name]["decode"]))
    os.remove(model)
    os.remove(no_bytes)
    with open(path("tokens.json"), "w") as f:
        json.dump(answers, f, separators=(",", ":"))
        f.write("\n")
    with open(path("versions.txt"), "w") as f:
        f.write(f"Python {sys.version.split()[0]}\ntransformers {transformers.__version__}\n"
                f"tokenizers {tokenizers.__version__}\nsentencepiece {spm.__version__}\n")


if __name__ == "__main__":
    main()
