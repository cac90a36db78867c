"""An independent implementation of prompts, judges and totals of the eight families, in the language that the original
programs are written in, so that strip(), split(), lower(), regular expressions and random.choice() are the real ones.

Only the rules are shared with worker/benchmark; docs/benchmarks.md describes them.
"""
import random
import re
import statistics

PERCEPTION = "existence count position color posters celebrity scene landmark artwork OCR".split()
COGNITION = "commonsense_reasoning numerical_calculation text_translation code_reasoning".split()
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
BY_LETTER = "Answer with the option's letter from the given choices directly."
BY_WORD = "Answer the question using a single word or phrase."
OR_NOT = "When the provided information is insufficient, respond with 'Unanswerable'."


def options_of(q):
    return {l: o for l, o in zip(LETTERS, q.get("options") or []) if o is not None}


def answers_of(q):
    return q["answers"] if "answers" in q else [q["answer"]]


def images_of(q):
    v = q.get("image")
    return [] if v is None else v if isinstance(v, list) else [v]


# ---- prompts -------------------------------------------------------------------------------------------------------

def prompt(q):
    lines = "\n".join(f"{l}. {o}" for l, o in options_of(q).items())
    hint, ask, name = q.get("hint"), q["question"], q["benchmark"]
    if name == "mmbench":
        block = f"There are several options:\n{lines}\n".rstrip("\n")
        text = (f"{hint} " if hint else "") + f"{ask} {block}\n\n{BY_LETTER}"
    elif name == "mme":
        text = ask.strip().replace(" Please answer yes or no.", "") + "\n" + BY_WORD
    elif name == "mmmu":
        text = f"{ask}\n{lines}\nAnswer with the option letter from the given choices directly." if lines else \
            f"{ask}\n{BY_WORD}"
        text = re.sub("<image [1-7]>", "<image>", text)
    elif name == "okvqa":
        text = f"{ask}\n{OR_NOT}\n{BY_WORD}"
    elif name == "textvqa":
        text = f"{ask.capitalize()}\n{BY_WORD}"
    elif name == "vizwiz":
        text = f"{ask.capitalize()}\n{OR_NOT}\n{BY_WORD}"
    elif name == "scienceqa":
        text = (f"Context: {hint}\n" if hint else "") + f"{ask}\n{lines}\n{BY_LETTER}"
    elif name == "seed":
        text = f"{ask}\n{lines}\n{BY_LETTER}"
    return text if "<image>" in text or not images_of(q) else "<image>\n" + text


# ---- judges: (score, parsed, letter) ---------------------------------------------------------------------------------

def by_letter(q, letter):
    return (float(letter == q["answer"]), letter is not None, letter)


def mmbench_letter(q, said):
    words = said.split()
    bare = [l for l in "ABCDE" if l in words]
    if len(bare) == 1 and not ("A" in words and len(words) > 3):
        return bare[0]
    for before, after in [("", "."), ("", ","), ("", ":"), ("", ")"), ("", ")."), ("(", ")"), ("(", ")."), (":", ""),
                          (":", ","), (":", "."), (":", ")"), (":", ").")]:
        hits = [l for l in "ABCDE" if before + l + after in words]
        if len(hits) == 1:
            return hits[0]
    hits = [l for l, o in options_of(q).items() if o.lower() in said.lower()]
    return hits[0] if len(hits) == 1 else None


def mme(q, said):
    said = said.lower().strip().replace(".", "")
    got = said if said in ("yes", "no") else "yes" if "yes" in said[:4] else "no" if "no" in said[:4] else None
    return (float(got == q["answer"].lower()), got is not None, None)


def mmmu_letter(q, said):
    for mark in ",.!?;:'":
        said = said.strip(mark)
    said = f" {said} "
    options = options_of(q)
    for find, place in [("({})", "({})"), ("{} ", " {} "), ("{}.", " {} ")]:
        hits = [l for l in options if find.format(l) in said]
        if hits:
            return max(hits, key=lambda l: said.rfind(place.format(l)))
    if len(said.split()) > 5:
        low = said.lower()
        hits = [l for l, o in options.items() if o.lower() in low]
        if hits:
            return max(hits, key=lambda l: low.rfind(options[l].lower()))
    return None


def normal(text):
    """A list of what a text or number stands for."""
    text = text.strip()
    try:
        return [round(float(text.replace(",", "")), 2)]
    except ValueError:
        text = text.lower()
        return [" " + text, text + " "] if len(text) == 1 else [text]


def open_values(said):
    said = said.strip().strip(".").lower()
    parts, lines = [], re.split(r"\.\s(?=[A-Z])|\n", said)
    for i, line in enumerate(lines):
        phrases = ["could be ", "so ", "is ", "thus ", "therefore ", "final ", "answer ", "result "]
        best = None
        for phrase in phrases + (["="] if i == len(lines) - 1 else []):
            if phrase in line:
                tail = line.split(phrase)[-1].strip()
                if not best or len(tail) < len(best):
                    best = tail
        if best and best not in [":", ",", ".", "!", "?", ";", "'"]:
            parts.append(best)
    parts = parts or [said]
    found = list(parts)
    for part in parts:
        for pattern in (r"-?\b[0-9]{1,3}(?:,[0-9]{3})+\b", r"-?[0-9]+(?:\.[0-9]+)?[eE][+-]?[0-9]+",
                        r"-?(?:[0-9]+\.[0-9]+|\.[0-9]+|[0-9]+\b)(?![eE][+-]?[0-9]+)(?![,0-9])"):
            found += re.findall(pattern, part)
    return [v for text in found for v in normal(text)], said


def mmmu(q, said):
    if options_of(q):
        return by_letter(q, mmmu_letter(q, said))
    values, clean = open_values(said)
    gold = [v for a in answers_of(q) for v in normal(a)]
    right = any(any(isinstance(g, str) and g in v for g in gold) if isinstance(v, str) else v in gold for v in values)
    return (float(right), clean != "", None)


MARKS = [";", "/", "[", "]", '"', "{", "}", "(", ")", "=", "+", "\\", "_", "-", ">", "<", "@", "`", ",", "?", "!"]
NUMBERS = {w: str(i) for i, w in enumerate("zero one two three four five six seven eight nine ten".split())}
NUMBERS["none"] = "0"


def words_without_apostrophes():
    """The table, made from what it stands for: each contraction without one of its apostrophes, or without any."""
    plain = ("ain't aren't can't could've couldn't didn't doesn't don't hadn't hasn't haven't he'd he's how'd "
             "how'll how's isn't it'd it'll ma'am mightn't might've mustn't must've needn't not've o'clock "
             "oughtn't shan't should've shouldn't somebody'll somebody's someone'd someone'll someone's "
             "something'd something'll that's there'd there're there's they'd they'll they're they've wasn't we've "
             "weren't what'll what're what's what've when's where'd where's where've who'd who'll who's who've "
             "why'll why're why's won't would've wouldn't y'all you'd you'll you're you've").split()
    double = ("couldn't've hadn't've he'd've it'd've mightn't've she'd've shouldn't've somebody'd've someone'd've "
              "something'd've there'd've they'd've we'd've who'd've wouldn't've y'all'll you'd've").split()
    table = {c.replace("'", ""): c for c in plain}
    for c in double:
        first, second, third = c.split("'")
        table[f"{first}{second}'{third}"] = c
        table[f"{first}'{second}{third}"] = c
    table |= {"twas": "'twas", "ow's'at": "'ow's'at", "'ows'at": "'ow's'at", "'ow'sat": "'ow's'at",
              "yall'd've": "y'all'd've", "y'alld've": "y'all'd've", "y'all'dve": "y'all'd've",
              "somebody'd": "somebodyd"}
    return table


CONTRACTIONS = words_without_apostrophes()


def vqa_normal(text):
    text = text.lower().replace(",", "").replace("?", "").replace("'s", " 's").strip()
    text = text.replace("\n", " ").replace("\t", " ").strip()
    out = text
    for mark in MARKS:
        touches = mark + " " in text or " " + mark in text or re.search(r"(?<=\d)(\,)+(?=\d)", text)
        out = out.replace(mark, "" if touches else " ")
    out = re.sub(r"(?!<=\d)(\.)(?!\d)", "", out, count=32)
    words = [NUMBERS.get(w, w) for w in out.lower().split()]
    return " ".join(CONTRACTIONS.get(w, w) for w in words if w not in ("a", "an", "the"))


def vqa(q, said):
    said, given = vqa_normal(said), [vqa_normal(a) for a in answers_of(q)]
    each = [min(1, sum(said == g for k, g in enumerate(given) if k != i) / 3) for i in range(len(given))]
    return (statistics.mean(each), said != "", None)


def scienceqa(q, said):
    letter = said if len(said) == 1 else said[0] if len(said) >= 2 and said[0].isupper() and said[1] == "." else None
    return by_letter(q, letter if letter and letter in LETTERS[:len(q["options"])] else None)


def seed(q, said):
    first = said.strip()[:1]
    return by_letter(q, first if first and first in LETTERS[:len(q["options"])] else None)


def mmbench(q, said):
    return by_letter(q, mmbench_letter(q, said))


JUDGES = {"mmbench": mmbench, "mme": mme, "mmmu": mmmu, "okvqa": vqa, "textvqa": vqa, "vizwiz": vqa,
          "scienceqa": scienceqa, "seed": seed}


# ---- totals ----------------------------------------------------------------------------------------------------------

def mean(values):
    return sum(values) / len(values)


def totals(questions, said, guess):
    """Every number of a benchmark by name; `guess`: letters are drawn where none was found."""
    name = questions[0]["benchmark"]
    judged = [JUDGES[name](q, a) for q, a in zip(questions, said)]
    scores, out, drawn = [j[0] for j in judged], {}, 0
    by_category = {}
    if name == "mmbench":
        random.seed(2680)
        groups = {}
        for i, q in enumerate(questions):
            groups.setdefault(q.get("group", ("alone", i)), []).append(i)
        circular = []
        for rows in groups.values():
            ok = all(scores[i] for i in rows if judged[i][1])
            for i in rows if ok else []:
                if not judged[i][1]:
                    if guess:
                        options = list(options_of(questions[i]))
                        letter = random.choice(options + (["E"] if "E" not in options else []))
                        scores[i] = float(letter == questions[i]["answer"])
                        drawn += 1
                    if not scores[i]:
                        ok = False
                        break
            circular.append(100.0 * ok)
            by_category.setdefault(questions[rows[0]].get("category"), []).append(100.0 * ok)
        out["circular_accuracy"] = mean(circular)
        out["accuracy"] = 100 * mean(scores)
    elif name == "mme":
        pictures = {}
        for q, s in zip(questions, scores):
            pictures.setdefault((q["category"], q["group"]), []).append(s)
        for (category, _), pair in pictures.items():
            by_category.setdefault(category, []).append(100 * mean(pair) + 100 * (min(pair) == 1))
        for total, subtasks in (("perception", PERCEPTION), ("cognition", COGNITION)):
            if any(c in by_category for c in subtasks):
                out[total] = sum(mean(by_category[c]) for c in subtasks if c in by_category)
        out["accuracy"] = 100 * mean(scores)
    else:
        if name == "mmmu" and guess:
            random.seed(0)
            for i, q in enumerate(questions):
                if options_of(q) and not judged[i][1]:
                    scores[i] = float(random.choice(list(options_of(q))) == q["answer"])
                    drawn += 1
        parts = {"vqa" if JUDGES[name] is vqa else "accuracy": scores}
        pick = {"mmmu": lambda q: "choice_accuracy" if options_of(q) else "open_accuracy",
                "scienceqa": lambda q: "image_accuracy" if images_of(q) else "text_accuracy",
                "seed": lambda q: q.get("media", "image") + "_accuracy"}.get(name)
        for q, s in zip(questions, scores):
            if pick:
                parts.setdefault(pick(q), []).append(s)
            if "category" in q:
                by_category.setdefault(q["category"], []).append(100 * s)
        if name == "scienceqa":
            parts["pooled_accuracy"] = scores + parts.get("image_accuracy", [])
        out |= {k: 100 * mean(v) for k, v in parts.items()}
    out |= {f"category:{c}": mean(v) for c, v in by_category.items() if c is not None}
    return out | {"questions": len(questions), "unparsed": sum(not j[1] for j in judged), "drawn": drawn}
