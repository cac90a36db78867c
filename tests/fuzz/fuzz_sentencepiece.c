/* Any bytes as a tokenizer.model: refused with its name, or a tokenizer whose ids are in range and that decodes them;
 * and where the fast encoding (sp_bpe.h) takes the general one's place, both give the same ids. */
#include <stdlib.h>
#include <string.h>

#include "worker/text/sentencepiece_shim.h"
#include "worker/text/sp_bpe.h"
#include "worker/text/tokenizer_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const texts[] = {
    "a",
    " a dog <s> \xf0\x9f\x98\x80 123\n",
    "\xe2\x96\x81\xe2\x96\x81 ok  <unk><0x41>",
    "the old man looks at a sign that says STOP\xe6\x97\xa5\xe6\x9c\xac",
};

static int take(void *ctx, int32_t id)
{
    struct err e = { 0 };
    return ids_add(ctx, id, &e);
}

static void compare(const struct sp_model *m, const struct bpe *b, bool dummy_prefix)
{
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        AUTO(ids_free) struct ids ours = { 0 }, theirs = { 0 };
        struct err e = { 0 };
        char why[200];
        if (sp_encode(m, texts[i], strlen(texts[i]), take, &theirs, why, sizeof why) < 0)
            continue;
        if (sp_bpe_encode(b, dummy_prefix, (struct slice){ texts[i], strlen(texts[i]) }, &ours, &e) < 0)
            abort();
        if (ours.n != theirs.n || (ours.n && memcmp(ours.v, theirs.v, ours.n * sizeof *ours.v) != 0))
            abort();
    }
}

static void check_both(const char *bytes, size_t size)
{
    char why[400];
    struct sp_model *m = sp_open(bytes, size, why, sizeof why);
    struct bpe *b = NULL;
    struct err e = { 0 };
    bool dummy_prefix = false;
    if (m && sp_bpe_make(bytes, size, "fuzz.model", &b, &dummy_prefix, &e) == 0 && b)
        compare(m, b, dummy_prefix);
    bpe_destroy(b);
    if (m)
        sp_close(m);
}

static void check_ids(const struct tokenizer *t, const char *text)
{
    AUTO(ids_free) struct ids ids = { 0 };
    AUTO(buf_free) struct buf back = BUF_INIT(1 << 24);
    struct err e = { 0 };
    if (tokenizer_encode(t, text, strlen(text), false, &ids, &e) < 0)
        return;
    for (size_t k = 0; k < ids.n; k++)
        if (ids.v[k] < 0 || (size_t)ids.v[k] >= tokenizer_size(t))
            abort();
    if (tokenizer_decode(t, ids.v, ids.n, false, &back, &e) < 0 && e.kind != ERR_INPUT && e.kind != ERR_ENV)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = { 0 };
    AUTO(tokenizer_close)
    struct tokenizer *t = slow_llama_open((const char *)data, size, "fuzz.model", "/nowhere", &e);
    if (!t && (e.kind != ERR_INPUT || strncmp(e.text, "fuzz.model:", 11) != 0))
        abort();
    for (size_t i = 0; t && i < ARRAY_LEN(texts); i++)
        check_ids(t, texts[i]);
    if (t)
        check_both((const char *)data, size);
    return 0;
}
