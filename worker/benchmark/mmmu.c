/* MMMU: a letter somewhere in the answer, or an open answer that contains the right one. */
#include "worker/benchmark/judge.h"
#include "worker/benchmark/numbers.h"

#define BARE_WORDS 5 /* an answer of more words than these, the two blanks around it aside, may also name an option */

/* ---- questions with options -----------------------------------------------------------------------------------------
 */

struct search {
    const struct question *q;
    struct text padded, small; /* " answer ", and in lower case */
};

static const char *const marks[] = { ",", ".", "!", "?", ";", ":", "'" };

/* The forms in the order of trying; a place is the form's last one, by which the last of several letters is taken. */
static size_t find_form(struct text t, char letter, const char *form)
{
    char want[8];
    snprintf(want, sizeof want, form, letter);
    return text_find_last(t, text_of(want));
}

/* Letters that occur in a form, and where `place` (which may be another form) occurs last; -1 for nowhere. */
static unsigned letters_as(const struct search *s, const char *form, const char *place, ptrdiff_t *places)
{
    unsigned found = 0;
    for (size_t i = 0; i < s->q->n_options; i++) {
        char letter = (char)('A' + i);
        found |= (unsigned)(find_form(s->padded, letter, form) != TEXT_NONE) << i;
        places[i] = (ptrdiff_t)find_form(s->padded, letter, place);
    }
    return found;
}

static int options_named(const struct search *s, ptrdiff_t *places, unsigned *found, struct err *e)
{
    AUTO(buf_free) struct buf option = BUF_INIT(TEXT_MOST);
    for (size_t i = 0; i < s->q->n_options; i++) {
        buf_clear(&option);
        text_lower(text_of(s->q->options[i] ? s->q->options[i] : ""), &option);
        TRY(buf_check(&option, "an option", e));
        places[i] = s->q->options[i] ? (ptrdiff_t)text_find_last(s->small, text_of(buf_text(&option))) : -1;
        *found |= (unsigned)(places[i] >= 0) << i;
    }
    return 0;
}

static bool is_long(struct text t)
{
    struct text word;
    size_t n = 0;
    while (n <= BARE_WORDS && text_word(&t, &word))
        n++;
    return n > BARE_WORDS;
}

/* The first of those whose place is last. */
static int last_of(unsigned found, const ptrdiff_t *places)
{
    int best = LETTER_NONE;
    for (int i = 0; i < QUESTION_OPTIONS_MAX; i++)
        if (found >> i & 1 && (best == LETTER_NONE || places[i] > places[best]))
            best = i;
    return best;
}

static int find_letter(const struct search *s, int *letter, struct err *e)
{
    ptrdiff_t places[QUESTION_OPTIONS_MAX] = { 0 };
    unsigned found = letters_as(s, "(%c)", "(%c)", places);
    if (!found)
        found = letters_as(s, "%c ", " %c ", places);
    if (!found)
        found = letters_as(s, "%c.", " %c ", places);
    if (!found && is_long(s->padded))
        TRY(options_named(s, places, &found, e));
    *letter = last_of(found, places);
    return 0;
}

static int judge_options(const struct question *q, struct text answer, struct verdict *v, struct err *e)
{
    AUTO(buf_free) struct buf padded = BUF_INIT(TEXT_MOST), small = BUF_INIT(TEXT_MOST);
    int letter;
    for (size_t i = 0; i < ARRAY_LEN(marks); i++)
        answer = text_strip_byte(answer, marks[i][0]);
    buf_puts(&padded, " ");
    buf_add(&padded, answer.at, answer.len);
    buf_puts(&padded, " ");
    TRY(buf_check(&padded, "an answer", e));
    text_lower(text_of(buf_text(&padded)), &small);
    TRY(buf_check(&small, "an answer", e));
    struct search s = { q, text_of(buf_text(&padded)), text_of(buf_text(&small)) };
    TRY(find_letter(&s, &letter, e));
    bool right = letter != LETTER_NONE && letter == judge_right_letter(q);
    *v = (struct verdict){ .score = right, .parsed = letter != LETTER_NONE, .letter = letter };
    return 0;
}

/* ---- open questions -------------------------------------------------------------------------------------------------
 */

/* One normalised text or number. A single character is put as " x" and "x ", so that it does not count inside a word.
 */
struct value {
    bool is_number, alone;
    double number;
    struct text text;
};

static struct value value_of(struct text t)
{
    struct value v = { .text = text_strip(t) };
    v.is_number = number_parse(v.text, &v.number);
    v.alone = !v.is_number && text_count(v.text) == 1;
    return v;
}

/* `t` with a blank before or behind it, as part of `in`, which may itself stand for " x" and "x ". */
static bool has_padded(struct text in, struct text t)
{
    for (size_t at = 0, found; (found = text_find(text_from(in, at), t)) != TEXT_NONE; at += found + 1) {
        size_t begin = at + found, end = begin + t.len;
        if ((begin > 0 && in.at[begin - 1] == ' ') || (end < in.len && in.at[end] == ' '))
            return true;
    }
    return false;
}

static bool is_right(const struct value *said, const struct value *gold)
{
    if (said->is_number || gold->is_number)
        return said->is_number && gold->is_number && said->number == gold->number;
    if (said->alone)
        return gold->alone
                   ? said->text.len == gold->text.len && memcmp(said->text.at, gold->text.at, gold->text.len) == 0
                   : gold->text.len == 0;
    return gold->alone ? has_padded(said->text, gold->text) : text_has(said->text, gold->text);
}

/* `gold` are the right answers in lower case, one behind the other, each with a NUL. */
static bool is_any(struct text said, const struct buf *gold)
{
    struct value v = value_of(said);
    for (size_t at = 0; at < gold->len; at += strlen(gold->data + at) + 1) {
        struct value g = value_of(text_of(gold->data + at));
        if (is_right(&v, &g))
            return true;
    }
    return false;
}

/* The text itself, or any number in it. */
static bool is_right_text(struct text t, const struct buf *gold)
{
    struct text number;
    if (is_any(t, gold))
        return true;
    for (int form = 0; form < NUMBER_FORMS; form++)
        for (size_t at = 0; number_next(t, (enum number_form)form, &at, &number);)
            if (is_any(number, gold))
                return true;
    return false;
}

/* What follows the last of a phrase, the shortest over all phrases; empty when there is none. An empty rest is replaced
 * by the next one found, however long. */
static struct text key_part(struct text line, bool is_last)
{
    static const char *const phrases[] = { "could be ", "so ",     "is ",     "thus ", "therefore ",
                                           "final ",    "answer ", "result ", "=" };
    struct text shortest = { line.at, 0 };
    for (size_t i = 0; i < ARRAY_LEN(phrases) - !is_last; i++) {
        size_t at = text_find_last(line, text_of(phrases[i]));
        if (at == TEXT_NONE)
            continue;
        struct text rest = text_strip(text_from(line, at + strlen(phrases[i])));
        if (text_is_empty(shortest) || text_count(rest) < text_count(shortest))
            shortest = rest;
    }
    for (size_t i = 0; i < ARRAY_LEN(marks); i++)
        if (text_equal(shortest, marks[i]))
            shortest.len = 0;
    return shortest;
}

/* The key parts of all lines, or without any the whole answer. The original also means to cut at the ends of sentences,
 * but looks for capitals after the text has been put in lower case. */
static bool is_right_answer(struct text answer, const struct buf *gold)
{
    bool any = false;
    for (struct text rest = answer;;) {
        const char *end = memchr(rest.at, '\n', rest.len);
        struct text part = key_part((struct text){ rest.at, end ? (size_t)(end - rest.at) : rest.len }, !end);
        if (!text_is_empty(part) && is_right_text(part, gold))
            return true;
        any |= !text_is_empty(part);
        if (!end)
            break;
        rest = text_from(rest, (size_t)(end - rest.at) + 1);
    }
    return !any && is_right_text(answer, gold);
}

static int judge_open(const struct question *q, struct text answer, struct verdict *v, struct err *e)
{
    AUTO(buf_free) struct buf small = BUF_INIT(TEXT_MOST), gold = BUF_INIT(TEXT_MOST);
    text_lower(text_strip_byte(text_strip(answer), '.'), &small);
    TRY(buf_check(&small, "an answer", e));
    for (size_t i = 0; i < q->n_answers; i++) {
        text_lower(text_of(q->answers[i]), &gold);
        buf_add(&gold, "", 1);
    }
    TRY(buf_check(&gold, "the right answers", e));
    bool right = is_right_answer(text_of(buf_text(&small)), &gold);
    *v = (struct verdict){ .score = right, .parsed = small.len > 0, .letter = LETTER_NONE };
    return 0;
}

int judge_mmmu(const struct question *q, struct text answer, struct verdict *v, struct err *e)
{
    return q->n_options ? judge_options(q, answer, v, e) : judge_open(q, answer, v, e);
}
