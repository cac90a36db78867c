/* Answers that are a letter, or yes or no: MMBench, MME, ScienceQA, SEED-Bench. */
#include "worker/benchmark/judge.h"

int judge_right_letter(const struct question *q)
{
    return q->answers[0][0] - 'A';
}

static int settle(const struct question *q, int letter, struct verdict *v)
{
    bool right = letter != LETTER_NONE && letter == judge_right_letter(q);
    *v = (struct verdict){ .score = right, .parsed = letter != LETTER_NONE, .letter = letter };
    return 0;
}

/* ---- MMBench --------------------------------------------------------------------------------------------------------
 */

#define MMBENCH_LETTERS 5 /* A to E, however many options there are */

/* Around a letter that is a word of the answer, in the order of trying; each form must have exactly one hit. */
static const struct {
    const char *before, *after;
} forms[] = {
    { "", "." },   { "", "," }, { "", ":" },  { "", ")" },  { "", ")." }, { "(", ")" },
    { "(", ")." }, { ":", "" }, { ":", "," }, { ":", "." }, { ":", ")" }, { ":", ")." },
};

static bool is_form(struct text word, char letter, const char *before, const char *after)
{
    char want[8];
    snprintf(want, sizeof want, "%s%c%s", before, letter, after);
    return text_equal(word, want);
}

/* Which letters stand in the answer as words of that form: bit 0 for A. */
static unsigned letters_in(struct text answer, const char *before, const char *after)
{
    struct text word;
    unsigned found = 0;
    while (text_word(&answer, &word))
        for (int i = 0; word.len <= 4 && i < MMBENCH_LETTERS; i++)
            found |= (unsigned)is_form(word, (char)('A' + i), before, after) << i;
    return found;
}

static size_t count_words(struct text t)
{
    struct text word;
    size_t n = 0;
    while (text_word(&t, &word))
        n++;
    return n;
}

static int only_letter(unsigned found)
{
    return __builtin_popcount(found) == 1 ? __builtin_ctz(found) : LETTER_NONE;
}

static int mmbench_letter(struct text answer)
{
    unsigned bare = letters_in(answer, "", "");
    bool article = bare & 1 && count_words(answer) > 3; /* "a" may begin a sentence */
    int letter = article ? LETTER_NONE : only_letter(bare);
    for (size_t i = 0; i < ARRAY_LEN(forms) && letter == LETTER_NONE; i++)
        letter = only_letter(letters_in(answer, forms[i].before, forms[i].after));
    return letter;
}

/* The one option whose text the answer contains, case aside. */
static int mmbench_text(const struct question *q, struct text answer, int *letter, struct err *e)
{
    AUTO(buf_free) struct buf small = BUF_INIT(TEXT_MOST), option = BUF_INIT(TEXT_MOST);
    unsigned found = 0;
    text_lower(answer, &small);
    for (size_t i = 0; i < q->n_options; i++) {
        if (!q->options[i])
            continue;
        buf_clear(&option);
        text_lower(text_of(q->options[i]), &option);
        TRY(buf_check(&option, "an option", e));
        found |= (unsigned)text_has(text_of(buf_text(&small)), text_of(buf_text(&option))) << i;
    }
    *letter = only_letter(found);
    return buf_check(&small, "an answer", e);
}

int judge_mmbench(const struct question *q, struct text answer, struct verdict *v, struct err *e)
{
    int letter = mmbench_letter(answer);
    if (letter == LETTER_NONE)
        TRY(mmbench_text(q, answer, &letter, e));
    return settle(q, letter, v);
}

/* ---- MME ------------------------------------------------------------------------------------------------------------
 */

/* Lower case, without blanks around it and without any full stop. */
static int mme_clean(struct text t, struct buf *to, struct err *e)
{
    AUTO(buf_free) struct buf small = BUF_INIT(TEXT_MOST);
    text_lower(t, &small);
    TRY(buf_check(&small, "an answer", e));
    struct text s = text_strip(text_of(buf_text(&small)));
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] != '.')
            buf_add(to, s.at + i, 1);
    return buf_check(to, "an answer", e);
}

int judge_mme(const struct question *q, struct text answer, struct verdict *v, struct err *e)
{
    AUTO(buf_free) struct buf clean = BUF_INIT(TEXT_MOST), right = BUF_INIT(TEXT_MOST);
    TRY(mme_clean(answer, &clean, e));
    TRY(mme_clean(text_of(q->answers[0]), &right, e));
    struct text head = text_head(text_of(buf_text(&clean)), 4);
    const char *said = text_has(head, text_of("yes")) ? "yes" : text_has(head, text_of("no")) ? "no" : NULL;
    *v =
        (struct verdict){ .score = said && strcmp(said, buf_text(&right)) == 0, .parsed = said, .letter = LETTER_NONE };
    return 0;
}

/* ---- ScienceQA, SEED-Bench ------------------------------------------------------------------------------------------
 */

static int letter_of(const struct question *q, char c)
{
    return c >= 'A' && c < 'A' + (int)q->n_options ? c - 'A' : LETTER_NONE;
}

/* The letter alone, or "B. more" from the first byte on. */
int judge_scienceqa(const struct question *q, struct text answer, struct verdict *v, struct err *e)
{
    (void)e;
    bool letter = answer.len == 1 || (answer.len > 1 && answer.at[1] == '.');
    return settle(q, letter ? letter_of(q, answer.at[0]) : LETTER_NONE, v);
}

/* The first character, whatever follows. */
int judge_seed(const struct question *q, struct text answer, struct verdict *v, struct err *e)
{
    (void)e;
    answer = text_strip(answer);
    return settle(q, answer.len ? letter_of(q, answer.at[0]) : LETTER_NONE, v);
}
