#include <errno.h>
#include <limits.h>
#include <string.h>

#include "worker/data/json_text.h"
#include "worker/text/tokenizer_impl.h"

#define FILE_MOST ((size_t)256 << 20)

/* ---- opening ------------------------------------------------------------------------------------------------------
 */

static const struct {
    const char *file;
    struct tokenizer *(*open)(const char *bytes, size_t len, const char *name, const char *dir, struct err *e);
} kinds[] = {
    { "tokenizer.model", slow_llama_open }, /* the first that is there is used */
    { "tokenizer.json", fast_open },
};

static bool ends_with(const char *s, const char *end)
{
    size_t len = strlen(s), n = strlen(end);
    return len >= n && strcmp(s + len - n, end) == 0;
}

struct tokenizer *tokenizer_open_file(const char *path, struct err *e)
{
    AUTO(free) char *bytes = NULL, *dir = strdup(path);
    size_t len;
    if (!dir)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    char *slash = strrchr(dir, '/');
    if (slash)
        *slash = '\0';
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (!ends_with(path, strrchr(kinds[i].file, '.')))
            continue;
        if (json_text_read(path, FILE_MOST, &bytes, &len, e) < 0)
            return NULL;
        return kinds[i].open(bytes, len, path, slash ? dir : ".", e);
    }
    return FAIL_NULL(e, ERR_INPUT, "%s: name a tokenizer.model or a tokenizer.json", path);
}

struct tokenizer *tokenizer_open(const char *dir, struct err *e)
{
    char path[PATH_MAX];
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if ((size_t)snprintf(path, sizeof path, "%s/%s", dir, kinds[i].file) >= sizeof path)
            return FAIL_NULL(e, ERR_INPUT, "%s: the path is too long", dir);
        if (access(path, F_OK) == 0)
            return tokenizer_open_file(path, e);
    }
    return FAIL_NULL(e, ERR_INPUT,
                     "%s: neither tokenizer.model nor tokenizer.json is there; name the directory of a "
                     "language model with its tokenizer",
                     dir);
}

void tokenizer_base_free(struct tokenizer *t)
{
    free(t->name);
    added_tokens_free(&t->added);
}

void tokenizer_close(struct tokenizer *t)
{
    if (t)
        t->kind->close(t);
}

/* ---- encoding and decoding ----------------------------------------------------------------------------------------
 */

static int encode_text(const struct tokenizer *t, struct slice text, struct ids *out, struct err *e)
{
    AUTO(buf_free) struct buf mended = BUF_INIT(3 * TOKENIZER_TEXT_MOST);
    if (unicode_valid(text.text, text.len) < text.len) {
        unicode_mend(text.text, text.len, &mended);
        TRY(buf_check(&mended, "a text to tokenize", e));
        text = (struct slice){ mended.data, mended.len };
    }
    return t->kind->encode(t, text, out, e);
}

int tokenizer_encode(const struct tokenizer *t, const char *text, size_t len, bool bos, struct ids *out, struct err *e)
{
    size_t before = out->n;
    if (len > TOKENIZER_TEXT_MOST)
        return FAIL(e, ERR_INPUT, "a text of %zu bytes is too long for a tokenizer; at most %zu", len,
                    TOKENIZER_TEXT_MOST);
    if (bos && t->bos < 0)
        return FAIL(e, ERR_INPUT, "%s: it has no BOS token; set 'bos_token' in tokenizer_config.json", t->name);
    if (bos)
        TRY(ids_add(out, t->bos, e));
    if (len && encode_text(t, (struct slice){ text, len }, out, e) < 0) {
        out->n = before;
        return -1;
    }
    return 0;
}

/* transformers' clean_up_tokenization. */
static int clean_up(struct buf *text, struct err *e)
{
    static const char *const rules[][2] = {
        { " .", "." },     { " ?", "?" },   { " !", "!" },   { " ,", "," },     { " ' ", "'" },
        { " n't", "n't" }, { " 'm", "'m" }, { " 's", "'s" }, { " 've", "'ve" }, { " 're", "'re" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        AUTO(buf_free) struct buf after = BUF_INIT(text->limit);
        text_replace(buf_text(text), text->len, (struct slice){ rules[i][0], strlen(rules[i][0]) },
                     (struct slice){ rules[i][1], strlen(rules[i][1]) }, &after);
        TRY(buf_check(&after, "a decoded text", e));
        buf_free(text);
        *text = after;
        after = BUF_INIT(0);
    }
    return 0;
}

int tokenizer_decode(const struct tokenizer *t, const int32_t *ids, size_t n, bool skip_special, struct buf *out,
                     struct err *e)
{
    AUTO(buf_free) struct buf text = BUF_INIT(TOKENIZER_TEXT_MOST);
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || (size_t)ids[i] >= t->size)
            return FAIL(e, ERR_INPUT, "%s: token id %d is not one of 0 to %zu", t->name, (int)ids[i], t->size - 1);
    if (n == 0)
        return 0;
    TRY(t->kind->decode(t, ids, n, skip_special, &text, e));
    TRY(buf_check(&text, "a decoded text", e));
    if (t->clean_up)
        TRY(clean_up(&text, e));
    buf_add(out, buf_text(&text), text.len);
    return buf_check(out, "a decoded text", e);
}

/* ---- while ids come in --------------------------------------------------------------------------------------------
 */

void tokenizer_stream_free(struct tokenizer_stream *s)
{
    ids_free(&s->ids);
    *s = (struct tokenizer_stream){ 0 };
}

static int say(const struct tokenizer *t, struct tokenizer_stream *s, bool all, struct buf *out, struct err *e)
{
    AUTO(buf_free) struct buf text = BUF_INIT(TOKENIZER_TEXT_MOST);
    size_t mark = strlen(UNICODE_REPLACEMENT);
    TRY(tokenizer_decode(t, s->ids.v, s->ids.n, true, &text, e));
    if (text.len <= s->said)
        return 0;
    /* It may be the beginning of a character that the next id completes. */
    if (!all && text.len >= mark && memcmp(text.data + text.len - mark, UNICODE_REPLACEMENT, mark) == 0)
        return 0;
    buf_add(out, text.data + s->said, text.len - s->said);
    TRY(buf_check(out, "a decoded text", e));
    s->said = text.len;
    return 0;
}

int tokenizer_stream_push(const struct tokenizer *t, struct tokenizer_stream *s, int32_t id, struct buf *out,
                          struct err *e)
{
    TRY(ids_add(&s->ids, id, e));
    if (id >= 0 && (size_t)id < t->size && (t->clean_up || t->kind->is_open(t, id)))
        return 0;
    return say(t, s, false, out, e);
}

int tokenizer_stream_end(const struct tokenizer *t, struct tokenizer_stream *s, struct buf *out, struct err *e)
{
    return say(t, s, true, out, e);
}

/* ---- what it is ---------------------------------------------------------------------------------------------------
 */

int32_t tokenizer_bos(const struct tokenizer *t)
{
    return t->bos;
}

int32_t tokenizer_eos(const struct tokenizer *t)
{
    return t->eos;
}

int32_t tokenizer_unk(const struct tokenizer *t)
{
    return t->unk;
}

int32_t tokenizer_pad(const struct tokenizer *t)
{
    return t->pad >= 0 ? t->pad : t->unk;
}

size_t tokenizer_size(const struct tokenizer *t)
{
    return t->size;
}

bool tokenizer_is_legacy(const struct tokenizer *t)
{
    return t->legacy;
}

bool tokenizer_adds_bos(const struct tokenizer *t)
{
    return t->add_bos;
}

int32_t tokenizer_id(const struct tokenizer *t, const char *token)
{
    return t->kind->id(t, token, strlen(token));
}
