/* What is asked, word for word: lmms-eval's tasks for LLaVA-1.5, doubled newlines and all. */
#include <string.h>

#include "worker/benchmark/family.h"
#include "worker/benchmark/text.h"

#define LETTER_PLEASE "Answer with the option's letter from the given choices directly."
#define WORD_PLEASE "Answer the question using a single word or phrase."
#define OR_UNANSWERABLE "When the provided information is insufficient, respond with 'Unanswerable'."

/* "A. text" for each option there is, a newline between them. */
static void put_options(const struct question *q, struct buf *to)
{
    const char *between = "";
    for (size_t i = 0; i < q->n_options; i++)
        if (q->options[i]) {
            buf_printf(to, "%s%c. %s", between, (char)('A' + i), q->options[i]);
            between = "\n";
        }
}

/* `text` without every `part`. */
static void put_without(struct text text, const char *part, struct buf *to)
{
    for (size_t at; (at = text_find(text, text_of(part))) != TEXT_NONE; text = text_from(text, at + strlen(part)))
        buf_add(to, text.at, at);
    buf_add(to, text.at, text.len);
}

static void ask_mmbench(const struct question *q, struct buf *to)
{
    if (q->hint)
        buf_printf(to, "%s ", q->hint);
    buf_printf(to, "%s There are several options:\n", q->question);
    put_options(q, to);
    while (to->len && !to->failed && to->data[to->len - 1] == '\n')
        to->data[--to->len] = '\0';
    buf_puts(to, "\n\n" LETTER_PLEASE);
}

static void ask_mme(const struct question *q, struct buf *to)
{
    put_without(text_strip(text_of(q->question)), " Please answer yes or no.", to);
    buf_puts(to, "\n" WORD_PLEASE);
}

/* The digit of "<image N>" at the beginning of `text`, 1 to 7; 0 where it does not begin so. */
static size_t place_number(struct text text)
{
    static const char before[] = "<image ";
    size_t n = strlen(before);
    bool place = text.len >= n + 2 && memcmp(text.at, before, n) == 0 && text.at[n] >= '1' && text.at[n] <= '7' &&
                 text.at[n + 1] == '>';
    return place ? (size_t)(text.at[n] - '0') : 0;
}

/* `text` with BENCHMARK_IMAGE where it says <image 1> to <image 7>. */
static void put_places(struct text text, struct buf *to)
{
    for (size_t at; (at = text_find(text, text_of("<image "))) != TEXT_NONE;) {
        bool place = place_number(text_from(text, at)) > 0;
        buf_add(to, text.at, place ? at : at + 1);
        if (place)
            buf_puts(to, BENCHMARK_IMAGE);
        text = text_from(text, place ? at + strlen("<image 1>") : at + 1);
    }
    buf_add(to, text.at, text.len);
}

/* Numbers and all. */
static void write_mmmu(const struct question *q, struct buf *to)
{
    buf_printf(to, "%s\n", q->question);
    put_options(q, to);
    buf_puts(to, q->n_options ? "\nAnswer with the option letter from the given choices directly." : WORD_PLEASE);
}

static void ask_mmmu(const struct question *q, struct buf *to)
{
    AUTO(buf_free) struct buf text = BUF_INIT(to->limit);
    write_mmmu(q, &text);
    put_places(text_of(buf_text(&text)), to);
    to->failed |= text.failed;
}

static void ask_okvqa(const struct question *q, struct buf *to)
{
    buf_printf(to, "%s\n" OR_UNANSWERABLE "\n" WORD_PLEASE, q->question);
}

static void ask_textvqa(const struct question *q, struct buf *to)
{
    text_capitalize(text_of(q->question), to);
    buf_puts(to, "\n" WORD_PLEASE);
}

static void ask_vizwiz(const struct question *q, struct buf *to)
{
    text_capitalize(text_of(q->question), to);
    buf_puts(to, "\n" OR_UNANSWERABLE "\n" WORD_PLEASE);
}

static void ask_scienceqa(const struct question *q, struct buf *to)
{
    if (q->hint)
        buf_printf(to, "Context: %s\n", q->hint);
    buf_printf(to, "%s\n", q->question);
    put_options(q, to);
    buf_puts(to, "\n" LETTER_PLEASE);
}

static void ask_seed(const struct question *q, struct buf *to)
{
    buf_printf(to, "%s\n", q->question);
    put_options(q, to);
    buf_puts(to, "\n" LETTER_PLEASE);
}

void benchmark_prompt(const struct benchmark_family *f, const struct question *q, struct buf *to)
{
    static void (*const ask[BENCHMARK_FAMILIES])(const struct question *q, struct buf *to) = {
        [MMBENCH] = ask_mmbench, [MME] = ask_mme,       [MMMU] = ask_mmmu,           [OKVQA] = ask_okvqa,
        [TEXTVQA] = ask_textvqa, [VIZWIZ] = ask_vizwiz, [SCIENCEQA] = ask_scienceqa, [SEED] = ask_seed,
    };
    AUTO(buf_free) struct buf text = BUF_INIT(to->limit);
    ask[f->kind](q, &text);
    if (q->n_images && !strstr(buf_text(&text), BENCHMARK_IMAGE))
        buf_puts(to, BENCHMARK_IMAGE "\n");
    buf_puts(to, buf_text(&text));
    to->failed |= text.failed;
}

/* Each place of the text in turn: by its number, or else the next picture. */
static size_t list_places(struct text text, size_t *pictures, size_t most)
{
    size_t n = 0, next = 0;
    for (size_t at; (at = text_find(text, text_of("<image"))) != TEXT_NONE; text = text_from(text, at + 1)) {
        size_t number = place_number(text_from(text, at));
        bool plain = text.len - at >= strlen(BENCHMARK_IMAGE) && text.at[at + strlen("<image")] == '>';
        if (!number && !plain)
            continue;
        if (n < most)
            pictures[n] = number ? number - 1 : next;
        next += plain;
        n++;
    }
    return n;
}

size_t benchmark_prompt_pictures(const struct benchmark_family *f, const struct question *q, size_t *pictures,
                                 size_t most)
{
    AUTO(buf_free) struct buf text = BUF_INIT((size_t)1 << 20);
    if (f->kind == MMMU)
        write_mmmu(q, &text);
    size_t n = f->kind == MMMU ? list_places(text_of(buf_text(&text)), pictures, most) : 0;
    if (n > 0)
        return n;
    buf_clear(&text);
    benchmark_prompt(f, q, &text);
    return list_places(text_of(buf_text(&text)), pictures, most);
}
