#!/usr/bin/env python3
"""generate.py [DIR]: questions of every family, answers of the kinds that models give, and what reference.py makes of
them.

NAME.jsonl, NAME.answers.jsonl: a small benchmark and one run's answers; expected.json: prompts, totals, intervals, and for every
question of a few and every answer of `SAID` its score and letter. Deterministic; written with Python 3.11.
"""
import hashlib
import json
import pathlib
import random
import sys

import reference as ref
from interval import intervals

DIR = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent

SAID = ["", " ", "\n", "A", "B", "a", "A.", "B.", "b.", "(B)", "(b)", "B)", "B).", "(B).", ":B", ":B.", ":C)", "B:",
        "B,", "Answer: C", "Answer:C", "Answer: C.", "The answer is D because it is the only one.",
        "The answer is A.", "A red bus is parked", "A red bus", "A or B", "A B", "B and B", "(A) or (B)",
        "(A) no, (B)", "(B), then (A)", "Both A. and B.", "A. B. C. D.", "E", "F", "Z", "B. the blue one",
        "B the blue one", "the blue one", "It must be the blue one", "I think it is the blue one, not the red bus",
        "RED BUS", "It is a red bus I think so really", "CHINA is it", "Option C", "option c", "\tB\n", " B", "B ",
        "'B'", "\"B\"", "**B**", "B!", "B?", "B;", "B'", "yes", "Yes", "YES.", "yes, it is", "No", "no.",
        "No, it isn't", "Nope", "not yes", "It is yes", "I say no", ".yes", " . yes", "y.es", "yesno", "noyes",
        "oui", "\u00a0yes\u00a0", "\u3000no", "\u0130stanbul no", "N\u00f3", "Yes\nYes\nYes\nYes", "yes " * 500,
        "unanswerable", "Unanswerable.", "unanswerable, unanswerable", "a dog", "The Dog", "dog's", "dogs", "dog,",
        "dog.", "dog!", "dog-house", "dog - house", "dog -house", "the the dog", "two", "2", "2.", "2.0", "2.50",
        "2.5.", "none", "None of them", "ten", "1,000", "1000", "1,000,000.5", "-1,000", "dont", "don't",
        "Dont know", "couldnt've", "somebody'd", "isnt it", "it's", "its", "she's", "yall'd've", "well", "o'clock",
        "10 oclock", "10:30", "10/30", "10 / 30", "a/b", "x = 5", "x=5", "y = 2x\nx = 5", "so x is 5.", "5 cm",
        "5cm", "5\u00b5m", "5\u00b0", "5\u00b2", "5e3", "5E+3", "1.5e-3", "5e", "e5", ".5", "-.5", "-5", "--5",
        "5-5", "1.2.3", "3.14159", "3.145", "3.135", "2.675", "1e400", "inf", "nan", "infinity", "0x10", "1_000",
        "_1", "1__0", "1,23", "12,345 and 6,789", "1234,567", "12,3456", "$1,234.56", "about 1,234 m",
        "is 5 or is 25 or so", "The final answer is:", "answer is .", "result = ", "is is", "could be 5. Could be 6",
        "thus = 7", "The answer is x", "x", "An x here", "ax", "x ray", "final  x", "is\u00a0x", "=", "= 5 =",
        "so\nthus 5\nis 6", "I do not know", "...", "." * 40 + "x", "a.b.c." * 20, "\u00c4PFEL", "\u00e4pfel",
        "\u0395\u03bb\u03bb\u03ac\u03b4\u03b1", "\u4e94", "\u4e945", "5\u4e94", "\U0001f600 B", "B\u200b",
        "\u2003B\u2003", "na\u00efve", "caf\u00e9 (noir)", "\u201cB\u201d", "B\x1cC", "A" * 3000, "ha " * 400,
        "The answer is The answer is The answer is B", "A: yes B: no", "1) red 2) blue", "(a) red bus",
        "the final 5 is \nresult 7", "y = 5\nresult 7", "1,2345", "x1,234 more", "we saw 5, then none", "5,000,12",
        "5.e3"]


def wheel(rows, n):
    """Rows' options rotated as the circular variants are; the answer's letter moves along."""
    out = []
    for k in range(n):
        q = dict(rows)
        q["options"] = rows["options"][k:] + rows["options"][:k]
        right = rows["options"][ord(rows["answer"]) - 65]
        q["answer"] = "ABCDE"[q["options"].index(right)]
        q["id"] = str(int(rows["group"]) + k * 1000000)
        out.append(q)
    return out


def mmbench():
    out = []
    for g in range(12):
        n = [4, 4, 3, 2][g % 4]
        base = {"benchmark": "mmbench", "group": str(240 + g), "image": f"{240 + g}.jpg",
                "question": f"Which one, number {g}?", "options": ["red bus", "the blue one", "China", "7 or 5"][:n],
                "answer": "ABCD"[g % n],
                "category": ["localization", "ocr", "attribute"][g % 3]}
        if g % 2:
            base["hint"] = "Look at the picture."
        out += wheel(base, n)
    out.append({"benchmark": "mmbench", "id": "990", "image": "990.jpg", "question": "Holes?", "answer": "D",
                "options": ["Red", None, "Green\n", "Blue\n\n", "none of these\n"], "category": "ocr"})
    return sorted(out, key=lambda q: int(q["id"]))


def mme():
    out = []
    for i, c in enumerate(ref.PERCEPTION + ref.COGNITION):
        for k in range(2 + i % 2):
            for a in ("Yes", "No"):
                out.append({"benchmark": "mme", "id": f"{c}-{k}-{a}", "group": f"{c}/{k}.png", "image": f"{c}/{k}.png",
                            "question": f" Is there one of {c}? Please answer yes or no.", "answer": a, "category": c})
    return out


def mmmu():
    common = {"benchmark": "mmmu"}
    rows = [
        {"question": "What is in <image 1>?", "options": ["red bus", "the blue one", "China", "7"], "answer": "B"},
        {"question": "Pick.", "options": ["<image 2>", "<image 3>", "<image 8>"], "answer": "C",
         "image": ["a.png", "b.png", "c.png"]},
        {"question": "Seven <image 7> <image> <image 1", "answer": "G",
         "options": "red dog yes dont two 5 x".split()},
        {"question": "How long is <image 1>?", "answer": "5"},
        {"question": "How much?", "answers": ["1,000", "one thousand"]},
        {"question": "Which letter?", "answer": "x"},
        {"question": "Ratio?", "answers": ["3.14", "2.68", "-0.5"]},
        {"question": "Who?", "answers": ["dog house", "\u00c4pfel"]},
        {"question": "Big?", "answers": ["inf", "5000"]},
        {"question": "Cut?", "answers": ["1234", "12"]},
    ]
    return [common | {"id": f"validation_{s}_{i}", "image": f"{s}{i}.png", "category": s} | r
            for s in ("Art", "Math") for i, r in enumerate(rows)]


def vqa(name):
    def people(*counts):
        return [a for a, n in counts for _ in range(n)]
    rows = [
        ("WHAT Animal is This?", people(("dog", 4), ("a dog", 1), ("the Dog.", 1), ("cat", 4))),
        ("how many?", people(("2", 1), ("3", 2), ("none", 3), ("10:30", 4))),
        ("what does it say?", people(("dont", 1), ("don't", 1), ("it's", 2), ("dog-house", 3), ("dog house", 3))),
        ("\u00e4h, what?", people(("unanswerable", 7), ("unsuitable", 3))),
        ("which number?", people(("1000", 3), ("1,000", 3), ("5", 2), ("5 cm", 2))),
        ("what is it", people(("somebodyd", 2), ("", 1), ("cafe noir", 1), ("caf\u00e9 noir", 6))),
        ("and this?", people(("unanswerable", 3), ("yes", 4), ("no", 3))),
    ]
    out = []
    for i, (q, a) in enumerate(rows):
        one = {"benchmark": name, "id": str(1000 + i), "image": f"{i // 2}.jpg", "question": q, "answers": a}
        if name != "textvqa":
            one["category"] = ["other", "number"][i % 2]
        out.append(one)
    return out


def scienceqa():
    out = []
    for i in range(16):
        q = {"benchmark": "scienceqa", "id": str(i), "question": f"Which is it, {i}?",
             "options": ["red bus", "the blue one", "China", "7", "x"][:2 + i % 4], "answer": "ABCDE"[i % (2 + i % 4)],
             "category": ["natural science", "social science", "language science"][i % 3]}
        if i % 2:
            q["image"] = f"test/{i}/image.png"
        if i % 3 == 0:
            q["hint"] = "Look.\nTwice."
        out.append(q)
    return out


def seed():
    return [{"benchmark": "seed", "id": str(i), "question": f"What happens in {i}?",
             "options": ["red bus", "the blue one", "C", "7"], "answer": "ABCD"[i % 4], "category": str(1 + i % 5)} |
            ({"media": "video", "image": [f"v{i}/0.jpg", f"v{i}/1.jpg"]} if i % 5 == 4 else {"image": f"{i}.jpg"})
            for i in range(20)]


def answer_for(q, rng):
    """Mostly something sensible, often right, at times anything."""
    right = ref.answers_of(q)[0]
    return rng.choice([right] * 4 + [right + ".", f"({right})", f"The answer is {right}", "A", "B", "yes", "no", "5",
                                     rng.choice(SAID), ""])


def write_lines(path, rows):
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), encoding="utf-8")


def main():
    sets = {"mmbench": mmbench(), "mme": mme(), "mmmu": mmmu(), "okvqa": vqa("okvqa"), "textvqa": vqa("textvqa"),
            "vizwiz": vqa("vizwiz"), "scienceqa": scienceqa(), "seed": seed()}
    expected = {"said": SAID, "normal": [ref.vqa_normal(s) for s in SAID], "benchmarks": {}}
    for name, questions in sets.items():
        rng = random.Random(name)
        said = [answer_for(q, rng) for q in questions]
        write_lines(DIR / f"{name}.jsonl", questions)
        write_lines(DIR / f"{name}.answers.jsonl", [{"id": q["id"], "answer": a} for q, a in zip(questions, said)])
        few = {"mmbench": [0, -1], "mme": [0, 1], "mmmu": range(10), "scienceqa": [3], "seed": [1]}.get(name, range(7))
        cases = []
        for i in few if name not in ("textvqa", "vizwiz") else []:
            i %= len(questions)
            judged = [ref.JUDGES[name](questions[i], s) for s in SAID]
            cases.append({"question": i, "scores": [j[0] for j in judged],
                          "parsed": "".join("01"[j[1]] for j in judged),
                          "letters": "".join(j[2] or "-" for j in judged)})
        random_totals = ref.totals(questions, said, True)
        expected["benchmarks"][name] = {"prompts": [ref.prompt(q) for q in questions], "cases": cases,
                                        "totals": ref.totals(questions, said, False), "random": random_totals,
                                        "intervals": intervals(questions, said)}
    random.seed(2680)
    expected["choices"] = [random.choice(range(1 + i % 30)) for i in range(2000)]
    every = "".join(f"{c.lower()}{int(c.isalnum() or c == '_')}{int(c.isspace())}\n"
                    for c in map(chr, range(1, 0x110000)) if not 0xD800 <= ord(c) <= 0xDFFF)
    expected["characters"] = hashlib.sha256(every.encode()).hexdigest()
    (DIR / "expected.json").write_text(json.dumps(expected, indent=None, ensure_ascii=True) + "\n")


if __name__ == "__main__":
    main()
