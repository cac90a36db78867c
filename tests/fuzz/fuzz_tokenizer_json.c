/* Any bytes as a tokenizer.json: refused with its name, or a tokenizer whose ids are in range, that decodes them to
 * valid UTF-8, and that says the same when ids come one by one. */
#include <stdlib.h>
#include <string.h>

#include "worker/text/tokenizer_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const texts[] = { "a", "  Hello, world 123!\n",
                                     "x\xe2\x96\x81y <s>\xf0\x9f\x98\x80</s> \xff\xe6\x97 is it?",
                                     "\xc2\x85\xe3\x80\x80<0x41>aaaaaaaaaaaaaaaabbbbbbbb" };

static void check_decoding(const struct tokenizer *t, const struct ids *ids)
{
    struct err e = { 0 };
    AUTO(buf_free) struct buf whole = BUF_INIT(1 << 24), parts = BUF_INIT(1 << 24);
    struct tokenizer_stream s = { 0 };
    if (tokenizer_decode(t, ids->v, ids->n, true, &whole, &e) < 0)
        return; /* a decoder may make a text too long */
    if (unicode_valid(buf_text(&whole), whole.len) != whole.len)
        abort();
    for (size_t i = 0; i < ids->n; i++)
        if (tokenizer_stream_push(t, &s, ids->v[i], &parts, &e) < 0)
            abort();
    if (tokenizer_stream_end(t, &s, &parts, &e) < 0 || unicode_valid(buf_text(&parts), parts.len) != parts.len)
        abort();
    tokenizer_stream_free(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = { 0 };
    AUTO(tokenizer_close) struct tokenizer *t = fast_open((const char *)data, size, "fuzz.json", "/nowhere", &e);
    if (!t && (e.kind != ERR_INPUT || strncmp(e.text, "fuzz.json:", 10) != 0))
        abort();
    for (size_t i = 0; t && i < ARRAY_LEN(texts); i++) {
        AUTO(ids_free) struct ids ids = { 0 };
        err_clear(&e);
        if (tokenizer_encode(t, texts[i], strlen(texts[i]), false, &ids, &e) < 0)
            continue; /* its pattern did not come to an end */
        for (size_t k = 0; k < ids.n; k++)
            if (ids.v[k] < 0 || (size_t)ids.v[k] >= tokenizer_size(t))
                abort();
        check_decoding(t, &ids);
    }
    return 0;
}
