"""The texts: what the small tokenizers are trained on, and what they are tried with."""
import random

SUBJECTS = ["a dog", "the old man", "two children", "a red bus", "the cat", "somebody", "a woman in a blue coat", "it"]
VERBS = ["is sitting on", "looks at", "was painted beside", "doesn't like", "runs past", "they're holding", "I've seen"]
OBJECTS = ["a wooden bench", "the 3 windows", "a sign that says STOP", "the river, in 2019", "12345 stones", "a café",
           "the woman's hat", "Zürich", "naïve art", "words"]
TRAINING = [f"{s} {v} {o}{end}" for s in SUBJECTS for v in VERBS for o in OBJECTS for end in (".", "!", " , yes?")]
TRAINING += ["USER: <image>\nWhat is in the picture? ASSISTANT: A dog.", "A chat between a curious user and an assistant.",
             "日本語 中文 日本 中国", "привет мир", "مرحبا بالعالم", "x = {'a': [1, 2], \"b\": None}", "  two  spaces   three"] * 8

TEXTS = [
    "", " ", "  ", "     ", "\n", "\n\n", "\t", "\r\n", " \n ", "a", " a", "a ", "  a  ", "hello world", "Hello, world!",
    "a dog is sitting on a wooden bench.", "the  old   man    looks", "line one\nline two\n\nline four\n", "tab\there\t\tthere",
    "12345 67890 3.14 1,000", "don't I'LL they've WE'RE 'S", "café naïve Zürich", "cafe\u0301 nai\u0308ve", "a\u0300\u0301\u0302\u0303",
    "日本語のテキスト", "中文字符，全角。", "한국어 문장", "привет, мир!", "مرحبا بالعالم", "שלום עולם", "abc مرحبا 123 שלום def",
    "ไทย ภาษา", "हिन्दी", "😀", "👩‍👩‍👧‍👦 family", "🏳️‍🌈🇩🇪👍🏽", "a😀b 😀 c", "\u200b\u200d\ufeff", "\ufeffBOM", "a\u00a0b\u2003c\u3000d\u2028e",
    "\u0085next\u0085", "\u001c\u001d\u001e\u001f", "\x00", "a\x00b", "\x01\x02\x7f", "\ufffd", "\ufffe\uffff", "\U0010ffff", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝕏",
    "▁", "▁▁a", "a▁b", " ▁ ", "a▁", "<s>", "</s>", "<unk>", " <s>", "<s> ", "<s><s>", "<s></s><unk>", "Hello <s>.", "Hello<s>world</s>",
    "</s> a", "a</s> b </s>c", "<s>▁a", "<s> \n", "<image>", "<image>\nWhat?", "What <image> is <image>", " <image> ", "<imag", "<image",
    "<<image>>", "a <|strip|> b", "a  <|strip|>  \n b<|strip|>c", "<|strip|>", "  <|strip|>  <|strip|>  ", "<|last|> <patch>",
    "word", "a word b", "aword", "worda", "word word", "a wordword b", "password words", "<im_start>", "<im_start>x", "<im_start><im_start>xy",
    "patch", "a patch b", "patches", "dispatch", " patch", "<|begin|>a<|end|>", " padded ", "a padded b", "a  padded  padded b",
    "<0x41>", "<0x00>", "<0xE4><0xBD>", "ÀÉÎõü ß ǅ", "ﬁ ligature", "①②③ Ⅳ ½", "x^2 + y_1 != {z}", "http://a.b/c?d=e&f=%20#g",
    "def f(x):\n    return x\n", "\t\tindent\n  \n", "....!!!???", "---***===", "\"quoted\" 'single' `tick`", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "USER: <image>\nWhat is in the picture? ASSISTANT:", "ASSISTANT: A dog.</s>USER: And now? ASSISTANT: A cat.</s>", "a . b ? c ! d , e ' f n't 'm 's 've 're",
]
BROKEN = [
    b"\xff", b"a\xffb", b"\x80\x80", b"\xe6\x97", b"a\xe6\x97", b"\xe6\x97a", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xf0\x9f\x98",
    b"ok \xf0\x9f\x98 ok", b"\xfe\xff<s>\xff", b"\xc3(", b"\xe2\x82\xac\xe2\x82", b"\xf8\x88\x80\x80\x80", b"\xe2\x96\xe2\x96\x81a",
]


def random_texts(n):
    """Mixtures of everything, always the same."""
    rng = random.Random(7)
    parts = [t for t in TEXTS if t] + [chr(rng.choice([rng.randrange(32, 127), rng.randrange(0xa0, 0x3000),
                                                       rng.randrange(0x4e00, 0x9fff), rng.randrange(0x1f300, 0x1f6ff)]))
                                       for _ in range(60)]
    for _ in range(n):
        yield "".join(rng.choice(parts) + rng.choice(["", "", " ", "\n"]) for _ in range(rng.randrange(1, 7)))


def characters(raw):
    """What the bytes mean: U+FFFD for each byte that belongs to no character."""
    out, at = [], 0
    while at < len(raw):
        for size in (1, 2, 3, 4):
            try:
                out.append(raw[at:at + size].decode("utf-8"))
                at += size
                break
            except UnicodeDecodeError:
                continue
        else:
            out.append("\ufffd")
            at += 1
    return "".join(out)


ALL = [t.encode("utf-8") for t in TEXTS] + BROKEN + [t.encode("utf-8") for t in random_texts(30)]
