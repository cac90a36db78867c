#include "worker/text/token_decoder.h"

#include <string.h>

#include "worker/text/pretokenize.h" /* ByteLevel's alphabet */

enum { STEPS_MOST = 8 };

/* The tokens' texts one behind the other. */
struct pieces {
    struct buf text;
    size_t *end, n, cap;
};

struct decode_step;
typedef int (*run_fn)(const struct decode_step *s, const struct pieces *in, struct pieces *out, struct err *e);

struct decode_step {
    run_fn run;
    char *from, *to;    /* Replace; `from`: Metaspace's mark, Strip's character */
    bool prepended;     /* Metaspace */
    size_t start, stop; /* Strip */
};

struct token_decoder {
    struct decode_step steps[STEPS_MOST];
    size_t n;
};

void token_decoder_destroy(struct token_decoder *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->n; i++) {
        free(d->steps[i].from);
        free(d->steps[i].to);
    }
    free(d);
}

static void pieces_free_cleanup(struct pieces *p)
{
    buf_free(&p->text);
    free(p->end);
}

/* What was added to the text since the last piece is one. */
static int end_piece(struct pieces *p, struct err *e)
{
    if (p->n == p->cap) {
        size_t cap = p->cap ? 2 * p->cap : 64;
        size_t *end = realloc(p->end, cap * sizeof *end);
        if (!end)
            return FAIL_NOMEM(e);
        p->end = end;
        p->cap = cap;
    }
    p->end[p->n++] = p->text.len;
    return buf_check(&p->text, "a decoded text", e);
}

static struct slice piece(const struct pieces *p, size_t i)
{
    size_t start = i ? p->end[i - 1] : 0;
    return (struct slice){ buf_text(&p->text) + start, p->end[i] - start };
}

/* ---- the steps ----------------------------------------------------------------------------------------------------
 */

static int run_replace(const struct decode_step *s, const struct pieces *in, struct pieces *out, struct err *e)
{
    for (size_t i = 0; i < in->n; i++) {
        struct slice t = piece(in, i);
        text_replace(t.text, t.len, (struct slice){ s->from, strlen(s->from) }, (struct slice){ s->to, strlen(s->to) },
                     &out->text);
        TRY(end_piece(out, e));
    }
    return 0;
}

/* The first token's marks are what was put in front of the text. */
static int run_metaspace(const struct decode_step *s, const struct pieces *in, struct pieces *out, struct err *e)
{
    for (size_t i = 0; i < in->n; i++) {
        struct slice t = piece(in, i), to = { i == 0 && s->prepended ? "" : " ", i == 0 && s->prepended ? 0 : 1 };
        text_replace(t.text, t.len, (struct slice){ s->from, strlen(s->from) }, to, &out->text);
        TRY(end_piece(out, e));
    }
    return 0;
}

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

/* The byte of <0xXX>, or -1. */
static int fallback_byte(struct slice t)
{
    if (t.len != 6 || memcmp(t.text, "<0x", 3) != 0 || t.text[5] != '>')
        return -1;
    int high = hex(t.text[3]), low = hex(t.text[4]);
    if (t.text[3] == '+' && low >= 0) /* Rust's from_str_radix takes a sign */
        return low;
    return high < 0 || low < 0 ? -1 : 16 * high + low;
}

/* A run of bytes is text when all of it is. */
static int end_bytes(struct buf *bytes, struct pieces *out, struct err *e)
{
    if (!bytes->len)
        return buf_check(bytes, "a decoded text", e);
    if (unicode_valid(bytes->data, bytes->len) == bytes->len)
        buf_add(&out->text, bytes->data, bytes->len);
    else
        for (size_t i = 0; i < bytes->len; i++)
            buf_puts(&out->text, UNICODE_REPLACEMENT);
    buf_clear(bytes);
    return end_piece(out, e);
}

static int run_byte_fallback(const struct decode_step *s, const struct pieces *in, struct pieces *out, struct err *e)
{
    (void)s;
    AUTO(buf_free) struct buf bytes = BUF_INIT(in->text.limit);
    for (size_t i = 0; i < in->n; i++) {
        struct slice t = piece(in, i);
        int byte = fallback_byte(t);
        if (byte >= 0) {
            buf_add(&bytes, &(char){ (char)byte }, 1);
            continue;
        }
        TRY(end_bytes(&bytes, out, e));
        buf_add(&out->text, t.text, t.len);
        TRY(end_piece(out, e));
    }
    return end_bytes(&bytes, out, e);
}

static int run_fuse(const struct decode_step *s, const struct pieces *in, struct pieces *out, struct err *e)
{
    (void)s;
    buf_add(&out->text, buf_text(&in->text), in->text.len);
    return end_piece(out, e);
}

static bool begins(struct slice t, const char *c, size_t size)
{
    return t.len >= size && memcmp(t.text, c, size) == 0;
}

static int run_strip(const struct decode_step *s, const struct pieces *in, struct pieces *out, struct err *e)
{
    size_t size = strlen(s->from);
    for (size_t i = 0; i < in->n; i++) {
        struct slice t = piece(in, i);
        for (size_t n = s->start; n && begins(t, s->from, size); n--) {
            t.text += size;
            t.len -= size;
        }
        for (size_t n = s->stop; n && t.len >= size && memcmp(t.text + t.len - size, s->from, size) == 0; n--)
            t.len -= size;
        buf_add(&out->text, t.text, t.len);
        TRY(end_piece(out, e));
    }
    return 0;
}

/* A token that is not all of the alphabet (an added one) is itself. */
static void add_bytes(struct slice t, struct buf *out)
{
    size_t before = out->len, size;
    for (size_t at = 0; at < t.len; at += size) {
        int byte = byte_level_byte(unicode_at(t.text + at, t.len - at, &size));
        if (byte < 0) {
            out->len = before;
            buf_add(out, t.text, t.len);
            return;
        }
        buf_add(out, &(char){ (char)byte }, 1);
    }
}

static int run_byte_level(const struct decode_step *s, const struct pieces *in, struct pieces *out, struct err *e)
{
    (void)s;
    AUTO(buf_free) struct buf bytes = BUF_INIT(in->text.limit);
    for (size_t i = 0; i < in->n; i++)
        add_bytes(piece(in, i), &bytes);
    TRY(buf_check(&bytes, "a decoded text", e));
    unicode_mend_lossy(buf_text(&bytes), bytes.len, &out->text);
    return end_piece(out, e);
}

/* ---- reading ------------------------------------------------------------------------------------------------------
 */

static int take_text(const json_t *v, const char *what, const char *name, char **out, struct err *e)
{
    if (!json_is_string(v))
        return FAIL(e, ERR_INPUT, "%s: decoder: '%s' must be a text", name, what);
    *out = strdup(json_string_value(v));
    return *out ? 0 : FAIL_NOMEM(e);
}

static int take_character(const json_t *v, const char *what, const char *name, char **out, struct err *e)
{
    size_t size;
    TRY(take_text(v, what, name, out, e));
    if (!**out || unicode_at(*out, strlen(*out), &size) < 0 || (*out)[size])
        return FAIL(e, ERR_INPUT, "%s: decoder: '%s' must be one character", name, what);
    return 0;
}

static int read_replace(const json_t *j, const char *name, struct decode_step *s, struct err *e)
{
    const json_t *from = json_object_get(json_object_get(j, "pattern"), "String");
    if (!json_string_length(from))
        return FAIL(e, ERR_INPUT, "%s: decoder: Replace needs a 'pattern' with a String", name);
    TRY(take_text(from, "pattern", name, &s->from, e));
    return take_text(json_object_get(j, "content"), "content", name, &s->to, e);
}

static int read_metaspace(const json_t *j, const char *name, struct decode_step *s, struct err *e)
{
    const char *scheme = json_string_value(json_object_get(j, "prepend_scheme"));
    s->prepended = scheme ? strcmp(scheme, "never") != 0 : !json_is_false(json_object_get(j, "add_prefix_space"));
    return take_character(json_object_get(j, "replacement"), "replacement", name, &s->from, e);
}

static int read_strip(const json_t *j, const char *name, struct decode_step *s, struct err *e)
{
    const json_t *start = json_object_get(j, "start"), *stop = json_object_get(j, "stop");
    if (!json_is_integer(start) || !json_is_integer(stop) || json_integer_value(start) < 0 ||
        json_integer_value(stop) < 0)
        return FAIL(e, ERR_INPUT, "%s: decoder: Strip needs 'start' and 'stop', whole numbers", name);
    s->start = (size_t)json_integer_value(start);
    s->stop = (size_t)json_integer_value(stop);
    return take_character(json_object_get(j, "content"), "content", name, &s->from, e);
}

static const struct {
    const char *type;
    run_fn run;
    int (*read)(const json_t *j, const char *name, struct decode_step *s, struct err *e);
} kinds[] = {
    { "Replace", run_replace, read_replace },    { "Metaspace", run_metaspace, read_metaspace },
    { "ByteFallback", run_byte_fallback, NULL }, { "Fuse", run_fuse, NULL },
    { "Strip", run_strip, read_strip },          { "ByteLevel", run_byte_level, NULL },
};

static int read_step(const json_t *j, const char *name, struct token_decoder *d, struct err *e)
{
    const char *type = json_string_value(json_object_get(j, "type"));
    for (size_t i = 0; type && i < ARRAY_LEN(kinds); i++) {
        if (strcmp(type, kinds[i].type) != 0)
            continue;
        if (d->n == STEPS_MOST)
            return FAIL(e, ERR_INPUT, "%s: decoder: over %d steps", name, STEPS_MOST);
        struct decode_step *s = &d->steps[d->n++];
        s->run = kinds[i].run;
        return kinds[i].read ? kinds[i].read(j, name, s, e) : 0;
    }
    return FAIL(e, ERR_INPUT,
                "%s: decoder '%.40s' is not supported; Replace of a String, ByteFallback, Fuse, Strip, "
                "Metaspace, ByteLevel and a Sequence of them are",
                name, type ? type : "");
}

struct token_decoder *token_decoder_parse(const json_t *j, const char *name, struct err *e)
{
    AUTO(token_decoder_destroy) struct token_decoder *d = calloc(1, sizeof *d);
    const char *type = json_string_value(json_object_get(j, "type"));
    const json_t *list = json_object_get(j, "decoders"), *v;
    size_t i;
    if (!d)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    if (!j || json_is_null(j))
        return TAKE(d);
    if (!type || strcmp(type, "Sequence") != 0)
        return read_step(j, name, d, e) < 0 ? NULL : TAKE(d);
    if (!json_is_array(list))
        return FAIL_NULL(e, ERR_INPUT, "%s: decoder: a Sequence needs a list 'decoders'", name);
    json_array_foreach(list, i, v) if (read_step(v, name, d, e) < 0) return NULL;
    return TAKE(d);
}

int token_decoder_run(const struct token_decoder *d, const struct slice *tokens, size_t n, struct buf *out,
                      struct err *e)
{
    AUTO(pieces_free) struct pieces now = { .text = BUF_INIT(out->limit) };
    for (size_t i = 0; i < n; i++) {
        if (i && !d->n)
            buf_puts(&now.text, " ");
        buf_add(&now.text, tokens[i].text, tokens[i].len);
        TRY(end_piece(&now, e));
    }
    for (size_t i = 0; i < d->n; i++) {
        AUTO(pieces_free) struct pieces next = { .text = BUF_INIT(out->limit) };
        TRY(d->steps[i].run(&d->steps[i], &now, &next, e));
        struct pieces old = now;
        now = next;
        next = old;
    }
    buf_add(out, buf_text(&now.text), now.text.len);
    return buf_check(out, "a decoded text", e);
}
