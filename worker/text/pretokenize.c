#include "worker/text/pretokenize.h"

#include <string.h>

#include "worker/text/split.h"

enum step_kind { STEP_METASPACE, STEP_BYTE_LEVEL, STEP_SPLIT };
enum { STEPS_MOST = 8 };

struct step {
    enum step_kind kind;
    bool prepend, only_first, cut; /* Metaspace */
    char *mark;                    /* Metaspace: what stands for a space */
    bool prefix_space;             /* ByteLevel */
    struct splitter *splitter;     /* Split; ByteLevel with use_regex */
};

struct pretokenizer {
    struct step steps[STEPS_MOST];
    size_t n;
};

/* GPT-2's, which ByteLevel has built in. */
static const char gpt2_pattern[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

void pretokenizer_destroy(struct pretokenizer *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n; i++) {
        free(p->steps[i].mark);
        splitter_destroy(p->steps[i].splitter);
    }
    free(p);
}

bool pretokenizer_is_byte_level(const struct pretokenizer *p)
{
    return p->n && p->steps[p->n - 1].kind == STEP_BYTE_LEVEL;
}

/* ---- ByteLevel's alphabet -----------------------------------------------------------------------------------------
 */

static bool prints(int byte)
{
    return (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
}

/* Printable bytes are their own characters, the others follow from U+0100 in order: 0x00-0x20, 0x7f-0xa0, 0xad. */
int32_t byte_level_char(uint8_t byte)
{
    if (prints(byte))
        return byte;
    return byte <= 0x20 ? 0x100 + byte : byte <= 0xa0 ? 0x100 + 0x21 + byte - 0x7f : 0x143;
}

int byte_level_byte(int32_t c)
{
    if (c >= 0 && c <= 0xff)
        return prints(c) ? c : -1;
    return c < 0x100 || c > 0x143 ? -1 : c <= 0x120 ? c - 0x100 : c <= 0x142 ? c - 0x121 + 0x7f : 0xad;
}

/* ---- reading ------------------------------------------------------------------------------------------------------
 */

static int read_flag(const json_t *j, const char *key, bool missing, const char *name, bool *out, struct err *e)
{
    const json_t *v = json_object_get(j, key);
    if (v && !json_is_boolean(v))
        return FAIL(e, ERR_INPUT, "%s: pre_tokenizer: '%s' must be true or false", name, key);
    *out = v ? json_is_true(v) : missing;
    return 0;
}

static int read_metaspace(const json_t *j, const char *name, struct step *s, struct err *e)
{
    const char *mark = json_string_value(json_object_get(j, "replacement"));
    const json_t *scheme_json = json_object_get(j, "prepend_scheme");
    const char *scheme = json_string_value(scheme_json);
    size_t size;
    if (!mark || !mark[0] || unicode_at(mark, strlen(mark), &size) < 0 || mark[size])
        return FAIL(e, ERR_INPUT, "%s: pre_tokenizer: Metaspace needs a 'replacement' of one character", name);
    if (!(s->mark = strdup(mark)))
        return FAIL_NOMEM(e);
    TRY(read_flag(j, "split", true, name, &s->cut, e));
    if (!scheme_json) /* older files say it so */
        return read_flag(j, "add_prefix_space", true, name, &s->prepend, e);
    if (!scheme || (strcmp(scheme, "always") != 0 && strcmp(scheme, "first") != 0 && strcmp(scheme, "never") != 0))
        return FAIL(e, ERR_INPUT, "%s: pre_tokenizer: Metaspace's 'prepend_scheme' must be always, first or never",
                    name);
    s->prepend = strcmp(scheme, "never") != 0;
    s->only_first = strcmp(scheme, "first") == 0;
    return 0;
}

static int read_byte_level(const json_t *j, const char *name, struct step *s, struct err *e)
{
    bool pattern;
    TRY(read_flag(j, "add_prefix_space", true, name, &s->prefix_space, e));
    TRY(read_flag(j, "use_regex", true, name, &pattern, e));
    if (!pattern)
        return 0;
    s->splitter = splitter_pattern(gpt2_pattern, SPLIT_ISOLATED, false, name, e);
    return s->splitter ? 0 : -1;
}

static int read_split(const json_t *j, const char *name, struct step *s, struct err *e)
{
    s->splitter = splitter_parse(j, name, e);
    return s->splitter ? 0 : -1;
}

static const struct {
    const char *type;
    enum step_kind kind;
    int (*read)(const json_t *j, const char *name, struct step *s, struct err *e);
} kinds[] = {
    { "Metaspace", STEP_METASPACE, read_metaspace },
    { "ByteLevel", STEP_BYTE_LEVEL, read_byte_level },
    { "Split", STEP_SPLIT, read_split },
};

static int read_step(const json_t *j, const char *name, struct pretokenizer *p, struct err *e)
{
    const char *type = json_string_value(json_object_get(j, "type"));
    for (size_t i = 0; type && i < ARRAY_LEN(kinds); i++) {
        if (strcmp(type, kinds[i].type) != 0)
            continue;
        if (p->n == STEPS_MOST)
            return FAIL(e, ERR_INPUT, "%s: pre_tokenizer: over %d steps", name, STEPS_MOST);
        if (pretokenizer_is_byte_level(p))
            return FAIL(e, ERR_INPUT, "%s: pre_tokenizer: ByteLevel must be the last step", name);
        struct step *s = &p->steps[p->n++];
        s->kind = kinds[i].kind;
        return kinds[i].read(j, name, s, e);
    }
    return FAIL(e, ERR_INPUT,
                "%s: pre_tokenizer '%.40s' is not supported; Metaspace, ByteLevel, Split and a Sequence of "
                "them are",
                name, type ? type : "");
}

struct pretokenizer *pretokenizer_parse(const json_t *j, const char *name, struct err *e)
{
    AUTO(pretokenizer_destroy) struct pretokenizer *p = calloc(1, sizeof *p);
    const char *type = json_string_value(json_object_get(j, "type"));
    const json_t *list = json_object_get(j, "pretokenizers"), *v;
    size_t i;
    if (!p)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    if (!j || json_is_null(j))
        return TAKE(p);
    if (!type || strcmp(type, "Sequence") != 0)
        return read_step(j, name, p, e) < 0 ? NULL : TAKE(p);
    if (!json_is_array(list))
        return FAIL_NULL(e, ERR_INPUT, "%s: pre_tokenizer: a Sequence needs a list 'pretokenizers'", name);
    json_array_foreach(list, i, v) if (read_step(v, name, p, e) < 0) return NULL;
    return TAKE(p);
}

/* ---- cutting ------------------------------------------------------------------------------------------------------
 */

/* One way through the steps; words come out at its end. */
struct walk {
    const struct pretokenizer *p;
    int (*take)(void *ctx, struct slice word, struct err *e);
    void *ctx;
};

struct stage {
    struct walk *walk;
    size_t step;
    bool at_start;
};

static int run_step(struct walk *w, size_t step, struct slice text, bool at_start, struct err *e);

static int next_step(void *ctx, struct slice word, bool first, struct err *e)
{
    struct stage *s = ctx;
    return run_step(s->walk, s->step + 1, word, s->at_start && first, e);
}

/* Cut so that each piece begins with the mark. */
static int cut_at_marks(struct stage *stage, const char *mark, struct slice s, struct err *e)
{
    size_t mark_len = strlen(mark), from = 0;
    while (from < s.len) {
        bool marked = s.len - from >= mark_len && memcmp(s.text + from, mark, mark_len) == 0;
        size_t skip = from + (marked ? mark_len : 0);
        const char *hit = skip < s.len ? memmem(s.text + skip, s.len - skip, mark, mark_len) : NULL;
        size_t to = hit ? (size_t)(hit - s.text) : s.len;
        TRY(next_step(stage, (struct slice){ s.text + from, to - from }, from == 0, e));
        from = to;
    }
    return 0;
}

static int run_metaspace(const struct step *s, struct stage *stage, struct slice text, struct err *e)
{
    AUTO(buf_free) struct buf b = BUF_INIT(8 * text.len + 8);
    size_t mark_len = strlen(s->mark);
    bool marked = text.text[0] == ' ' || (text.len >= mark_len && memcmp(text.text, s->mark, mark_len) == 0);
    if (s->prepend && !marked && (!s->only_first || stage->at_start))
        buf_puts(&b, s->mark);
    text_replace(text.text, text.len, (struct slice){ " ", 1 }, (struct slice){ s->mark, mark_len }, &b);
    TRY(buf_check(&b, "a text to tokenize", e));
    struct slice marked_text = { b.data, b.len };
    return s->cut ? cut_at_marks(stage, s->mark, marked_text, e) : next_step(stage, marked_text, true, e);
}

static int take_bytes(void *ctx, struct slice word, bool first, struct err *e)
{
    AUTO(buf_free) struct buf b = BUF_INIT(2 * word.len);
    for (size_t i = 0; i < word.len; i++)
        unicode_put(byte_level_char((uint8_t)word.text[i]), &b);
    TRY(buf_check(&b, "a text to tokenize", e));
    return next_step(ctx, (struct slice){ buf_text(&b), b.len }, first, e);
}

static int run_byte_level(const struct step *s, struct stage *stage, struct slice text, struct err *e)
{
    AUTO(buf_free) struct buf b = BUF_INIT(text.len + 1);
    if (s->prefix_space && text.text[0] != ' ') {
        buf_puts(&b, " ");
        buf_add(&b, text.text, text.len);
        TRY(buf_check(&b, "a text to tokenize", e));
        text = (struct slice){ b.data, b.len };
    }
    return s->splitter ? splitter_run(s->splitter, text, take_bytes, stage, e) : take_bytes(stage, text, true, e);
}

static int run_step(struct walk *w, size_t step, struct slice text, bool at_start, struct err *e)
{
    if (!text.len)
        return 0;
    if (step == w->p->n)
        return w->take(w->ctx, text, e);
    const struct step *s = &w->p->steps[step];
    struct stage stage = { w, step, at_start };
    switch (s->kind) {
    case STEP_METASPACE:
        return run_metaspace(s, &stage, text, e);
    case STEP_BYTE_LEVEL:
        return run_byte_level(s, &stage, text, e);
    case STEP_SPLIT:
        return splitter_run(s->splitter, text, next_step, &stage, e);
    }
    return FAIL(e, ERR_BUG, "pre_tokenizer step %d", (int)s->kind);
}

int pretokenize(const struct pretokenizer *p, struct slice text, bool at_start,
                int (*take)(void *ctx, struct slice word, struct err *e), void *ctx, struct err *e)
{
    struct walk w = { p, take, ctx };
    return run_step(&w, 0, text, at_start, e);
}
