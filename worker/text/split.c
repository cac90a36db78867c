#include "worker/text/split.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

struct splitter {
    pcre2_code *code; /* or NULL: `literal` */
    char *literal;
    size_t literal_len;
    enum split_behavior behavior;
    bool invert;
};

/* Stretches of the text in a row; `match` for those that the pattern matched. */
struct span {
    size_t start, end;
    bool match;
};
struct spans {
    struct span *v;
    size_t n, cap;
};

void splitter_destroy(struct splitter *s)
{
    if (!s)
        return;
    if (s->code)
        pcre2_code_free(s->code);
    free(s->literal);
    free(s);
}

/* ---- reading ------------------------------------------------------------------------------------------------------
 */

/* White space is one character more in the library that these patterns are written for, U+0085. */
static int mend_pattern(const char *pattern, struct buf *out, const char *name, struct err *e)
{
    bool class = false;
    for (const char *p = pattern; *p; p++) {
        if (p[0] != '\\' || !p[1]) {
            class = *p == '[' ? true : *p == ']' ? false : class;
            buf_add(out, p, 1);
            continue;
        }
        p++;
        if (*p == 's')
            buf_puts(out, class ? "\\s\\x{85}" : "[\\s\\x{85}]");
        else if (*p == 'S' && !class)
            buf_puts(out, "[^\\s\\x{85}]");
        else if (*p == 'S' || *p == 'h' || *p == 'H')
            return FAIL(e, ERR_INPUT, "%s: pre_tokenizer: the pattern '%.80s' has a \\%c where it is not supported",
                        name, pattern, *p);
        else
            buf_add(out, p - 1, 2);
    }
    return buf_check(out, "a pattern", e);
}

static int compile(const char *pattern, struct splitter *s, const char *name, struct err *e)
{
    AUTO(buf_free) struct buf text = BUF_INIT(1 << 20);
    int code;
    PCRE2_SIZE at;
    TRY(mend_pattern(pattern, &text, name, e));
    s->code = pcre2_compile((PCRE2_SPTR)buf_text(&text), text.len, PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C,
                            &code, &at, NULL);
    if (!s->code) {
        char why[160];
        pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof why);
        return FAIL(e, ERR_INPUT, "%s: pre_tokenizer: the pattern '%.80s': %s", name, pattern, why);
    }
    pcre2_jit_compile(s->code, PCRE2_JIT_COMPLETE); /* only faster: where there is no JIT, matching works without */
    return 0;
}

struct splitter *splitter_pattern(const char *pattern, enum split_behavior behavior, bool invert, const char *name,
                                  struct err *e)
{
    AUTO(splitter_destroy) struct splitter *s = calloc(1, sizeof *s);
    if (!s)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    s->behavior = behavior;
    s->invert = invert;
    return compile(pattern, s, name, e) < 0 ? NULL : TAKE(s);
}

static struct splitter *splitter_literal(const json_t *text, enum split_behavior behavior, bool invert, struct err *e)
{
    AUTO(splitter_destroy) struct splitter *s = calloc(1, sizeof *s);
    if (!s || !(s->literal = strdup(json_string_value(text))))
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    s->literal_len = json_string_length(text);
    s->behavior = behavior;
    s->invert = invert;
    return TAKE(s);
}

struct splitter *splitter_parse(const json_t *j, const char *name, struct err *e)
{
    static const char *const behaviors[] = {
        [SPLIT_REMOVED] = "Removed",
        [SPLIT_ISOLATED] = "Isolated",
        [SPLIT_MERGED_WITH_PREVIOUS] = "MergedWithPrevious",
        [SPLIT_MERGED_WITH_NEXT] = "MergedWithNext",
        [SPLIT_CONTIGUOUS] = "Contiguous",
    };
    const json_t *pattern = json_object_get(j, "pattern"), *invert = json_object_get(j, "invert");
    const json_t *regex = json_object_get(pattern, "Regex"), *literal = json_object_get(pattern, "String");
    const char *behavior = json_string_value(json_object_get(j, "behavior"));
    size_t b = 0;
    while (b < ARRAY_LEN(behaviors) && (!behavior || strcmp(behavior, behaviors[b]) != 0))
        b++;
    if (b == ARRAY_LEN(behaviors) || (invert && !json_is_boolean(invert)))
        return FAIL_NULL(e, ERR_INPUT,
                         "%s: pre_tokenizer: Split needs a 'behavior' (Removed, Isolated, "
                         "MergedWithPrevious, MergedWithNext, Contiguous) and 'invert', true or false",
                         name);
    if (json_is_string(regex))
        return splitter_pattern(json_string_value(regex), (enum split_behavior)b, json_is_true(invert), name, e);
    if (json_is_string(literal))
        return splitter_literal(literal, (enum split_behavior)b, json_is_true(invert), e);
    return FAIL_NULL(e, ERR_INPUT, "%s: pre_tokenizer: Split needs a 'pattern' with a Regex or a String", name);
}

/* ---- finding ------------------------------------------------------------------------------------------------------
 */

static int add_span(struct spans *spans, size_t start, size_t end, bool match, struct err *e)
{
    if (start == end)
        return 0;
    if (spans->n == spans->cap) {
        size_t cap = spans->cap ? 2 * spans->cap : 64;
        struct span *v = realloc(spans->v, cap * sizeof *v);
        if (!v)
            return FAIL_NOMEM(e);
        spans->v = v;
        spans->cap = cap;
    }
    spans->v[spans->n++] = (struct span){ start, end, match };
    return 0;
}

/* The next match at `from` or behind it: 1 with its place, 0 when there is none. */
static int next_match(const struct splitter *s, pcre2_match_data *data, struct slice text, size_t from, size_t *start,
                      size_t *end, struct err *e)
{
    if (!s->code) {
        const char *hit = s->literal_len ? memmem(text.text + from, text.len - from, s->literal, s->literal_len) : NULL;
        if (!hit)
            return 0;
        *start = (size_t)(hit - text.text);
        *end = *start + s->literal_len;
        return 1;
    }
    int rc = pcre2_match(s->code, (PCRE2_SPTR)text.text, text.len, from, PCRE2_NO_UTF_CHECK, data, NULL);
    if (rc == PCRE2_ERROR_NOMATCH)
        return 0;
    if (rc < 0) {
        char why[160];
        pcre2_get_error_message(rc, (PCRE2_UCHAR *)why, sizeof why);
        return FAIL(e, ERR_INPUT, "the tokenizer's pattern cannot be matched with a text of %zu bytes: %s", text.len,
                    why);
    }
    const PCRE2_SIZE *v = pcre2_get_ovector_pointer(data);
    *start = v[0];
    *end = v[1] > v[0] ? v[1] : v[0]; /* \K may turn them round */
    return 1;
}

static int find_spans(const struct splitter *s, pcre2_match_data *data, struct slice text, struct spans *out,
                      struct err *e)
{
    size_t done = 0, from = 0, start, end, size;
    int rc;
    while (from < text.len && (rc = next_match(s, data, text, from, &start, &end, e)) != 0) {
        if (rc < 0)
            return -1;
        if (end == start) { /* an empty match cuts, but is no word */
            if (start >= text.len)
                break;
            TRY(add_span(out, done, start, s->invert, e));
            done = start;
            unicode_at(text.text + start, text.len - start, &size);
            from = start + size;
            continue;
        }
        if (start < done)
            return FAIL(e, ERR_INPUT, "the tokenizer's pattern looks back over what it matched before");
        TRY(add_span(out, done, start, s->invert, e));
        TRY(add_span(out, start, end, !s->invert, e));
        done = from = end;
    }
    return add_span(out, done, text.len, s->invert, e);
}

/* ---- what becomes of matches --------------------------------------------------------------------------------------
 */

static void merge_previous(struct spans *s)
{
    size_t n = 0;
    bool after_match = false;
    for (size_t i = 0; i < s->n; i++) {
        struct span span = s->v[i];
        if (n && span.match && !after_match)
            s->v[n - 1].end = span.end;
        else
            s->v[n++] = span;
        after_match = span.match;
    }
    s->n = n;
}

static void merge_next(struct spans *s)
{
    size_t first = s->n;
    bool before_match = false;
    for (size_t i = s->n; i-- > 0;) {
        struct span span = s->v[i];
        if (first < s->n && span.match && !before_match)
            s->v[first].start = span.start;
        else
            s->v[--first] = span;
        before_match = span.match;
    }
    s->n -= first;
    if (s->n)
        memmove(s->v, s->v + first, s->n * sizeof *s->v);
}

static void merge_contiguous(struct spans *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (n && s->v[n - 1].match == s->v[i].match)
            s->v[n - 1].end = s->v[i].end;
        else
            s->v[n++] = s->v[i];
    }
    s->n = n;
}

static void remove_matches(struct spans *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++)
        if (!s->v[i].match)
            s->v[n++] = s->v[i];
    s->n = n;
}

static int run(const struct splitter *s, pcre2_match_data *data, struct spans *spans, struct slice text,
               int (*take)(void *ctx, struct slice word, bool first, struct err *e), void *ctx, struct err *e)
{
    static void (*const merges[])(struct spans *) = {
        [SPLIT_REMOVED] = remove_matches,
        [SPLIT_MERGED_WITH_PREVIOUS] = merge_previous,
        [SPLIT_MERGED_WITH_NEXT] = merge_next,
        [SPLIT_CONTIGUOUS] = merge_contiguous,
    };
    TRY(find_spans(s, data, text, spans, e));
    if (merges[s->behavior])
        merges[s->behavior](spans);
    for (size_t i = 0; i < spans->n; i++) {
        const struct span *v = &spans->v[i];
        TRY(take(ctx, (struct slice){ text.text + v->start, v->end - v->start }, v->start == 0, e));
    }
    return 0;
}

int splitter_run(const struct splitter *s, struct slice text,
                 int (*take)(void *ctx, struct slice word, bool first, struct err *e), void *ctx, struct err *e)
{
    struct spans spans = { 0 };
    pcre2_match_data *data = s->code ? pcre2_match_data_create_from_pattern(s->code, NULL) : NULL;
    if (s->code && !data)
        return FAIL_NOMEM(e);
    int rc = run(s, data, &spans, text, take, ctx, e);
    pcre2_match_data_free(data);
    free(spans.v);
    return rc;
}
