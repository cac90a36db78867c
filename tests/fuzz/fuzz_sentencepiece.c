/* Any bytes as a tokenizer.model, refused with its name, or a tokenizer whose ids are
 * in range and that decodes them. */
#include <stdlib.h>
#include <string.h>

#include "worker/text/sentencepiece_shim.h"
#include "worker/text/tokenizer_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const texts[] = { "a", " a dog <s> \xf0\x9f\x98\x80\xff 123\n", "\xe2\x96\x81\xe2\x96\x81 ok" };
    struct err e = { 0 };
    AUTO(tokenizer_close) struct tokenizer *t = slow_llama_open((const char *)data, size, "fuzz.model", "/nowhere", &e);
    if (!t && (e.kind != ERR_INPUT || strncmp(e.text, "fuzz.model:", 11) != 0))
        abort();
    for (size_t i = 0; t && i < ARRAY_LEN(texts); i++) {
        AUTO(ids_free) struct ids ids = { 0 };
        AUTO(buf_free) struct buf back = BUF_INIT(1 << 24);
        if (tokenizer_encode(t, texts[i], strlen(texts[i]), false, &ids, &e) < 0)
            continue;
        for (size_t k = 0; k < ids.n; k++)
            if (ids.v[k] < 0 || (size_t)ids.v[k] >= tokenizer_size(t))
                abort();
        if (tokenizer_decode(t, ids.v, ids.n, false, &back, &e) < 0)
            continue;
    }
    return 0;
}
