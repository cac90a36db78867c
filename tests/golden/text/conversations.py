#!/usr/bin/env python3
"""Templates and label masks, derived from the rules of LLaVA's training (its paper's code, llava/train/train.py) by another
way than its code: spans of tokens are laid out first, masks follow from them. Run after generate.py, with the same
packages; writes conversations.json beside itself: for each sample all its ids, and for each way of masking and cutting how
many of them stay and which of those are targets."""
import json
import os

from transformers import LlamaTokenizer, LlamaTokenizerFast

HERE = os.path.dirname(os.path.abspath(__file__))
IMAGE, IGNORED, TAG = -200, -100, "<image>"
SYSTEM = ("A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, "
          "detailed, and polite answers to the user's questions.")
TOKENIZERS = {"slow_new": LlamaTokenizer, "slow_legacy": LlamaTokenizer, "slow_no_bytes": LlamaTokenizer,
              "fast_new": LlamaTokenizerFast}


class Text:
    """Texts to ids; with images, what stands for one is a hole between texts."""

    def __init__(self, tokenizer, images):
        self.tokenizer, self.images = tokenizer, images

    def ids(self, text):
        pieces = text.split(TAG) if self.images else [text]
        out = [self.tokenizer.bos_token_id]
        for i, piece in enumerate(pieces):
            out += [IMAGE] * (i > 0) + self.tokenizer(piece, add_special_tokens=False).input_ids
        return out


def rewritten(value):
    if TAG not in value:
        return value
    return (TAG + "\n" + "".join(value.split(TAG)).strip()).strip()


def vicuna_text(turns):
    out = SYSTEM + " "
    for who, value in turns:
        human = who == "human"
        out += "USER:" if human else "ASSISTANT:"
        if value:
            out += " " + value + (" " if human else "</s>")
    return out


def vicuna(tokenizer, turns, has_image, one_less, most):
    turns = turns[1:] if turns[0][0] == "gpt" else turns
    if any(who != ("human", "gpt")[i % 2] for i, (who, _) in enumerate(turns)):
        return None
    if has_image:
        turns = [(who, rewritten(value)) for who, value in turns]
    text, ids_of = vicuna_text(turns), Text(tokenizer, has_image)
    ids = ids_of.ids(text)
    if not has_image:
        ids = ids[:most]
    answers, place = [], 1
    for i, part in enumerate(text.split("</s>")):
        halves = part.split(" ASSISTANT: ")
        if not part or len(halves) != 2:
            break
        less = 1 if one_less and i else 0
        length = len(ids_of.ids(part)) - less
        question = len(ids_of.ids(halves[0] + " ASSISTANT: ")) - 2 - less
        answers.append((place + question, place + length))
        place += length
    labels = [IGNORED] * len(ids)
    for first, end in answers:
        labels[first:min(end, len(ids))] = ids[first:end]
    present = sum(i != tokenizer.unk_token_id for i in ids)
    mismatch = place < most and place != present
    if mismatch:
        labels = [IGNORED] * len(ids)
    return ids, labels, place, present, mismatch


def plain(tokenizer, turns, has_image):
    if len(turns) != 2 or [who for who, _ in turns] != ["human", "gpt"] or not has_image or TAG not in turns[0][1]:
        return None
    ids = Text(tokenizer, True).ids(TAG + rewritten(turns[1][1]) + "\n")
    return ids, [IGNORED, IGNORED] + ids[2:], 0, 0, False


def spans_of(labels, ids):
    """Where labels are, as [first, behind the last]: they are the ids. An image has none."""
    out = []
    for k, label in enumerate(labels):
        if label == IGNORED or label == IMAGE:
            continue
        assert label == ids[k]
        if out and out[-1][1] == k:
            out[-1][1] = k + 1
        else:
            out.append([k, k + 1])
    return out


def encode(tokenizer, template, turns, has_image, masks, most):
    one_less = masks == "new" or masks == "auto" and not tokenizer.legacy
    answer = (plain(tokenizer, turns, has_image) if template == "plain" else
              vicuna(tokenizer, turns, has_image, one_less, most))
    if answer is None:
        return {"error": True}
    ids, labels, counted, present, mismatch = answer
    spans = spans_of([label for i, label in zip(ids, labels)][:most], ids)
    return {"n": len(ids[:most]), "targets": spans, "counted": counted, "present": present, "mismatch": mismatch,
            "cut": len(ids) > most or (not has_image and len(Text(tokenizer, False).ids(vicuna_text(
                turns[1:] if turns[0][0] == "gpt" else turns))) > most)}


def rounds(n, image):
    out = []
    for i in range(n):
        tag = "<image>\n" if image and i == 0 else ""
        out += [("human", f"{tag}What is the man doing, number {i}?"), ("gpt", f"He looks at {i + 1} windows.\nYes!")]
    return out


CONVERSATIONS = [
    ("one", rounds(1, True), True), ("two", rounds(2, True), True), ("five", rounds(5, True), True),
    ("text", rounds(1, False), False), ("text_three", rounds(3, False), False),
    ("text_with_tag", [("human", "What does <image> mean?"), ("gpt", "It is <image>, a tag.")], False),
    ("gpt_first", [("gpt", "Hello, I begin.")] + rounds(2, True), True),
    ("gpt_only", [("gpt", "Hello.")], False),
    ("middle", [("human", "What is in <image> this picture?"), ("gpt", "A dog.")], True),
    ("end", [("human", "What is in this picture?\n<image>"), ("gpt", "A dog.")], True),
    ("twice", [("human", " <image>\n <image> What? "), ("gpt", "A dog.")], True),
    ("second_turn", rounds(1, True) + [("human", "And <image>here?"), ("gpt", "A cat.")], True),
    ("in_answer", [("human", "<image>\nDraw."), ("gpt", "Here: <image>")], True),
    ("only_tag", [("human", "<image>"), ("gpt", "a dog is sitting on a wooden bench.")], True),
    ("no_tag", [("human", "Look."), ("gpt", "At what?")], True),
    ("odd_turns", rounds(1, True) + [("human", "And then?")], True),
    ("not_alternating", [("human", "a"), ("human", "b"), ("gpt", "c")], True),
    ("two_gpt", [("gpt", "a"), ("gpt", "b")], True),
    ("empty_answer", [("human", "<image>\nWhat?"), ("gpt", ""), ("human", "Now?"), ("gpt", "A dog.")], True),
    ("empty_question", [("human", ""), ("gpt", "A dog.")], False),
    ("end_in_answer", [("human", "<image>\nWhat?"), ("gpt", "A dog.</s> And more.")], True),
    ("mark_in_answer", [("human", "<image>\nWhat?"), ("gpt", "It says ASSISTANT: hello.")], True),
    ("unknown", [("human", "<image>\nWhat?"), ("gpt", "日本語 😀 and words")], True),
    ("spaces", [("human", "  <image>  \n\n  What?  "), ("gpt", "  A   dog.  ")], True),
    ("answer_of_space", [("human", "What?"), ("gpt", " ")], False),
    ("answer_of_newline", [("human", "What?"), ("gpt", "\nyes\n"), ("human", "\nAgain?\n"), ("gpt", "\tno")], False),
    ("special", [("human", "<s>What?<unk>"), ("gpt", "A <s> dog.")], False),
    ("long", rounds(12, True), True), ("long_text", rounds(12, False), False),
    ("caption", [("human", "Describe it.\n<image>"), ("gpt", "a dog is sitting on a wooden bench.")], True),
    ("unicode_space", [("human", "\u00a0\u3000<image>\u2003What?\u0085\x1c"), ("gpt", "A dog.")], True),
]


def prompts(tokenizer):
    out = []
    for template in ("plain", "vicuna_v1"):
        for _, turns, _ in CONVERSATIONS:
            turns = turns if turns[-1][0] == "human" else turns[:-1]
            if not turns or turns[-1][0] != "human" or any(w != ("human", "gpt")[i % 2] for i, (w, _) in enumerate(turns)):
                continue
            text = "".join(v for _, v in turns) if template == "plain" else vicuna_text(turns) + "ASSISTANT:"
            out.append({"template": template, "turns": turns, "ids": Text(tokenizer, True).ids(text)})
    return out


def main():
    answers = {}
    for name, kind in TOKENIZERS.items():
        tokenizer = kind.from_pretrained(os.path.join(HERE, name))
        samples = []
        for number, (_, turns, has_image) in enumerate(CONVERSATIONS):
            for template in ("vicuna_v1", "plain"):
                whole = (plain(tokenizer, turns, has_image) if template == "plain" else
                         vicuna(tokenizer, turns, has_image, False, 10**6))
                cases = []
                for masks, most in [("auto", 2048), ("auto", 400), ("auto", 60)] + [("classic", 2048), ("new", 2048)] * (
                        template == "vicuna_v1"):
                    cases.append({"masks": masks, "most": most, **encode(tokenizer, template, turns, has_image, masks, most)})
                samples.append({"of": number, "template": template, "ids": whole and whole[0], "cases": cases})
        answers[name] = {"samples": samples, "prompts": prompts(tokenizer)}
        print(name, len(samples), sum(c.get("mismatch", False) for x in samples for c in x["cases"]), len(answers[name]["prompts"]))
    names = [{"name": n, "turns": t, "has_image": h} for n, t, h in CONVERSATIONS]
    with open(os.path.join(HERE, "conversations.json"), "w") as f:
        json.dump({"conversations": names, "tokenizers": answers}, f, separators=(",", ":"))
        f.write("\n")


if __name__ == "__main__":
    main()
