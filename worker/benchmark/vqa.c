/* Soft accuracy of OKVQA, TextVQA and VizWiz: the normalisation of the VQA evaluation and its count of matches. */
#include "worker/benchmark/judge.h"

#define PERIODS_MOST 32 /* the original gives the flag re.UNICODE where a count belongs */

/* ---- normalisation --------------------------------------------------------------------------------------------------
 */

/* Lower case; no commas or question marks; "'s" apart; one line. */
static int tidy(struct text t, struct buf *to, struct err *e)
{
    AUTO(buf_free) struct buf small = BUF_INIT(TEXT_MOST);
    text_lower(t, &small);
    TRY(buf_check(&small, "an answer", e));
    AUTO(buf_free) struct buf kept = BUF_INIT(2 * TEXT_MOST);
    for (const char *s = buf_text(&small); *s; s++)
        if (*s != ',' && *s != '?')
            buf_add(&kept, s, 1);
    TRY(buf_check(&kept, "an answer", e));
    for (const char *s = buf_text(&kept); *s; s++) {
        if (s[0] == '\'' && s[1] == 's')
            buf_puts(to, " ");
        buf_add(to, *s == '\n' || *s == '\t' ? " " : s, 1);
    }
    return buf_check(to, "an answer", e);
}

/* A mark that touches a space anywhere goes everywhere, others become spaces. The original has one more reason for a
 * mark to go, a comma between digits, which cannot be: commas are gone by now. */
static int strip_marks(struct text t, struct buf *to, struct err *e)
{
    static const char marks[] = ";/[]\"{}()=+\\_-><@`,?!";
    bool touches[256] = { false };
    for (size_t i = 1; i < t.len; i++) {
        if (t.at[i] == ' ')
            touches[(uint8_t)t.at[i - 1]] = true;
        if (t.at[i - 1] == ' ')
            touches[(uint8_t)t.at[i]] = true;
    }
    for (size_t i = 0; i < t.len; i++)
        if (!strchr(marks, t.at[i]))
            buf_add(to, t.at + i, 1);
        else if (!touches[(uint8_t)t.at[i]])
            buf_puts(to, " ");
    return buf_check(to, "an answer", e);
}

static int strip_periods(struct text t, struct buf *to, struct err *e)
{
    int gone = 0;
    for (size_t i = 0; i < t.len; i++) {
        bool number = i + 1 < t.len && t.at[i + 1] >= '0' && t.at[i + 1] <= '9';
        if (t.at[i] == '.' && !number && gone < PERIODS_MOST)
            gone++;
        else
            buf_add(to, t.at + i, 1);
    }
    return buf_check(to, "an answer", e);
}

static const char *word_for(struct text word)
{
    static const char *const numbers[][2] = { { "none", "0" },  { "zero", "0" },  { "one", "1" },  { "two", "2" },
                                              { "three", "3" }, { "four", "4" },  { "five", "5" }, { "six", "6" },
                                              { "seven", "7" }, { "eight", "8" }, { "nine", "9" }, { "ten", "10" } };
    static const char *const articles[] = { "a", "an", "the" };
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        if (text_equal(word, numbers[i][0]))
            return numbers[i][1];
    for (size_t i = 0; i < ARRAY_LEN(articles); i++)
        if (text_equal(word, articles[i]))
            return "";
    return vqa_contraction(word);
}

static int join_words(struct text t, struct buf *to, struct err *e)
{
    struct text word;
    bool first = true;
    while (text_word(&t, &word)) {
        const char *other = word_for(word);
        if (other && !other[0])
            continue;
        if (!first)
            buf_puts(to, " ");
        first = false;
        if (other)
            buf_puts(to, other);
        else
            buf_add(to, word.at, word.len);
    }
    return buf_check(to, "an answer", e);
}

int vqa_normalise(struct text answer, struct buf *to, struct err *e)
{
    AUTO(buf_free)
    struct buf tidied = BUF_INIT(2 * TEXT_MOST),
               unmarked = BUF_INIT(2 * TEXT_MOST), plain = BUF_INIT(2 * TEXT_MOST);
    TRY(tidy(answer, &tidied, e));
    TRY(strip_marks(text_strip(text_of(buf_text(&tidied))), &unmarked, e));
    TRY(strip_periods(text_of(buf_text(&unmarked)), &plain, e));
    return join_words(text_of(buf_text(&plain)), to, e);
}

/* ---- accuracy -------------------------------------------------------------------------------------------------------
 */

static double third(size_t matches)
{
    return matches >= 3 ? 1 : (double)matches / 3;
}

double vqa_accuracy(size_t matches, size_t n)
{
    if (matches == 0)
        return 0;
    double theirs = (double)matches * third(matches - 1), others = (double)(n - matches) * third(matches);
    return (theirs + others) / (double)n;
}

int judge_vqa(const struct question *q, struct text answer, struct verdict *v, struct err *e)
{
    AUTO(buf_free) struct buf said = BUF_INIT(2 * TEXT_MOST), given = BUF_INIT(2 * TEXT_MOST);
    size_t matches = 0;
    TRY(vqa_normalise(answer, &said, e));
    for (size_t i = 0; i < q->n_answers; i++) {
        buf_clear(&given);
        TRY(vqa_normalise(text_of(q->answers[i]), &given, e));
        matches += strcmp(buf_text(&said), buf_text(&given)) == 0;
    }
    *v =
        (struct verdict){ .score = vqa_accuracy(matches, q->n_answers), .parsed = said.len > 0, .letter = LETTER_NONE };
    return 0;
}
